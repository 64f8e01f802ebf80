import { join, resolve } from 'node:path'
import { inspect } from 'node:util'
import type { Way } from './attachment.ts'
import { rawValue, unknownNames } from './config/environment.ts'
import type { AlertKind, ApiKey, Role } from './config/kinds.ts'
import { policyOf } from './config/policyFile.ts'
import { contradictions, isLoopback, mayPull, mayPush, missingToServe } from './config/rules.ts'
import { prefix, type SettingName, settings, type Values } from './config/settings.ts'
import { ConfigError } from './errors.ts'
import type { Policy } from './intake/policy.ts'
import type { KeySettings } from './keys/settings.ts'
import type { EngineSettings } from './scan/settings.ts'
import type { S3Place } from './storage/s3/address.ts'
import type { logLevels } from './telemetry/log.ts'

/** Frozen, grouped, typed. Sizes are in bytes. */
export interface Config {
  http: {
    host: string
    port: number
    publicUrl: string
    /** Where files are served to browsers. Null: under the public address. */
    filesUrl: string | null
    docs: 'open' | 'read'
    trustedProxies: string[]
    /** Origins that may show the widget in a frame. */
    frameAncestors: string[]
    /** From being asked to end, and unready, to closing. */
    stopDelayMs: number
  }
  roles: Role[]
  dataDir: string
  /** Where the records are: in the data folder, or in the database that the secret address names. */
  database: 'sqlite' | 'postgres'
  /** Where sealed files are: in the data folder, or in an S3 store. Its credentials are none of our settings. */
  storage: { kind: 'fs' } | ({ kind: 's3' } & S3Place)
  masterKeys: KeySettings
  migrate: 'auto' | 'off'
  push: { auth: 'keys' | 'none'; maxUploads: number; corsOrigins: string[]; ratePerMinute: number | null }
  quota: { filesPerDay: number | null; bytesPerDay: number | null }
  policy: Policy
  scan: 'required' | 'off'
  engines: EngineSettings
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
  people: {
    /** Null: nobody signs in by the platform. */
    login: {
      clientId: string
      organizationId: string
      /** Any of them makes an admin. */
      adminPermissions: string[]
      loginUrl: string
      apiUrl: string
    } | null
    /** Who is given files as they came, and not only their safe copies. */
    originals: 'admins' | 'everyone'
    /** Longest life of a session. */
    sessionMs: number
  }
  pull: { queues: string[]; downloadHosts: string[] }
  /** Null: no client connects through us. */
  gateway: {
    deployments: string[]
    domain: string
    guestUrl: string
    apiUrl: string
    cdnUrl: string
    uploadHosts: string[]
    /** Origins that were set in place of the platform's. */
    exemptOrigins: string[]
  } | null
  /** Null: nobody is told of files but by the log and the metrics. */
  alert: { webhook: string; on: AlertKind[] } | null
  confirm: { ways: Way[]; language: string; textsDir: string | null }
  retentionDays: number | null
  /** Every stored file is read, and proved, within so many days. Null: never. */
  scrubDays: number | null
  logLevel: (typeof logLevels)[number]
}

/** Kept apart from the settings that a log line or a page may show. Serialises to nothing. */
export interface Secrets {
  /** It may have a password. */
  databaseUrl: string | null
  /** The text of a key file. Null: the master keys come from elsewhere. */
  masterKey: string | null
  apiKeys: ApiKey[]
  pushSigningSecrets: string[]
  genesysClientSecret: string | null
  genesysUserClientSecret: string | null
  genesysLoginClientSecret: string | null
  alertWebhookSecret: string | null
  scanHttpToken: string | null
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
    ROLES: config.roles,
    PUSH_AUTH: auth === 'none' ? auth : undefined,
    API_KEYS: apiKeys,
    PUSH_SIGNING_SECRETS: pushSigningSecrets,
    PULL_QUEUES: config.pull.queues,
    GENESYS_CLIENT_ID: config.genesys?.clientId,
    GATEWAY_DEPLOYMENTS: config.gateway?.deployments ?? [],
    SCAN: config.scan,
    CLAMD: config.engines.clamd ?? undefined,
    ICAP_URL: config.engines.icap ?? undefined,
    SCAN_COMMAND: config.engines.command ?? undefined,
    SCAN_HTTP_URL: config.engines.http?.url,
  })
  if (problems.length > 0) throw new ConfigError(problems)
}

/** Whether anybody could push: without, the push door is not there. */
export function isPushOpen(config: Config, { apiKeys, pushSigningSecrets }: Secrets): boolean {
  return config.push.auth === 'none' || mayPush(apiKeys, pushSigningSecrets)
}

/** Whether files are pulled: somebody may ask for it, or queues are listened to, and the platform can be asked. */
export function isPullOpen(config: Config, { apiKeys, genesysClientSecret }: Secrets): boolean {
  if (config.genesys === null || genesysClientSecret === null) return false
  return mayPull(apiKeys, config.pull.queues) || (config.gateway !== null && config.policy.agentFiles === 'record')
}

