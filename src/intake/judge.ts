import type { Verdict } from '../attachment.ts'
import { Refused } from '../errors.ts'
import { type Scanner, scanWithAll } from '../scan/scanner.ts'
import type { KeyRing } from '../seal/keys.ts'
import type { Arrival } from './arrival.ts'
import type { Inspector } from './inspect/inspect.ts'
import { checkPolicy, type Policy } from './policy.ts'
import type { Spool, Spooled, WholeFile } from './spool/spool.ts'

export interface JudgeParts {
  policy: Policy
  inspector: Inspector
  /** Null: the operator has switched scanning off. */
  scanners: Scanner[] | null
  spool: Spool
  keys: KeyRing
}

/** `file`: what is kept, which is what came, or a copy without what followed its end. */
export type Judgement =
  | { accepted: true; file: WholeFile; type: string; verdicts: Verdict[] }
  | { accepted: false; refusal: Refused }

/**
 * The policy, then our own reading of the structure, then the engines. A throw means that there is no judgement. `cut` is
 * called with a copy that was made, before anything else is done with it.
 */
export async function judge(
  arrival: Arrival,
  file: Spooled,
  parts: JudgeParts,
  cut: (copy: WholeFile) => void,
): Promise<Judgement> {
  try {
    checkPolicy(parts.policy, arrival, file)
    if (file.tooLarge) throw new Error('the policy lets a cut file pass')
    const { type, end } = await parts.inspector.inspect(file, arrival.declaredType, parts.policy.strictness)
    const kept = end < file.size ? await copyOf(file, end, parts) : file
    if (kept !== file) cut(kept)
    return { accepted: true, file: kept, type, verdicts: await scanWithAll(parts.scanners ?? [], kept) }
  } catch (error) {
    if (error instanceof Refused) return { accepted: false, refusal: error }
    throw error
  }
}

/** The first bytes of a file, sealed under a key of their own: no key seals two files. */
async function copyOf(file: WholeFile, size: number, { spool, keys }: JudgeParts): Promise<WholeFile> {
  const options = { id: file.id, dataKey: keys.newDataKey(), maxBytes: size }
  const copy = await spool.spool(file.open({ start: 0, end: size - 1 }), options)
  if (copy.tooLarge) throw new Error('a part is larger than itself')
  return copy
}
