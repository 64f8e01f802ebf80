import type { Clock } from '../clock.ts'
import { Unavailable } from '../errors.ts'
import { remembered } from '../remembered.ts'

export interface Check {
  ok: boolean
  /** Why it is not ok. */
  cause?: string
  /** What one should know though it is ok. */
  note?: string
}

/** A question that throws when the answer is no, or returns a note. */
export interface Probe {
  name: string
  /** Whether its failure makes the service unready, or is only told. */
  needed: boolean
  /** How long an answer serves, in ms. */
  freshMs: number
  ask(): Promise<string | undefined>
}

export interface Readiness {
  ready: boolean
  checks: Record<string, Check>
}

/** Longest wait for an answer: a needed one may take its time, one that is only told must not hold up the page. */
const longestMs = { needed: 2000, told: 500 }

/** Asks all at once, each no more often than its answers serve; one that does not answer in time is not ok. */
export function readiness(probes: Probe[], clock: Clock): () => Promise<Readiness> {
  const asked = probes.map(({ name, needed, freshMs, ask }) => ({
    name,
    needed,
    check: remembered(freshMs, clock, () => checkOf(ask, needed ? longestMs.needed : longestMs.told)),
  }))
  return async () => {
    const checks = await Promise.all(
      asked.map(async ({ name, needed, check }) => ({ name, needed, check: await check() })),
    )
    return {
      ready: checks.every(({ needed, check }) => check.ok || !needed),
      checks: Object.fromEntries(checks.map(({ name, check }) => [name, check])),
    }
  }
}

/** Of a process that was asked to end: whatever it leans on works, it should be sent nothing any more. */
export function stoppingReadiness({ checks }: Readiness): Readiness {
  return { ready: false, checks: { ...checks, process: { ok: false, cause: 'it is stopping' } } }
}

async function checkOf(ask: Probe['ask'], withinMs: number): Promise<Check> {
  try {
    const note = await inTime(ask(), withinMs)
    return { ok: true, ...(note && { note }) }
  } catch (error) {
    return { ok: false, cause: causeOf(error as Error) }
  }
}

/** A sentence of ours and the system's error code, never paths or addresses. */
function causeOf(error: Error): string {
  if (!(error instanceof Unavailable)) return error.message
  const code = (error.cause as NodeJS.ErrnoException | undefined)?.code
  return code ? `${error.message} (${code})` : error.message
}

async function inTime<T>(answer: Promise<T>, withinMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${withinMs} ms`)), withinMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
