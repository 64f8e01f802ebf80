import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { inspect } from 'node:util'
import { distance } from 'fastest-levenshtein'
import { z } from 'zod'
import { ways as allWays, type Way } from './attachment.ts'
import {
  type AlertKind,
  type ApiKey,
  alertKinds,
  apiKeys,
  clamdAddress,
  hostPatterns,
  httpUrl,
  isAlertKind,
  list,
  mimeTypes,
  oneOf,
  origins,
  platformIds,
  proxies,
  signingSecrets,
  wholeNumber,
} from './configKinds.ts'
import { policyFile } from './configPolicy.ts'
import { ConfigError } from './errors.ts'
import { defaultLimits, type Strictness } from './intake/inspect/limits.ts'
import { logLevels } from './telemetry/log.ts'

const prefix = 'CLIPGATE_'

const isWay = (name: string): name is Way => (allWays as readonly string[]).includes(name)

/** Every setting: what it must be, and what it is when it is not set. The contract's table says what each means. */
const settings = {
  HOST: z.string().default('127.0.0.1'),
  PORT: wholeNumber(0, 65535).default(8080),
  PUBLIC_URL: httpUrl.optional(),
  DATA_DIR: z.string().default('./data'),
  MASTER_KEY_FILE: z.string().optional(),
  API_KEYS: apiKeys.default([]),
  PUSH_SIGNING_SECRETS: signingSecrets.default([]),
  CORS_ORIGINS: origins.default([]),
  PUSH_AUTH: oneOf('none').optional(),
  ALLOWED_TYPES: mimeTypes.default(['image/jpeg', 'image/png', 'image/gif', 'application/pdf', 'text/plain']),
  MAX_FILE_BYTES: wholeNumber(1, 2 ** 40).default(10 * 1024 * 1024),
  POLICY_FILE: z.string().transform(policyFile).optional(),
  MAX_UPLOADS: wholeNumber(1, 10_000).default(256),
  RATE_LIMIT: wholeNumber(1, 1_000_000).optional(),
  QUOTA_BYTES_PER_CONVERSATION_DAY: wholeNumber(1, 2 ** 50).optional(),
  QUOTA_FILES_PER_CONVERSATION_DAY: wholeNumber(1, 1_000_000).optional(),
  TRUSTED_PROXIES: proxies.default([]),
  SCAN: oneOf('required', 'off').default('required'),
  CLAMD: clamdAddress.optional(),
  GENESYS_DOMAIN: z
    .string()
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, "a region's domain such as mypurecloud.ie")
    .default('mypurecloud.com'),
  GENESYS_CLIENT_ID: z.string().optional(),
  GENESYS_CLIENT_SECRET: z.string().optional(),
  GENESYS_USER_CLIENT_ID: z.string().optional(),
  GENESYS_USER_CLIENT_SECRET: z.string().optional(),
  GENESYS_LOGIN_URL: httpUrl.optional(),
  GENESYS_API_URL: httpUrl.optional(),
  // Of no effect until the gateway is there; known, so that the four overrides can always be given together.
  GENESYS_GUEST_URL: z.string().optional(),
  GENESYS_CDN_URL: z.string().optional(),
  GENESYS_REQUESTS_PER_MINUTE: wholeNumber(1, 100_000).default(270),
  PULL_QUEUES: platformIds.default([]),
  DOWNLOAD_HOSTS: hostPatterns.default([]),
  // As it is: a slash at its end is a part of it.
  ALERT_WEBHOOK: z.url({ protocol: /^https?$/, error: 'an address that begins with http:// or https://' }).optional(),
  ALERT_WEBHOOK_SECRET: z
    .string()
    .regex(/^[\x21-\x7e]{20,}$/, 'at least 20 visible characters')
    .optional(),
  ALERT_ON: list
    .refine((kinds) => kinds.length > 0 && kinds.every((kind) => isAlertKind(kind)), `out of ${alertKinds.join(', ')}`)
    .transform((kinds) => [...new Set(kinds)].filter(isAlertKind))
    .default(['refused']),
  CONFIRM: list
    .refine(
      (ways) => ways.length > 0 && (ways.join() === 'off' || ways.every((way) => isWay(way))),
      `off, or ways out of ${allWays.join(', ')}`,
    )
    .transform((ways) => (ways.join() === 'off' ? [] : [...new Set(ways)].filter(isWay)))
    .default(['message', 'attributes']),
  LANGUAGE: z
    .string()
    .regex(/^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$/, 'a language such as en or pt-BR')
    .default('en'),
  TEXTS_DIR: z.string().optional(),
  RETENTION_DAYS: wholeNumber(1, 36_500).optional(),
  DOCS: oneOf('open', 'read').optional(),
  LOG_LEVEL: oneOf(...logLevels).default('info'),
  MIGRATE: oneOf('auto', 'off').default('auto'),
  ROLES: oneOf('all').default('all'),
} as const

