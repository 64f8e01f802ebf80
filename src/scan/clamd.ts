import { connect } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Verdict } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { Unavailable } from '../errors.ts'
import type { Scannable, Scanner } from './scanner.ts'

/** A socket of the file system, or a host and port. */
export type ClamdAddress = { path: string } | { host: string; port: number }

export interface ClamdOptions {
  address: ClamdAddress
  clock: Clock
  /** Files that it judges at once; more wait in order. `MaxThreads` of clamd is 10 by default. */
  atOnce?: number
}

const connectMs = 5000
/** Longest time in which it takes nothing of what is sent. */
const idleMs = 30_000
/** Longest time for one file. clamd's own `MaxScanTime` is 120 s by default. */
const scanMs = 150_000
const versionMs = 5000
/** Longest time for which a file waits for its turn: one that hangs must not hold up all who came after. */
const turnMs = 30_000
/** Its version changes with its signatures. */
const versionFreshMs = 60_000
/** Bytes. A name of a threat is some dozen. */
const longestReply = 1024

/**
 * ClamAV's daemon, by INSTREAM (clamd(8)). What cannot be understood to the letter is `failed`: a reply that is cut, too long,
 * doubled, or that says "OK" before the whole file was there. "OK" means that clamd found nothing within its own limits.
 */
export function clamd({ address, clock, atOnce = 10 }: ClamdOptions): Scanner & { version(): Promise<string> } {
  const turns = createTurns(atOnce, clock)
  let known: { version: string; until: number } | null = null

  async function version(): Promise<string> {
    if (known && clock.now().getTime() < known.until) return known.version
    const { text } = await converse(address, 'zVERSION', null, versionMs, clock)
    // `ClamAV 1.4.6/27400/Tue Nov 24 08:23:00 2026`; without a date where signatures are one's own.
    if (!/^ClamAV [\x20-\x7e]{1,200}$/.test(text)) throw new NoReply('it does not tell its version')
    known = { version: text, until: clock.now().getTime() + versionFreshMs }
    return text
  }

  const failed = (error: unknown): Pick<Verdict, 'verdict' | 'detail'> => {
    if (!(error instanceof NoReply)) throw error
    known = null
    return { verdict: 'failed', detail: error.message }
  }

  return {
    name: 'clamd',
    version,
    async scan(file) {
      const leave = await turns.take()
      if (!leave) {
        const detail = `busy: no turn within ${turnMs} ms`
        return { engine: 'clamd', verdict: 'failed', detail, at: clock.now().toISOString() }
      }
      try {
        const signatures = await version()
        const reply = await converse(address, 'zINSTREAM', file, scanMs, clock)
        return { engine: 'clamd', ...verdictOf(reply), signatures, at: clock.now().toISOString() }
      } catch (error) {
        return { engine: 'clamd', ...failed(error), at: clock.now().toISOString() }
      } finally {
        leave()
      }
    },
    async check() {
      known = null
      await version().catch((error: unknown) => {
        throw new Unavailable(`clamd: ${failed(error).detail}`)
      })
    },
  }
}

/** No verdict: it cannot be reached, or what it said cannot be understood. */
class NoReply extends Error {}

interface Reply {
  text: string
  /** It came before the whole file was sent. */
  early: boolean
}

/** Exceeded limits and encryption are no threat that was found: the file could not be looked into. */
const notLookedInto = /^Heuristics\.(Limits\.Exceeded|Encrypted)/

function verdictOf({ text, early }: Reply): Pick<Verdict, 'verdict' | 'detail'> {
  const [, name] = /^stream: ([\x21-\x7e][\x20-\x7e]{0,255}) FOUND$/.exec(text) ?? []
  if (name !== undefined) return { verdict: notLookedInto.test(name) ? 'unscannable' : 'infected', detail: name }
  if (text === 'INSTREAM size limit exceeded. ERROR')
    return { verdict: 'unscannable', detail: 'larger than StreamMaxLength of clamd' }
  if (text === 'stream: OK' && !early) return { verdict: 'clean' }
  throw new NoReply(early ? 'it answered before it had the file' : `it answered "${text.slice(0, 100)}"`)
}

