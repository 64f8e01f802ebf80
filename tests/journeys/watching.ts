import { onTestFinished } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { eventually, keys, type TestService } from '../harness.ts'

interface Told {
  event: string
  data: Attachment & { became?: string }
}

/** Reads events until the test ends, or the stream does. */
export async function watch({ url }: TestService, query = '', authorization = `Bearer ${keys.all}`) {
  const gone = new AbortController()
  onTestFinished(() => gone.abort())
  const answer = await fetch(`${url}/v1/events${query}`, { headers: { authorization }, signal: gone.signal })
  const told: Told[] = []
  let all = ''
  const over = (async () => {
    let rest = ''
    for await (const piece of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
      const text = new TextDecoder().decode(piece)
      all += text
      const blocks = (rest + text).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const [, event, data] = /^event: (\w+)\ndata: (.*)$/s.exec(block) ?? []
        if (event !== undefined) told.push({ event, data: JSON.parse(data!) })
      }
    }
  })().catch(() => {})
  const until = (accepted: (told: Told[]) => boolean) => eventually(() => told, accepted)
  return {
    status: answer.status,
    headers: answer.headers,
    told,
    over,
    text: () => all,
    until,
    ready: () => until((all) => all.some(({ event }) => event === 'ready')),
    /** States of an attachment as they were told, one after the other. */
    states: (id: string) => told.filter(({ data }) => data.id === id).map(({ data }) => data.state),
    leave: () => gone.abort(),
  }
}