type SettingName = keyof typeof settings
type Values = { [Name in SettingName]: z.output<(typeof settings)[Name]> }

const secretSettings: SettingName[] = [
  'API_KEYS',
  'PUSH_SIGNING_SECRETS',
  'GENESYS_CLIENT_SECRET',
  'GENESYS_USER_CLIENT_SECRET',
  'ALERT_WEBHOOK_SECRET',
]

/** Settings of the contract that this version does not have: setting one is an error, since silence would deceive. */
const notYet = (
  'FILES_URL DATABASE_URL STORAGE_URL ICAP_URL SCAN_COMMAND SCAN_HTTP_URL ' +
  'UPLOAD_HOSTS GATEWAY_DEPLOYMENTS ' +
  'FRAME_ANCESTORS'
).split(' ')

/** Frozen, grouped, typed. Sizes are in bytes. */
export interface Config {
  http: { host: string; port: number; publicUrl: string; docs: 'open' | 'read'; trustedProxies: string[] }
  dataDir: string
  masterKeyFile: string
  migrate: 'auto' | 'off'
  push: { auth: 'keys' | 'none'; maxUploads: number; corsOrigins: string[]; ratePerMinute: number | null }
  quota: { filesPerDay: number | null; bytesPerDay: number | null }
  policy: { maxFileBytes: number; allowedTypes: string[]; strictness: Strictness; keep: 'original' | 'safe_copy' }
  scan: 'required' | 'off'
  engines: { clamd: { path: string } | { host: string; port: number } | null }
  /** Null: without credentials nothing is confirmed. */
  genesys: {
    clientId: string
    domain: string
    loginUrl: string
    apiUrl: string
    /** Origins that were set in place of the platform's: no https and no public address is asked of them. */
    exemptOrigins: string[]
    requestsPerMinute: number
    /** Null: no service user sends messages. */
    user: { clientId: string; tokenFile: string } | null
  } | null
  pull: { queues: string[]; downloadHosts: string[] }
  /** Null: nobody is told of files but by the log and the metrics. */
  alert: { webhook: string; on: AlertKind[] } | null
  confirm: { ways: Way[]; language: string; textsDir: string | null }
  retentionDays: number | null
  logLevel: (typeof logLevels)[number]
}

/** Kept apart from the settings that a log line or a page may show. Serialises to nothing. */
export interface Secrets {
  apiKeys: ApiKey[]
  pushSigningSecrets: string[]
  genesysClientSecret: string | null
  genesysUserClientSecret: string | null
  alertWebhookSecret: string | null
}

/**
 * The only reader of the environment. Throws `ConfigError` with every problem at once; `toServe`: with those too that only
 * `serve` has. `X_FILE` gives a secret `X` from a file, without the line break at its end.
 */
export function readConfig(
  env: Record<string, string | undefined>,
  { toServe = false } = {},
): { config: Config; secrets: Secrets } {
  const problems = unknownNames(env)
  const values: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(settings)) {
    const raw = rawValue(env, name as SettingName, problems)
    const parsed = schema.safeParse(raw)
    if (parsed.success) values[name] = parsed.data
    else
      for (const { message } of parsed.error.issues)
        problems.push(`${prefix}${name} must be ${message}.`.replace('must be key', 'key'))
  }
  problems.push(...contradictions(values as Partial<Values>, env))
  if (toServe) problems.push(...missingToServe(values as Partial<Values>))
  const read = values as Values
  if (problems.length > 0) throw new ConfigError(problems)
  return { config: toConfig(read), secrets: toSecrets(read) }
}

