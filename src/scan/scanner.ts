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

export interface ScanOptions {
  /** What engines said of these bytes before: by the signatures that an engine has now, it would say the same again. */
  known?: Verdict[]
  background?: boolean
}

/**
 * Asks every engine in turn until one does not say clean: all must. What each said, the last that was asked at the end. Without
 * engines (`SCAN=off`) there are no verdicts, which the record says.
 */
export async function scanWithAll(
  scanners: Scanner[],
  file: Scannable,
  { known = [], ...options }: ScanOptions = {},
): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const scanner of scanners) {
    const said = known.filter(({ engine }) => engine === scanner.name)
    const now = said.length > 0 ? await scanner.signatures() : null
    const before = said.find(({ signatures }) => now !== null && signatures === now.version)
    const verdict = before ?? (await scanner.scan(file, options))
    verdicts.push(verdict)
    if (verdict.verdict !== 'clean') break
  }
  return verdicts
}

/** What verdicts mean for a file. Throws `Refused` for what is not clean, and `Unavailable` when an engine has no verdict. */
export function requireClean(verdicts: Verdict[]): void {
  const last = verdicts.at(-1)
  if (!last || last.verdict === 'clean') return
  const { engine, verdict, detail } = last
  if (verdict === 'infected') throw new Refused('malware', `${engine}: ${detail ?? 'infected'}`)
  if (verdict === 'unscannable') throw new Refused('unscannable', `${engine}: ${detail ?? 'cannot be scanned'}`)
  throw new Unavailable(`the engine ${engine} has no verdict`, { cause: new Error(detail) })
}
