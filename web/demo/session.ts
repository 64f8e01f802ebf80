import { pause } from '../client/pause.ts'
import { type Frame, readFrame } from './frames.ts'

/** `over`: the session has ended, and does not come back by itself. */
export type Link = 'connecting' | 'ready' | 'lost' | 'over'

export interface Session {
  /** False: there is no connection now. */
  send(frame: Record<string, unknown> & { tracingId: string }): boolean
  close(): void
}

export interface SessionOptions {
  /** Of the socket: the platform's own, or a gateway's. Nothing else tells them apart. */
  address: string
  deploymentId: string
  /** It is the session: who has it can read and write there. */
  token: string
  onFrame(frame: Frame): void
  onLink(link: Link): void
}

/** The platform allows two echoes a minute. */
const echoEveryMs = 30_000
const answerMs = 10_000
const longestPauseMs = 30_000

/** A guest's session on the Guest API. A connection that is lost, or that says nothing any more, is opened anew. */
export function openSession({ address, deploymentId, token, onFrame, onLink }: SessionOptions): Session {
  const closing = new AbortController()
  let socket: WebSocket | null = null
  let over = false
  let failures = 0

  const end = () => {
    over = true
    onLink('over')
    socket?.close()
  }

  const send = (frame: Record<string, unknown> & { tracingId: string }) => {
    if (socket?.readyState !== WebSocket.OPEN) return false
    socket.send(JSON.stringify({ token, ...frame }))
    return true
  }

  function connect(): void {
    onLink('connecting')
    const opened = new WebSocket(`${address}?deploymentId=${encodeURIComponent(deploymentId)}`)
    socket = opened
    /** What proves that somebody is there: any frame. */
    let silence: ReturnType<typeof setTimeout> | undefined
    const echoes = setInterval(() => {
      const asked = send({ action: 'echo', tracingId: echoId, message: { type: 'Text', text: 'ping' } })
      if (asked) silence = setTimeout(() => opened.close(), answerMs)
    }, echoEveryMs)
    opened.onopen = () => send({ action: 'configureSession', deploymentId, tracingId: crypto.randomUUID() })
    opened.onmessage = ({ data }) => {
      clearTimeout(silence)
      const frame = readFrame(String(data))
      if (!frame || frame.tracingId === echoId) return
      if (frame.class === 'SessionResponse') {
        const { connected, readOnly } = frame.body
        if (connected !== true || readOnly === true) return end()
        failures = 0
        onLink('ready')
      }
      if (isEnd(frame)) return end()
      onFrame(frame)
    }
    opened.onclose = () => {
      clearInterval(echoes)
      clearTimeout(silence)
      if (over || closing.signal.aborted) return
      onLink('lost')
      const ms = Math.min(longestPauseMs, 1000 * 2 ** failures++) * (0.5 + Math.random() / 2)
      pause(ms, { signal: closing.signal, orOnline: true }).then(connect, () => {})
    }
  }

  connect()
  return {
    send,
    close() {
      closing.abort()
      socket?.close()
    },
  }
}

const echoId = 'SGVhbHRoQ2hlY2tNZXNzYWdlSWQ='

/** Expired, cleared, opened elsewhere, or unknown (4006, 4007). */
function isEnd({ class: kind, code, body }: Frame): boolean {
  const ends = ['SessionExpiredEvent', 'SessionClearedEvent', 'ConnectionClosedEvent', 'LogoutEvent']
  return ends.includes(kind) || [code, body.errorCode].some((one) => one === 4006 || one === 4007)
}
