import type { Verdict } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { Unavailable } from '../errors.ts'
import type { Scannable, Scanner, Signatures } from './scanner.ts'
import { createTurns } from './turns.ts'

/** No verdict: the engine cannot be reached, or what it said cannot be understood. */
export class NoReply extends Error {}

/** What an engine says of a whole file that it has read. */
export interface Said {
  verdict: 'clean' | 'infected' | 'unscannable'
  detail?: string
  /** The signatures that it says it judged by, where it tells that with its verdict. */
  signatures?: string
}

/** How one kind of engine is asked. Both methods throw `NoReply`. */
export interface Engine {
  name: string
  /** Files that it judges at once; more wait in order. */
  atOnce: number
  /** Throws too what reading the file throws. */
  judge(file: Scannable): Promise<Said>
  /** Whether it could judge now, and by which signatures. Null: it does not tell. */
  signatures(): Promise<Signatures | null>
}

/** Longest time for which a file waits for its turn: one that hangs must not hold up all who came after. */
const turnMs = 30_000
/** Signatures are renewed some times a day. */
const signaturesFreshMs = 60_000

/**
 * An engine whose every trouble is the verdict `failed`, and that is not asked by more than it can serve. `known` is told of its
 * signatures each time that they were asked for.
 */
export function scannerOf(
  engine: Engine,
  clock: Clock,
  known: (signatures: Signatures | null) => void = () => {},
): Scanner {
  const turns = createTurns(engine.atOnce, turnMs, clock)
  let remembered: { signatures: Signatures | null; until: number } | null = null

  async function signatures(): Promise<Signatures | null> {
    if (remembered && clock.now().getTime() < remembered.until) return remembered.signatures
    const asked = await engine.signatures()
    known(asked)
    remembered = { signatures: asked, until: clock.now().getTime() + signaturesFreshMs }
    return asked
  }

  async function judge(file: Scannable): Promise<Said> {
    // Asked before the file is: signatures that are renewed in between are not said to have seen it.
    const before = (await signatures())?.version
    return { ...(before !== undefined && { signatures: before }), ...(await engine.judge(file)) }
  }

  return {
    name: engine.name,
    async scan(file, options) {
      const told = (verdict: Omit<Verdict, 'engine' | 'at'>): Verdict => ({
        engine: engine.name,
        ...verdict,
        at: clock.now().toISOString(),
      })
      const leave = await turns.take(options)
      if (!leave) return told({ verdict: 'failed', detail: `busy: no turn within ${turnMs} ms` })
      try {
        return told(await judge(file))
      } catch (error) {
        if (!(error instanceof NoReply)) throw error
        remembered = null
        return told({ verdict: 'failed', detail: error.message })
      } finally {
        leave()
      }
    },
    async check() {
      remembered = null
      return signatures().catch((error: unknown) => {
        if (!(error instanceof NoReply)) throw error
        throw new Unavailable(`${engine.name}: ${error.message}`)
      })
    },
    async signatures() {
      return signatures().catch((error: unknown) => {
        if (!(error instanceof NoReply)) throw error
        return null
      })
    },
  }
}

/** Exceeded limits and encryption are no threat that was found: the file could not be looked into (clamd's names for it). */
const notLookedInto = /^Heuristics\.(Limits\.Exceeded|Encrypted)/

export function saidOfThreat(name: string): Said {
  return { verdict: notLookedInto.test(name) ? 'unscannable' : 'infected', detail: name }
}

/** What an engine told in its own words, fit for a record: one line of visible characters, at most 256. */
export function oneLine(text: string): string {
  return text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 256)
}