/** What `serve` needs beyond well-formed settings. Throws `ConfigError`. */
export function requireServable(config: Config, { apiKeys, pushSigningSecrets }: Secrets): void {
  const { auth } = config.push
  const problems = missingToServe({
    PUSH_AUTH: auth === 'none' ? auth : undefined,
    API_KEYS: apiKeys,
    PUSH_SIGNING_SECRETS: pushSigningSecrets,
    PULL_QUEUES: config.pull.queues,
    GENESYS_CLIENT_ID: config.genesys?.clientId,
    SCAN: config.scan,
    CLAMD: config.engines.clamd ?? undefined,
  })
  if (problems.length > 0) throw new ConfigError(problems)
}

/** One that is malformed is left out: it has been told, and may be what is missing. */
function missingToServe(values: Partial<Values>): string[] {
  const problems: string[] = []
  const { API_KEYS: apiKeys, PUSH_SIGNING_SECRETS: signingSecrets, PULL_QUEUES: queues, SCAN: scan } = values
  const pushes = apiKeys && signingSecrets && (values.PUSH_AUTH === 'none' || mayPush(apiKeys, signingSecrets))
  const pulls = apiKeys && queues && values.GENESYS_CLIENT_ID !== undefined && mayPull(apiKeys, queues)
  if (apiKeys && signingSecrets && queues && !pushes && !pulls)
    problems.push(
      `No door is configured. Set ${prefix}API_KEYS to a key with the scope push, ${prefix}PUSH_SIGNING_SECRETS, or ` +
        `${prefix}PUSH_AUTH=none on a loopback host; or, to pull, credentials of Genesys Cloud with ${prefix}PULL_QUEUES ` +
        `or a key with the scope pull.`,
    )
  if (scan === 'required' && values.CLAMD === undefined)
    problems.push(
      `No scan engine is configured, and ${prefix}SCAN is required. Two ways out: configure an engine (${prefix}CLAMD; ` +
        `${prefix}ICAP_URL, ${prefix}SCAN_COMMAND and ${prefix}SCAN_HTTP_URL are not there yet), or take ` +
        `files unscanned with ${prefix}SCAN=off, which is shown on each record and in /health/ready.`,
    )
  return problems
}

/** Whether anybody could push: without, the push door is not there. */
export function isPushOpen(config: Config, { apiKeys, pushSigningSecrets }: Secrets): boolean {
  return config.push.auth === 'none' || mayPush(apiKeys, pushSigningSecrets)
}

function mayPush(apiKeys: ApiKey[], signingSecrets: string[]): boolean {
  return signingSecrets.length > 0 || apiKeys.some((key) => key.scopes.includes('push'))
}

/** Whether files are pulled: somebody may ask for it, or queues are listened to, and the platform can be asked. */
export function isPullOpen(config: Config, { apiKeys, genesysClientSecret }: Secrets): boolean {
  return mayPull(apiKeys, config.pull.queues) && config.genesys !== null && genesysClientSecret !== null
}

