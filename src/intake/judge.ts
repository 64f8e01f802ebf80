import type { Verdict } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { NoCopy } from '../copies/copy.ts'
import type { CopyMaker } from '../copies/maker.ts'
import { type RefusalCode, Refused, Unavailable } from '../errors.ts'
import type { WaitedFor } from '../records/questions/quarantine.ts'
import type { KnownVerdict, NewVerdicts } from '../records/questions/verdicts.ts'
import type { Records } from '../records/records.ts'
import { requireClean, type Scanner, scanWithAll } from '../scan/scanner.ts'
import type { KeyRing } from '../seal/keys.ts'
import type { Arrival } from './arrival.ts'
import type { Inspector } from './inspect/inspect.ts'
import { checkPolicy, type Policy, policyFor } from './policy.ts'
import type { Spool, Spooled, WholeFile } from './spool/spool.ts'

export interface JudgeParts {
  policy: Policy
  inspector: Inspector
  /** Null: the operator has switched scanning off. */
  scanners: Scanner[] | null
  copies: CopyMaker
  spool: Spool
  keys: KeyRing
  records: Pick<Records, 'knownVerdicts'>
  clock: Clock
}

/** `file`: what is kept, which is what came, or a copy of it that the policy wants in its place. */
export type Judgement = {
  /** What the bytes are. */
  type: string | null
  verdicts: Verdict[]
  /** Those of engines that were asked now and may be remembered. */
  remember: NewVerdicts | null
} & (
  | { state: 'accepted'; file: WholeFile }
  | { state: 'refused'; code: RefusalCode; detail: string }
  | { state: 'quarantined'; file: WholeFile; waitsFor: WaitedFor; code: RefusalCode | null; detail: string }
)

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
  const { inspector } = parts
  const policy = policyFor(parts.policy, arrival.deploymentId)
  let judged = file.tooLarge ? null : file
  let { type }: { type: string | null } = file
  let scanned: Scanned = { verdicts: [], remember: null }
  try {
    checkPolicy(policy, arrival, file)
    if (file.tooLarge) throw new Error('the policy lets a cut file pass')
    const examined = await inspector.inspect(file, arrival.declaredType, policy.strictness)
    type = examined.type
    const { end } = examined
    judged = end < file.size ? await spooledCopy(file, file.open({ start: 0, end: end - 1 }), parts, copied) : file
    scanned = await scan(judged, parts)
    requireClean(scanned.verdicts)
    if (policy.keep === 'original') return { state: 'accepted', file: judged, type, ...scanned }
    const safe = await safeCopy(judged, type, parts)
    const copy = await spooledCopy(file, safe.bytes, parts, copied)
    return { state: 'accepted', file: copy, ...scanned, type: safe.type }
  } catch (error) {
    const { codes, engineDown } = policy.quarantine
    const { verdicts } = scanned
    const [failed] = verdicts.slice(-1).filter(({ verdict }) => verdict === 'failed')
    if (error instanceof Unavailable && failed && judged && engineDown) {
      const detail = `the engine ${failed.engine} has no verdict: ${failed.detail}`
      const clean = verdicts.slice(0, -1)
      return {
        state: 'quarantined',
        waitsFor: 'engine',
        file: judged,
        type,
        code: null,
        detail,
        ...scanned,
        verdicts: clean,
      }
    }
    if (!(error instanceof Refused)) throw error
    const { code, detail } = error
    if (judged && codes.includes(code))
      return { state: 'quarantined', waitsFor: 'person', file: judged, type, code, detail, ...scanned }
    return { state: 'refused', type, code, detail, ...scanned }
  }
}

type Scanned = Pick<Judgement, 'verdicts' | 'remember'>

async function scan(file: WholeFile, { policy, scanners, keys, records, clock }: JudgeParts): Promise<Scanned> {
  if (!scanners) return { verdicts: [], remember: null }
  const digests = keys.digests(file.sha256)
  const ms = policy.reuseVerdictHours * 3_600_000
  const since = new Date(clock.now().getTime() - ms)
  const known = ms > 0 ? await records.knownVerdicts({ digests, since }) : []
  const verdicts = await scanWithAll(scanners, file, { known })
  const fresh = verdicts.filter((one): one is KnownVerdict => isFinding(one) && !known.includes(one as KnownVerdict))
  return { verdicts, remember: ms > 0 && fresh.length > 0 ? { digest: digests[0]!, verdicts: fresh } : null }
}

/** What an engine would say again of the same bytes. That it could not look into them may be a matter of its settings. */
function isFinding({ verdict, signatures }: Verdict): boolean {
  return (verdict === 'clean' || verdict === 'infected') && signatures !== undefined
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
  const options = { id, dataKey: keys.newDataKey(), maxBytes: Number.MAX_SAFE_INTEGER, inspection: null }
  const copy = await spool.spool(bytes, options)
  if (copy.tooLarge) throw new Error('a copy without a limit is too large')
  copied(copy)
  return copy
}