function toConfig(values: Values): Config {
  const dataDir = resolve(values.DATA_DIR)
  const address = values.HOST.includes(':') ? `[${values.HOST}]` : values.HOST
  return deepFrozen({
    http: {
      host: values.HOST,
      port: values.PORT,
      publicUrl: values.PUBLIC_URL ?? `http://${address}:${values.PORT}`,
      filesUrl: values.FILES_URL ?? null,
      trustedProxies: values.TRUSTED_PROXIES,
      frameAncestors: values.FRAME_ANCESTORS ?? [`https://apps.${values.GENESYS_DOMAIN}`],
      docs: values.DOCS ?? (isLoopback(values.HOST) ? 'open' : 'read'),
      stopDelayMs: values.STOP_DELAY_SECONDS * 1000,
    },
    roles: values.ROLES,
    dataDir,
    database: values.DATABASE_URL === undefined ? 'sqlite' : 'postgres',
    storage: values.STORAGE_URL === undefined ? { kind: 'fs' } : { kind: 's3', ...values.STORAGE_URL },
    masterKeys: keySettings(values, dataDir),
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
    policy: policyOf(values.POLICY_FILE, { maxFileBytes: values.MAX_FILE_BYTES, allowedTypes: values.ALLOWED_TYPES }),
    scan: values.SCAN,
    engines: {
      clamd: values.CLAMD ?? null,
      icap: values.ICAP_URL ?? null,
      command: values.SCAN_COMMAND ?? null,
      http: values.SCAN_HTTP_URL === undefined ? null : { url: values.SCAN_HTTP_URL },
    },
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
    people: {
      login:
        values.GENESYS_LOGIN_CLIENT_ID === undefined || values.GENESYS_ORGANIZATION_ID === undefined
          ? null
          : {
              clientId: values.GENESYS_LOGIN_CLIENT_ID,
              organizationId: values.GENESYS_ORGANIZATION_ID,
              adminPermissions: values.ADMIN_PERMISSIONS,
              loginUrl: values.GENESYS_LOGIN_URL ?? `https://login.${values.GENESYS_DOMAIN}`,
              apiUrl: values.GENESYS_API_URL ?? `https://api.${values.GENESYS_DOMAIN}`,
            },
      originals: values.ORIGINALS,
      sessionMs: values.SESSION_MINUTES * 60_000,
    },
    pull: { queues: values.PULL_QUEUES, downloadHosts: values.DOWNLOAD_HOSTS },
    gateway:
      values.GATEWAY_DEPLOYMENTS.length === 0
        ? null
        : {
            deployments: values.GATEWAY_DEPLOYMENTS,
            domain: values.GENESYS_DOMAIN,
            guestUrl: values.GENESYS_GUEST_URL ?? `wss://webmessaging.${values.GENESYS_DOMAIN}/v1`,
            apiUrl: values.GENESYS_API_URL ?? `https://api.${values.GENESYS_DOMAIN}`,
            cdnUrl: values.GENESYS_CDN_URL ?? `https://api-cdn.${values.GENESYS_DOMAIN}`,
            uploadHosts: values.UPLOAD_HOSTS,
            exemptOrigins: exemptOrigins(values),
          },
    alert: values.ALERT_WEBHOOK === undefined ? null : { webhook: values.ALERT_WEBHOOK, on: values.ALERT_ON },
    confirm: { ways: values.CONFIRM, language: values.LANGUAGE, textsDir: values.TEXTS_DIR ?? null },
    retentionDays: values.RETENTION_DAYS ?? null,
    scrubDays: values.SCRUB_DAYS,
    logLevel: values.LOG_LEVEL,
  })
}

function keySettings(values: Values, dataDir: string): KeySettings {
  if (values.MASTER_KEY !== undefined) return { from: 'environment' }
  if (values.MASTER_KEY_COMMAND) return { from: 'command', command: values.MASTER_KEY_COMMAND }
  const path = values.MASTER_KEY_FILE ? resolve(values.MASTER_KEY_FILE) : join(dataDir, 'keys', 'master.key')
  return { from: 'file', path, kms: values.MASTER_KEY_KMS ?? null }
}

function exemptOrigins(values: Values): string[] {
  const { GENESYS_LOGIN_URL, GENESYS_API_URL, GENESYS_GUEST_URL, GENESYS_CDN_URL } = values
  const set = [GENESYS_LOGIN_URL, GENESYS_API_URL, GENESYS_GUEST_URL, GENESYS_CDN_URL]
  const urls = set
    .filter((url): url is string => url !== undefined && URL.canParse(url))
    .map((url) => new URL(url.replace(/^ws/, 'http')))
  return [...new Set(urls.map(({ origin }) => origin).filter((origin) => origin !== 'null'))]
}

function deepFrozen<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFrozen(part)
  return Object.freeze(value)
}

function toSecrets(values: Values): Secrets {
  const secrets = {
    databaseUrl: values.DATABASE_URL ?? null,
    masterKey: values.MASTER_KEY ?? null,
    apiKeys: values.API_KEYS,
    pushSigningSecrets: values.PUSH_SIGNING_SECRETS,
    genesysClientSecret: values.GENESYS_CLIENT_SECRET ?? null,
    genesysUserClientSecret: values.GENESYS_USER_CLIENT_SECRET ?? null,
    genesysLoginClientSecret: values.GENESYS_LOGIN_CLIENT_SECRET ?? null,
    alertWebhookSecret: values.ALERT_WEBHOOK_SECRET ?? null,
    scanHttpToken: values.SCAN_HTTP_TOKEN ?? null,
  }
  const hidden = { value: () => '[secrets]' }
  return Object.defineProperties(secrets, { toJSON: hidden, [inspect.custom]: hidden })
}
