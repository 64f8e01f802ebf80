import { canonicalType } from '../../intake/types.ts'
import type { Deployment, Profile } from './settings.ts'

/**
 * `only_there`: the platform lets it in, so the agent may have it, and we refuse it. `only_here`: we would take it, and the
 * platform drops it. `larger_there`, `smaller_there`: the same of a size. `off_there`: the deployment takes no files.
 */
export const differenceKinds = ['only_there', 'only_here', 'larger_there', 'smaller_there', 'off_there'] as const

export interface Difference {
  kind: (typeof differenceKinds)[number]
  /** A profile's or a deployment's name and id. */
  where: string
  says: string
}

/** Sizes in bytes; types by their canonical names, without wildcards. */
export interface OurPolicy {
  maxFileBytes: number
  allowedTypes: string[]
}

/** What the platform takes and we do not, and the other way round. Empty: they agree. */
export function differencesOf(
  policy: OurPolicy,
  { profiles, deployments }: { profiles: Profile[]; deployments: Deployment[] },
): Difference[] {
  return [
    ...profiles.flatMap((profile) => typesOf(policy, profile.inbound, `profile ${shown(profile)}`)),
    ...deployments.flatMap((deployment) => uploadsOf(policy, deployment)),
  ]
}

const shown = ({ id, name }: { id: string; name: string }) => (name === '' ? id : `"${name}" (${id})`)

function typesOf({ allowedTypes }: OurPolicy, types: string[], where: string): Difference[] {
  const theirs = types.map((type) => (type.includes('*') ? type.toLowerCase() : canonicalType(type)))
  const onlyThere = theirs
    .filter((type) => !allowedTypes.includes(type))
    .map((type): Difference => {
      const what = type === '*/*' ? 'every type' : type.endsWith('/*') ? `every type ${type}` : type
      const others = type.includes('*') ? ', of which we take only what we name' : ', which we refuse'
      return { kind: 'only_there', where, says: `Genesys Cloud lets in ${what}${others}` }
    })
  const onlyHere = allowedTypes
    .filter((type) => !theirs.some((theirs) => covers(theirs, type)))
    .map((type): Difference => {
      return { kind: 'only_here', where, says: `Genesys Cloud refuses ${type}, which we take` }
    })
  return [...onlyThere, ...onlyHere]
}

function covers(pattern: string, type: string): boolean {
  return pattern === '*/*' || pattern === type || (pattern.endsWith('/*') && type.startsWith(pattern.slice(0, -1)))
}

/** The documented limit of Web Messaging, in bytes: 10240 KB. It holds where a deployment does not name one of its own. */
const documentedLimit = 10_240 * 1024

/**
 * The `modes` hold only for a deployment that does not say whether attachments are enabled. Whether a KB is 1,000 or 1,024
 * bytes is unconfirmed (the mobile SDK divides by 1,000), so sizes that lie between the two are no difference.
 */
function uploadsOf(policy: OurPolicy, deployment: Deployment): Difference[] {
  const where = `deployment ${shown(deployment)}`
  const { attachments, modes } = deployment
  if (attachments === false) return [{ kind: 'off_there', where, says: 'it takes no files at all' }]
  const types = attachments === null && modes.length > 0 ? modes.flatMap((mode) => mode.types) : null
  const kilobytes = Math.max(...modes.map(({ maxKilobytes }) => maxKilobytes))
  const limit = types
    ? { least: kilobytes * 1000, most: kilobytes * 1024 }
    : { least: documentedLimit, most: documentedLimit }
  return [...(types ? typesOf(policy, types, where) : []), ...sizesOf(policy.maxFileBytes, limit, where)]
}

function sizesOf(ours: number, theirs: { least: number; most: number }, where: string): Difference[] {
  const told = `${theirs.most} bytes; we take up to ${ours}`
  if (ours < theirs.least)
    return [
      { kind: 'larger_there', where, says: `Genesys Cloud lets in files of up to ${told}, and refuse larger ones` },
    ]
  if (ours > theirs.most)
    return [{ kind: 'smaller_there', where, says: `Genesys Cloud refuses files of more than ${told}` }]
  return []
}