function mayPull(apiKeys: ApiKey[], queues: string[]): boolean {
  return queues.length > 0 || apiKeys.some((key) => key.scopes.includes('pull'))
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function unknownNames(env: Record<string, string | undefined>): string[] {
  const known = [...Object.keys(settings), ...secretSettings.map((name) => `${name}_FILE`)]
  const problems: string[] = []
  for (const full of Object.keys(env).filter((name) => name.startsWith(prefix))) {
    const name = full.slice(prefix.length)
    if (known.includes(name) || isKubernetesService(name) || env[full] === '') continue
    if (notYet.includes(name.replace(/_FILE$/, ''))) {
      problems.push(`${full} is not available in this version yet. Remove it.`)
      continue
    }
    const asked = name.toUpperCase()
    const nearest = known.reduce((best, candidate) =>
      distance(candidate, asked) < distance(best, asked) ? candidate : best,
    )
    problems.push(`${full} is not a setting. Did you mean ${prefix}${nearest}?`)
  }
  return problems
}

/** Kubernetes injects such variables into every pod for a Service that is named clipgate. */
function isKubernetesService(name: string): boolean {
  return /(^|_)SERVICE_HOST$|(^|_)SERVICE_PORT(_|$)|(^|_)PORT_/.test(name)
}

function rawValue(env: Record<string, string | undefined>, name: SettingName, problems: string[]): string | undefined {
  const raw = env[prefix + name] || undefined
  if (name === 'PORT' && raw?.startsWith('tcp://')) {
    problems.push(
      `${prefix}PORT is ${raw}: Kubernetes set it for a Service of that name. Set enableServiceLinks: false in the pod, or ${prefix}PORT to a number.`,
    )
    return undefined
  }
  if (!secretSettings.includes(name)) return raw
  const path = env[`${prefix}${name}_FILE`]
  if (!path) return raw
  if (raw !== undefined) {
    problems.push(`${prefix}${name} and ${prefix}${name}_FILE are both set. Keep one.`)
    return undefined
  }
  try {
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    if (text === '') problems.push(`${prefix}${name}_FILE names a file that is empty.`)
    return text || undefined
  } catch (error) {
    problems.push(`${prefix}${name}_FILE cannot be read: ${(error as Error).message}`)
    return undefined
  }
}

/** Settings that are each well-formed and do not go together. One that is malformed itself is left out: it has been told. */
function contradictions(values: Partial<Values>, env: Record<string, string | undefined>): string[] {
  const problems: string[] = []
  const given = (name: SettingName) => Boolean(env[prefix + name] || env[`${prefix}${name}_FILE`])
  if (values.PUSH_AUTH === 'none' && values.HOST !== undefined && !isLoopback(values.HOST))
    problems.push(
      `${prefix}PUSH_AUTH=none opens the push door to everybody, so ${prefix}HOST must be a loopback address.`,
    )
  if (given('GENESYS_CLIENT_ID') !== given('GENESYS_CLIENT_SECRET'))
    problems.push(`${prefix}GENESYS_CLIENT_ID and ${prefix}GENESYS_CLIENT_SECRET belong together: set both or none.`)
  if (given('GENESYS_USER_CLIENT_ID') && !given('GENESYS_CLIENT_ID'))
    problems.push(
      `${prefix}GENESYS_USER_CLIENT_ID needs ${prefix}GENESYS_CLIENT_ID and ${prefix}GENESYS_CLIENT_SECRET beside it: reading goes by them.`,
    )
  if (given('GENESYS_USER_CLIENT_SECRET') && !given('GENESYS_USER_CLIENT_ID'))
    problems.push(`${prefix}GENESYS_USER_CLIENT_SECRET needs ${prefix}GENESYS_USER_CLIENT_ID.`)
  if (given('ALERT_WEBHOOK') !== given('ALERT_WEBHOOK_SECRET'))
    problems.push(`${prefix}ALERT_WEBHOOK and ${prefix}ALERT_WEBHOOK_SECRET belong together: set both or none.`)
  for (const [name, key] of [
    ['MAX_FILE_BYTES', 'maxFileBytes'],
    ['ALLOWED_TYPES', 'allowedTypes'],
  ] as const)
    if (given(name) && values.POLICY_FILE?.[key] !== undefined)
      problems.push(`${prefix}${name} and ${key} in ${prefix}POLICY_FILE are both set. Keep one.`)
  if (values.PULL_QUEUES && values.PULL_QUEUES.length > 0 && !given('GENESYS_CLIENT_ID'))
    problems.push(`${prefix}PULL_QUEUES needs ${prefix}GENESYS_CLIENT_ID and ${prefix}GENESYS_CLIENT_SECRET.`)
  return problems
}

function toConfig(values: Values): Config {
  const dataDir = resolve(values.DATA_DIR)
  const address = values.HOST.includes(':') ? `[${values.HOST}]` : values.HOST
  return deepFrozen({
    http: {
      host: values.HOST,
      port: values.PORT,
      publicUrl: values.PUBLIC_URL ?? `http://${address}:${values.PORT}`,
      trustedProxies: values.TRUSTED_PROXIES,
      docs: values.DOCS ?? (isLoopback(values.HOST) ? 'open' : 'read'),
    },
    dataDir,
    masterKeyFile: values.MASTER_KEY_FILE ? resolve(values.MASTER_KEY_FILE) : join(dataDir, 'keys', 'master.key'),
    migrate: values.MIGRATE,
    push: {
      auth: values.PUSH_AUTH ?? 'keys',
      maxUploads: values.MAX_UPLOADS,
      corsOrigins: values.CORS_ORIGINS,
      ratePerMinute: values.RATE_LIMIT ?? null,
    },
    quota: {
      filesPerDay: values.QUOTA_FILES_PER_CONVERSATION_DAY ?? null,
      bytesPerDay: values.QUOTA_BYTES_PER_CONVERSATION_DAY ?? null,
    },
    policy: {
      maxFileBytes: values.POLICY_FILE?.maxFileBytes ?? values.MAX_FILE_BYTES,
      allowedTypes: values.POLICY_FILE?.allowedTypes ?? values.ALLOWED_TYPES,
      strictness: {
        limits: { ...defaultLimits, ...values.POLICY_FILE?.limits },
        trailingData: values.POLICY_FILE?.trailingData ?? 'refuse',
      },
      keep: values.POLICY_FILE?.keep ?? 'original',
    },
    scan: values.SCAN,
    engines: { clamd: values.CLAMD ?? null },
    genesys:
      values.GENESYS_CLIENT_ID === undefined
        ? null
        : {
            clientId: values.GENESYS_CLIENT_ID,
            loginUrl: values.GENESYS_LOGIN_URL ?? `https://login.${values.GENESYS_DOMAIN}`,
            apiUrl: values.GENESYS_API_URL ?? `https://api.${values.GENESYS_DOMAIN}`,
            domain: values.GENESYS_DOMAIN,
            exemptOrigins: exemptOrigins(values),
            requestsPerMinute: values.GENESYS_REQUESTS_PER_MINUTE,
            user:
              values.GENESYS_USER_CLIENT_ID === undefined
                ? null
                : { clientId: values.GENESYS_USER_CLIENT_ID, tokenFile: join(dataDir, 'keys', 'genesys-user.json') },
          },
    pull: { queues: values.PULL_QUEUES, downloadHosts: values.DOWNLOAD_HOSTS },
    alert: values.ALERT_WEBHOOK === undefined ? null : { webhook: values.ALERT_WEBHOOK, on: values.ALERT_ON },
    confirm: { ways: values.CONFIRM, language: values.LANGUAGE, textsDir: values.TEXTS_DIR ?? null },
    retentionDays: values.RETENTION_DAYS ?? null,
    logLevel: values.LOG_LEVEL,
  })
}

function exemptOrigins(values: Values): string[] {
  const { GENESYS_LOGIN_URL, GENESYS_API_URL, GENESYS_GUEST_URL, GENESYS_CDN_URL } = values
  const set = [GENESYS_LOGIN_URL, GENESYS_API_URL, GENESYS_GUEST_URL, GENESYS_CDN_URL]
  const urls = set.filter((url): url is string => url !== undefined && URL.canParse(url)).map((url) => new URL(url))
  return [...new Set(urls.map(({ origin }) => origin).filter((origin) => origin !== 'null'))]
}

function deepFrozen<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFrozen(part)
  return Object.freeze(value)
}

function toSecrets(values: Values): Secrets {
  const secrets = {
    apiKeys: values.API_KEYS,
    pushSigningSecrets: values.PUSH_SIGNING_SECRETS,
    genesysClientSecret: values.GENESYS_CLIENT_SECRET ?? null,
    genesysUserClientSecret: values.GENESYS_USER_CLIENT_SECRET ?? null,
    alertWebhookSecret: values.ALERT_WEBHOOK_SECRET ?? null,
  }
  const hidden = { value: () => '[secrets]' }
  return Object.defineProperties(secrets, { toJSON: hidden, [inspect.custom]: hidden })
}
