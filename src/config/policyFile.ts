import { readFileSync } from 'node:fs'
import { distance } from 'fastest-levenshtein'
import { z } from 'zod'
import { refusalCodes } from '../errors.ts'
import { defaultLimits, type Limits } from '../intake/inspect/limits.ts'
import type { DeploymentPolicy, Policy, QuarantinePolicy } from '../intake/policy.ts'
import { canonicalType } from '../intake/types.ts'
import { isMimeType } from './kinds.ts'

const mostOf: Limits = {
  pixels: 2 ** 32,
  frames: 1_000_000,
  framePixels: 2 ** 40,
  scans: 10_000,
  pages: 1_000_000,
  entries: 1_000_000,
  depth: 16,
  unpackedEntry: 2 ** 40,
  unpacked: 2 ** 40,
  ratio: 1_000_000,
}

const count = (most: number) => z.number().int().min(1).max(most)
const limits = Object.fromEntries(Object.entries(mostOf).map(([name, most]) => [name, count(most).optional()])) as {
  [Name in keyof Limits]: z.ZodOptional<z.ZodNumber>
}

const mimeType = z.string().transform(canonicalType).refine(isMimeType, 'must be a MIME type such as image/jpeg')

/** Why a file that has bytes can be refused. */
const keepable = refusalCodes.filter((code) => code !== 'too_large' && code !== 'empty')

/** What is kept of files that are not accepted, unless the policy says more: nothing. */
const defaultQuarantine: QuarantinePolicy = { codes: [], engineDown: false, days: 30, secondPerson: false }
const defaultRescanDays = 7
const defaultReuseVerdictHours = 24

const allowedTypes = z
  .array(mimeType)
  .min(1)
  .transform((types) => [...new Set(types)])
  .optional()
const limitsShape = z
  .strictObject(limits)
  .transform((given) => given as Partial<Limits>)
  .optional()

/** What may be another for one deployment. */
const deployment = z.strictObject({ maxFileBytes: count(2 ** 40).optional(), allowedTypes, limits: limitsShape })

/** A policy in a file. What it does not name is as the settings say, or as it is by default. */
const shape = z.strictObject({
  maxFileBytes: count(2 ** 40).optional(),
  allowedTypes,
  trailingData: z.enum(['refuse', 'cut']).optional(),
  // JSON has no undefined: what is not named is not there.
  keep: z.enum(['original', 'safe_copy']).optional(),
  quarantine: z
    .strictObject({
      codes: z.array(z.enum(keepable, { error: `must be out of ${keepable.join(', ')}` })).optional(),
      engineDown: z.boolean().optional(),
      days: count(3650).optional(),
      secondPerson: z.boolean().optional(),
    })
    .optional(),
  agentFiles: z.enum(['ignore', 'record']).optional(),
  rescanDays: z.number().int().min(0).max(3650).optional(),
  reuseVerdictHours: z.number().int().min(0).max(720).optional(),
  limits: limitsShape,
  deployments: z.record(z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'is no id of a deployment'), deployment).optional(),
})

export type PolicyFile = z.output<typeof shape>

/** The whole policy: what the file says, else what the settings say, else as it is by default. */
export function policyOf(
  file: PolicyFile | undefined,
  settings: Pick<Policy, 'maxFileBytes' | 'allowedTypes'>,
): Policy {
  const files = {
    maxFileBytes: file?.maxFileBytes ?? settings.maxFileBytes,
    allowedTypes: file?.allowedTypes ?? settings.allowedTypes,
    strictness: {
      limits: { ...defaultLimits, ...file?.limits },
      trailingData: file?.trailingData ?? ('refuse' as const),
    },
  }
  const ofDeployment = (own: z.output<typeof deployment>): DeploymentPolicy => ({
    maxFileBytes: own.maxFileBytes ?? files.maxFileBytes,
    allowedTypes: own.allowedTypes ?? files.allowedTypes,
    strictness: { ...files.strictness, limits: { ...files.strictness.limits, ...own.limits } },
  })
  return {
    ...files,
    keep: file?.keep ?? 'original',
    quarantine: {
      codes: file?.quarantine?.codes ?? defaultQuarantine.codes,
      engineDown: file?.quarantine?.engineDown ?? defaultQuarantine.engineDown,
      days: file?.quarantine?.days ?? defaultQuarantine.days,
      secondPerson: file?.quarantine?.secondPerson ?? defaultQuarantine.secondPerson,
    },
    agentFiles: file?.agentFiles ?? 'ignore',
    rescanDays: file?.rescanDays ?? defaultRescanDays,
    reuseVerdictHours: file?.reuseVerdictHours ?? defaultReuseVerdictHours,
    deployments: Object.fromEntries(
      Object.entries(file?.deployments ?? {}).map(([id, own]) => [id, ofDeployment(own)]),
    ),
  }
}

/** Reads the file that `POLICY_FILE` names. Every problem of it is told, each with where it is. */
export function policyFile(path: string, context: z.RefinementCtx): PolicyFile {
  const problem = (message: string) => context.addIssue({ code: 'custom', message: `the path of a policy: ${message}` })
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    problem(`it cannot be read: ${(error as Error).message}`)
    return z.NEVER
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    problem(`${path} is no JSON: ${(error as Error).message}`)
    return z.NEVER
  }
  const parsed = shape.safeParse(value)
  if (parsed.success) {
    const { keep, quarantine } = parsed.data
    // What a person lets through is what came, and never a copy of it.
    if (keep === 'safe_copy' && (quarantine?.codes?.length || quarantine?.engineDown))
      problem(`${path}: quarantine keeps files as they came, which keep: safe_copy forbids.`)
    return parsed.data
  }
  for (const issue of parsed.error.issues) problem(`${path}: ${said(issue)}`)
  return z.NEVER
}

function said(issue: z.core.$ZodIssue): string {
  const where = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') return `${where === '' ? 'it' : where}: ${issue.message}`
  const known = [...Object.keys(shape.shape), ...Object.keys(defaultLimits), ...Object.keys(defaultQuarantine)]
  const [key = ''] = issue.keys
  const nearest = known.reduce((best, name) => (distance(name, key) < distance(best, key) ? name : best))
  return `${[where, key].filter(Boolean).join('.')} is not known. Did you mean ${nearest}?`
}
