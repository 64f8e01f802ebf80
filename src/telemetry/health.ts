import { Unavailable } from '../errors.ts'

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
  ask(): Promise<string | undefined>
}

const longestMs = 2000

/** Asks all at once; one that does not answer in time is not ok. */
export async function readiness(probes: Probe[]): Promise<{ ready: boolean; checks: Record<string, Check> }> {
  const checks = await Promise.all(
    probes.map(async ({ name, needed, ask }) => {
      const check = await inTime(ask())
        .then((note): Check => ({ ok: true, ...(note && { note }) }))
        .catch((error: Error): Check => ({ ok: false, cause: causeOf(error) }))
      return { name, needed, check }
    }),
  )
  return {
    ready: checks.every(({ needed, check }) => check.ok || !needed),
    checks: Object.fromEntries(checks.map(({ name, check }) => [name, check])),
  }
}

/** A sentence of ours and the system's error code, never paths or addresses. */
function causeOf(error: Error): string {
  if (!(error instanceof Unavailable)) return error.message
  const code = (error.cause as NodeJS.ErrnoException | undefined)?.code
  return code ? `${error.message} (${code})` : error.message
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${longestMs} ms`)), longestMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
