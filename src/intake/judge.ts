import type { Verdict } from '../attachment.ts'
import { NoCopy } from '../copies/copy.ts'
import type { CopyMaker } from '../copies/maker.ts'
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
  copies: CopyMaker
  spool: Spool
  keys: KeyRing
}

/** `file`: what is kept, which is what came, or a copy of it that the policy wants in its place. */
export type Judgement =
  | { accepted: true; file: WholeFile; type: string; verdicts: Verdict[] }
  | { accepted: false; refusal: Refused }

/**
 * The policy, then our own reading of the structure, then the engines. A throw means that there is no judgement. `copied` is
 * called with each copy that was made, before anything else is done with it.
 */
export async function judge(
  arrival: Arrival,
  file: Spooled,
  parts: JudgeParts,
  copied: (copy: WholeFile) => void,
): Promise<Judgement> {
  const { policy, inspector, scanners } = parts
  try {
    checkPolicy(policy, arrival, file)
    if (file.tooLarge) throw new Error('the policy lets a cut file pass')
    const { type, end } = await inspector.inspect(file, arrival.declaredType, policy.strictness)
    const judged =
      end < file.size ? await spooledCopy(file, file.open({ start: 0, end: end - 1 }), parts, copied) : file
    const verdicts = await scanWithAll(scanners ?? [], judged)
    if (policy.keep === 'original') return { accepted: true, file: judged, type, verdicts }
    const safe = await safeCopy(judged, type, parts)
    return { accepted: true, file: await spooledCopy(file, safe.bytes, parts, copied), type: safe.type, verdicts }
  } catch (error) {
    if (error instanceof Refused) return { accepted: false, refusal: error }
    throw error
  }
}

async function safeCopy(file: WholeFile, type: string, { copies }: JudgeParts) {
  try {
    const wanted = { kind: 'safe', type, size: file.size, page: 1, pixels: 1 } as const
    const made = await copies.make(wanted, file.open())
    return { type: made.type, bytes: [made.bytes] }
  } catch (error) {
    if (error instanceof NoCopy) throw new Refused('unscannable', `no safe copy can be made: ${error.message}`)
    throw error
  }
}

/** Sealed under a key of its own: no key seals two files. */
async function spooledCopy(
  { id }: WholeFile,
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { spool, keys }: JudgeParts,
  copied: (copy: WholeFile) => void,
): Promise<WholeFile> {
  const options = { id, dataKey: keys.newDataKey(), maxBytes: Number.MAX_SAFE_INTEGER }
  const copy = await spool.spool(bytes, options)
  if (copy.tooLarge) throw new Error('a copy without a limit is too large')
  copied(copy)
  return copy
}