/** One command on a connection of its own, and its whole reply. Throws `NoReply`; and what reading the file throws. */
async function converse(
  address: ClamdAddress,
  command: string,
  file: Scannable | null,
  withinMs: number,
  clock: Clock,
): Promise<Reply> {
  const socket = connect({ ...address, allowHalfOpen: true })
  const received: Buffer[] = []
  const over = new AbortController()
  let size = 0
  let sent = false
  let early = false
  let connected = false
  let trouble: string | null = null
  /** Wakes whoever waits to send more. */
  let wake = () => {}
  const giveUp = (why: string) => {
    trouble ??= why
    socket.destroy()
  }
  const limit = (ms: number, signal: AbortSignal, why: () => string | null) =>
    void clock.wait(ms, signal).then(() => {
      const late = signal.aborted ? null : why()
      if (late) giveUp(late)
    })

  const ended = new Promise<void>((resolve) => {
    socket.on('connect', () => {
      connected = true
    })
    socket.on('data', (chunk) => {
      if (!sent) early = true
      size += chunk.length
      received.push(chunk)
      if (size > longestReply) giveUp('its reply is too long')
      wake()
    })
    socket.on('drain', () => wake())
    socket.on('error', (error) => {
      // What it said before it hung up counts more than that it did.
      if (size === 0) trouble ??= error.message
    })
    socket.on('end', () => socket.destroy())
    socket.on('close', () => {
      wake()
      resolve()
    })
  })
  limit(connectMs, over.signal, () => (connected ? null : `no connection within ${connectMs} ms`))
  limit(withinMs, over.signal, () => `no reply within ${withinMs} ms`)

  /** False: nothing more is to be sent. */
  async function send(bytes: Buffer): Promise<boolean> {
    if (socket.destroyed || early) return false
    if (!socket.write(bytes)) {
      const taken = new AbortController()
      const drained = new Promise<void>((resolve) => {
        wake = resolve
      })
      limit(idleMs, taken.signal, () => `it takes nothing for ${idleMs} ms`)
      await drained
      taken.abort()
    } else await nextTurn()
    return !socket.destroyed && !early
  }

  try {
    await send(Buffer.from(`${command}\0`))
    if (file) await sendFile(file, send)
    // Before the last byte is written: a reply to all of it cannot come earlier.
    if (!early && !socket.destroyed) {
      sent = true
      if (file) socket.write(endOfStream)
    }
    await ended
  } finally {
    over.abort()
    socket.destroy()
  }
  if (trouble !== null) throw new NoReply(trouble)
  const reply = Buffer.concat(received).toString('latin1')
  if (reply.indexOf('\0') !== reply.length - 1)
    throw new NoReply(reply === '' ? 'it hung up' : 'its reply is cut or doubled')
  return { text: reply.slice(0, -1), early }
}

const endOfStream = Buffer.alloc(4)

/** Each piece after its length. */
async function sendFile(file: Scannable, send: (bytes: Buffer) => Promise<boolean>): Promise<void> {
  for await (const piece of file.open()) {
    if (piece.length === 0) continue
    const length = Buffer.alloc(4)
    length.writeUInt32BE(piece.length)
    if (!(await send(Buffer.concat([length, piece])))) return
  }
}

/** So many at once; the others wait in order, and not for ever. How many can wait is bounded by the uploads that run. */
function createTurns(atOnce: number, clock: Clock) {
  let free = atOnce
  const waiting = new Set<() => void>()
  const leave = () => {
    const [next] = waiting
    if (next) next()
    else free += 1
  }
  return {
    /** Null: there was no turn in time. */
    async take(): Promise<(() => void) | null> {
      if (free > 0) {
        free -= 1
        return leave
      }
      const over = new AbortController()
      const came = await new Promise<boolean>((resolve) => {
        const settle = (itCame: boolean) => {
          if (waiting.delete(mine)) resolve(itCame)
        }
        const mine = () => settle(true)
        waiting.add(mine)
        void clock.wait(turnMs, over.signal).then(() => settle(false))
      })
      over.abort()
      return came ? leave : null
    },
  }
}
