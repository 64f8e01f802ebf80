import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

/** So much may wait for a reader, in bytes: the longest beginning is below it. */
const mostWaiting = 2 * 1024 * 1024

/** Server-sent events (HTML Standard, 9.2), one after the other. */
export interface EventStream {
  /** The body of the answer. */
  body: Readable
  /** `data` is sent as JSON. */
  send(event: string, data: unknown): void
  /** Something that is no event, so that whoever is between us knows that it is alive. */
  comment(): void
  end(): void
}

/** `onSlow`: more waits for the reader than may; nothing more is kept for it. */
export function createEventStream(response: ServerResponse, onSlow: () => void): EventStream {
  let isOver = false
  const body = new Readable({ read() {} })
  const write = (text: string) => {
    if (isOver) return
    body.push(text)
    if (body.readableLength + response.writableLength <= mostWaiting) return
    isOver = true
    onSlow()
  }
  // How long a browser waits until it comes again, in ms.
  write('retry: 3000\n\n')
  return {
    body,
    send: (event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    comment: () => write(':\n\n'),
    end() {
      if (isOver) return
      isOver = true
      body.push(null)
    },
  }
}
