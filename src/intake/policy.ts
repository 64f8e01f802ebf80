import { type RefusalCode, Refused } from '../errors.ts'
import type { Arrival } from './arrival.ts'
import type { Strictness } from './inspect/limits.ts'
import { readableTypes } from './inspect/readers.ts'
import { endingsIn, isDangerous } from './names.ts'
import type { Spooled } from './spool/spool.ts'
import { couldBe, endingsOf } from './types.ts'

export interface Policy {
  /** Largest file, in bytes. */
  maxFileBytes: number
  /** Canonical MIME types. */
  allowedTypes: string[]
  strictness: Strictness
  /** What is kept of an accepted file: as it came, or the safe copy in its place. */
  keep: 'original' | 'safe_copy'
  quarantine: QuarantinePolicy
  /** Files that came in since so many days are judged again when signatures change. 0: none. */
  rescanDays: number
  /** For so long an engine's verdict serves for the same bytes, while its signatures stay the same. 0: never. */
  reuseVerdictHours: number
  /** Files that agents and bots send: passed over, or fetched, judged and recorded as the customer's are when they are pulled. */
  agentFiles: 'ignore' | 'record'
  /** What is another for files that come through one deployment of Web Messaging, by its id. */
  deployments: Record<string, DeploymentPolicy>
}

export type DeploymentPolicy = Pick<Policy, 'maxFileBytes' | 'allowedTypes' | 'strictness'>

/** The policy for files of a deployment; null: of none that is known. */
export function policyFor(policy: Policy, deploymentId: string | null): Policy {
  const own = deploymentId === null ? undefined : policy.deployments[deploymentId]
  return own ? { ...policy, ...own } : policy
}

/** The largest file that any part of the policy lets in, in bytes. */
export function largestFile({ maxFileBytes, deployments }: Policy): number {
  return Math.max(maxFileBytes, ...Object.values(deployments).map((own) => own.maxFileBytes))
}

/** What is kept that is not accepted: sealed, and never served. All the rest is thrown away. */
export interface QuarantinePolicy {
  /** Refused for one of these: it waits for a person. */
  codes: RefusalCode[]
  /** An engine has no verdict: it waits until it has, instead of being sent again. */
  engineDown: boolean
  /** It is destroyed after so many. */
  days: number
  /** Whether two persons must agree before it is released. */
  secondPerson: boolean
}

/** As everybody may read it. */
export function toldPolicy(policy: Policy) {
  const { keep, quarantine, rescanDays, agentFiles, deployments } = policy
  return {
    ...toldFiles(policy),
    keep,
    quarantine: { ...quarantine },
    rescanDays,
    agentFiles,
    deployments: Object.fromEntries(Object.entries(deployments).map(([id, own]) => [id, toldFiles(own)])),
  }
}

function toldFiles({ maxFileBytes, allowedTypes, strictness: { limits, trailingData } }: DeploymentPolicy) {
  const types = allowedTypes.map((type) => ({
    type,
    endings: [...endingsOf(type)],
    inspected: readableTypes.includes(type),
  }))
  return { maxFileBytes, allowedTypes, types, trailingData, limits: { ...limits } }
}

/** What the sender says that the file is. */
type Claims = Pick<Arrival, 'filename' | 'declaredType'>

/**
 * Does this file keep to the policy, and do its name, its declared type and its content say the same?
 * Throws `Refused`.
 */
export function checkPolicy(
  policy: Pick<Policy, 'maxFileBytes' | 'allowedTypes'>,
  arrival: Claims,
  file: Spooled,
): void {
  if (file.tooLarge)
    throw new Refused('too_large', `File size exceeds maximum allowed size of ${policy.maxFileBytes} bytes.`)
  if (file.size === 0) throw new Refused('empty', 'The file has no bytes.')
  if (!policy.allowedTypes.includes(arrival.declaredType))
    throw new Refused(
      'type_not_allowed',
      `MIME type '${arrival.declaredType}' is not allowed. Allowed types: ${policy.allowedTypes.join(', ')}`,
    )
  checkName(arrival)
  if (!couldBe(file.type, arrival.declaredType))
    throw new Refused(
      'type_mismatch',
      `Declared as ${arrival.declaredType}, but the content is ${file.type ?? 'of no known type'}.`,
    )
}

/** Could a file that is announced so be taken? Its bytes are judged when they come. Throws `Refused`. */
export function checkAnnounced(
  { maxFileBytes, allowedTypes }: Pick<Policy, 'maxFileBytes' | 'allowedTypes'>,
  { size, ...claims }: Claims & { size: number },
): void {
  if (size > maxFileBytes)
    throw new Refused('too_large', `File size exceeds maximum allowed size of ${maxFileBytes} bytes.`)
  if (size === 0) throw new Refused('empty', 'The file has no bytes.')
  if (!allowedTypes.includes(claims.declaredType))
    throw new Refused('type_not_allowed', `File type ${claims.declaredType} not supported`)
  checkName(claims)
}

/** The platform asks for an ending too (FACTS 4), so a name without one says nothing that could agree. */
function checkName({ filename, declaredType }: Claims): void {
  const allowed = endingsOf(declaredType)
  const { last, inner } = endingsIn(filename)
  const strange = last.find((ending) => !allowed.has(ending))
  if (strange !== undefined)
    throw new Refused(
      'type_mismatch',
      strange === ''
        ? `Declared as ${declaredType}, but the name has no ending.`
        : `Declared as ${declaredType}, but the name ends in .${strange}.`,
    )
  const hidden = inner.find(isDangerous)
  if (hidden !== undefined) throw new Refused('type_mismatch', `The name hides the ending .${hidden}.`)
}
