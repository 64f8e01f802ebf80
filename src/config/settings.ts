import { z } from 'zod'
import { ways as allWays, type Way } from '../attachment.ts'
import { logLevels } from '../telemetry/log.ts'
import {
  alertKinds,
  apiKeys,
  clamdAddress,
  commandLine,
  databaseUrl,
  exactUrl,
  filesUrl,
  frameAncestors,
  guestUrl,
  hostPatterns,
  httpUrl,
  icapAddress,
  isAlertKind,
  list,
  mimeTypes,
  oneOf,
  origins,
  orOff,
  permissions,
  platformIds,
  proxies,
  roleList,
  roles,
  signingSecrets,
  storageUrl,
  wholeNumber,
} from './kinds.ts'
import { policyFile } from './policyFile.ts'

export const prefix = 'CLIPGATE_'

const isWay = (name: string): name is Way => (allWays as readonly string[]).includes(name)

/** Every setting: what it must be, and what it is when it is not set. The contract's table says what each means. */
export const settings = {
  HOST: z.string().default('127.0.0.1'),
  PORT: wholeNumber(0, 65535).default(8080),
  PUBLIC_URL: httpUrl.optional(),
  FILES_URL: filesUrl.optional(),
  DATA_DIR: z.string().default('./data'),
  DATABASE_URL: databaseUrl.optional(),
  STORAGE_URL: storageUrl.optional(),
  MASTER_KEY_FILE: z.string().optional(),
  MASTER_KEY: z.string().optional(),
  MASTER_KEY_COMMAND: commandLine.optional(),
  MASTER_KEY_KMS: z
    .string()
    .regex(/^[A-Za-z0-9:/_-]{1,2048}$/, 'the id, the ARN or the alias of a key of AWS KMS')
    .optional(),
  API_KEYS: apiKeys.default([]),
  PUSH_SIGNING_SECRETS: signingSecrets.default([]),
  CORS_ORIGINS: origins.default([]),
  FRAME_ANCESTORS: frameAncestors.optional(),
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
  ICAP_URL: icapAddress.optional(),
  SCAN_COMMAND: commandLine.optional(),
  SCAN_HTTP_URL: exactUrl.optional(),
  SCAN_HTTP_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'visible characters')
    .optional(),
  GENESYS_DOMAIN: z
    .string()
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, "a region's domain such as mypurecloud.ie")
    .default('mypurecloud.com'),
  GENESYS_CLIENT_ID: z.string().optional(),
  GENESYS_CLIENT_SECRET: z.string().optional(),
  GENESYS_USER_CLIENT_ID: z.string().optional(),
  GENESYS_USER_CLIENT_SECRET: z.string().optional(),
  GENESYS_LOGIN_CLIENT_ID: z.string().optional(),
  GENESYS_LOGIN_CLIENT_SECRET: z.string().optional(),
  GENESYS_ORGANIZATION_ID: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/, 'the id of an organization')
    .optional(),
  ADMIN_PERMISSIONS: permissions.default([]),
  ORIGINALS: oneOf('admins', 'everyone').default('admins'),
  SESSION_MINUTES: wholeNumber(5, 7 * 24 * 60).default(480),
  GENESYS_LOGIN_URL: httpUrl.optional(),
  GENESYS_API_URL: httpUrl.optional(),
  GENESYS_GUEST_URL: guestUrl.optional(),
  GENESYS_CDN_URL: httpUrl.optional(),
  GENESYS_REQUESTS_PER_MINUTE: wholeNumber(1, 100_000).default(270),
  PULL_QUEUES: platformIds.default([]),
  GATEWAY_DEPLOYMENTS: platformIds.default([]),
  DOWNLOAD_HOSTS: hostPatterns.default([]),
  UPLOAD_HOSTS: hostPatterns.default([]),
  ALERT_WEBHOOK: exactUrl.optional(),
  ALERT_WEBHOOK_SECRET: z
    .string()
    .regex(/^[\x21-\x7e]{20,}$/, 'at least 20 visible characters')
    .optional(),
  ALERT_ON: list
    .refine((kinds) => kinds.length > 0 && kinds.every((kind) => isAlertKind(kind)), `out of ${alertKinds.join(', ')}`)
    .transform((kinds) => [...new Set(kinds)].filter(isAlertKind))
    .default(['refused', 'recalled']),
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
  SCRUB_DAYS: orOff(wholeNumber(1, 3650)).default(30),
  DOCS: oneOf('open', 'read').optional(),
  LOG_LEVEL: oneOf(...logLevels).default('info'),
  MIGRATE: oneOf('auto', 'off').default('auto'),
  ROLES: roleList.default([...roles]),
  STOP_DELAY_SECONDS: wholeNumber(0, 300).default(0),
} as const

export type SettingName = keyof typeof settings
export type Values = { [Name in SettingName]: z.output<(typeof settings)[Name]> }

export const secretSettings: SettingName[] = [
  'API_KEYS',
  'PUSH_SIGNING_SECRETS',
  'GENESYS_CLIENT_SECRET',
  'GENESYS_USER_CLIENT_SECRET',
  'GENESYS_LOGIN_CLIENT_SECRET',
  'ALERT_WEBHOOK_SECRET',
  'SCAN_HTTP_TOKEN',
  'DATABASE_URL',
]
