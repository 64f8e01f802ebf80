import type { Verdict } from '../attachment.ts'
import { Refused, Unavailable } from '../errors.ts'

/** What an engine is given to judge: the plaintext, read in memory only. */
export interface Scannable {
  /** Bytes. */
  size: number
  /** Hex. */
  sha256: string
  open(): AsyncIterable<Buffer>
}

/** What an engine knows threats by. */
export interface Signatures {
  /** It changes with them. */
  version: string
  /** Null: it does not tell. */
  madeAt: Date | null
}

/** An engine. It resolves with what it says; that it cannot be reached or understood is the verdict `failed`. */
export interface Scanner {
  name: string
  /** `background`: what came in is judged first. */
  scan(file: Scannable, options?: { background?: boolean }): Promise<Verdict>
  /** Throws `Unavailable` with the reason when it could not judge now. */
  check(): Promise<Signatures | null>
  /** At most a minute old. Null: it does not tell, or not now. */
  signatures(): Promise<Signatures | null>
}

/**
 * Asks every engine in turn: all must say clean. Throws `Refused` for the first that does not, and `Unavailable` when one
 * has no verdict. Without engines (`SCAN=off`) there are no verdicts, which the record says.
 */
export async function scanWithAll(scanners: Scanner[], file: Scannable): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const scanner of scanners) {
    const verdict = await scanner.scan(file)
    if (verdict.verdict === 'infected')
      throw new Refused('malware', `${verdict.engine}: ${verdict.detail ?? 'infected'}`)
    if (verdict.verdict === 'unscannable')
      throw new Refused('unscannable', `${verdict.engine}: ${verdict.detail ?? 'cannot be scanned'}`)
    if (verdict.verdict !== 'clean')
      throw new Unavailable(`the engine ${verdict.engine} has no verdict`, { cause: new Error(verdict.detail) })
    verdicts.push(verdict)
  }
  return verdicts
}
