import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { z } from 'zod'
import { canonicalType } from '../intake/types.ts'
import { readAddress } from '../records/postgres/address.ts'
import type { IcapSettings } from '../scan/settings.ts'
import { readS3Address } from '../storage/s3/address.ts'

/** What an API key may do. */
export const scopes = ['push', 'pull', 'read', 'admin'] as const
export type Scope = (typeof scopes)[number]

/** What a process does: takes files in and serves them; tells others; looks after what is stored; makes copies. */
export const roles = ['door', 'courier', 'sweeper', 'preview'] as const
export type Role = (typeof roles)[number]

/** The secret itself is not kept: what is presented is compared by digest. */
export interface ApiKey {
  name: string
  scopes: Scope[]
  secretSha256: Buffer
}

export const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'a whole number')
    .transform(Number)
    .refine((number) => number >= least && number <= most, `a whole number from ${least} to ${most}`)

/** Null: `off`. */
export const orOff = <T>(kind: z.ZodType<T, string>) =>
  z.string().transform((text, context): T | null => {
    if (text === 'off') return null
    const parsed = kind.safeParse(text)
    if (parsed.success) return parsed.data
    for (const { message } of parsed.error.issues) context.addIssue({ code: 'custom', message: `${message}, or off` })
    return z.NEVER
  })

export const oneOf = <const T extends string>(...values: T[]) =>
  z.enum(values, { error: `one of ${values.join(', ')}` })

export const httpUrl = z
  .url({ protocol: /^https?$/, error: 'an address that begins with http:// or https://' })
  .transform((text) => text.replace(/\/+$/, ''))

/** What our own paths begin with. */
const ownPaths =
  'api assets console demo docs gateway health metrics openapi.json sign-in v1 webdeployments webhook widget'
    .split(' ')
    .join('|')

/** Where files are: behind it comes the secret of a link. */
export const filesUrl = httpUrl.refine((text) => {
  const { username, password, pathname, search, hash } = new URL(text)
  const plain = username + password + search + hash === '' && /^(\/[\w.~-]+)*\/?$/.test(pathname)
  return plain && !new RegExp(`^/(${ownPaths})(/|$)`, 'i').test(pathname)
}, 'an address whose path, if it has one, is plain and begins like none of ours, such as https://files.example.com or https://clipgate.example.com/files')

/** Of the platform's guest socket: `ws` and `wss`, or what stands for them. */
export const guestUrl = z
  .url({ protocol: /^(https?|wss?)$/, error: 'an address that begins with wss://, ws://, https:// or http://' })
  .transform((text) => `${text.replace(/^http/, 'ws').replace(/\/+$/, '').replace(/\/v1$/, '')}/v1`)

/** As it is: a slash at its end is a part of it. */
export const exactUrl = z
  .url({ protocol: /^https?$/, error: 'an address that begins with http:// or https://' })
  .refine((text) => {
    const { username, password } = new URL(text)
    return username === '' && password === ''
  }, 'an address without a user or a password')

/** Kept as it is: who opens the records reads it. A problem tells nothing of it. */
export const databaseUrl = z.string().superRefine((text, context) => {
  try {
    readAddress(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})

const isRole = (name: string): name is Role => (roles as readonly string[]).includes(name)

export const roleList = z
  .string()
  .transform((text) => text.split(',').map((item) => item.trim()))
  .refine(
    (names) => names.join() === 'all' || (names.length > 0 && names.every(isRole)),
    `all, or out of ${roles.join(', ')}, separated by commas`,
  )
  .transform((names): Role[] => (names.join() === 'all' ? [...roles] : roles.filter((role) => names.includes(role))))

/** A problem tells nothing of it: somebody may have put a secret there. */
export const storageUrl = z.string().transform((text, context) => {
  try {
    return readS3Address(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
    return z.NEVER
  }
})

export const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
)

/** Of a canonical name. */
export const isMimeType = (type: string) => /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/.test(type)

export const mimeTypes = list
  .transform((types) => [...new Set(types.map(canonicalType))])
  .refine((types) => types.every(isMimeType), {
    error: 'MIME types such as image/jpeg, separated by commas',
  })
  .refine((types) => types.length > 0, 'at least one MIME type')

/** What the audit trail calls those who come without a key. */
const reservedNames = ['anyone', 'cli', 'sender', 'sweep']

export const apiKeys = list.transform((items, context): ApiKey[] => {
  const keys: ApiKey[] = []
  for (const [index, item] of items.entries()) {
    const [name = '', scopeList = '', secret = '', ...rest] = item.split(':')
    const asked = scopeList.split('+')
    const problem = (message: string) => context.addIssue({ code: 'custom', message: `key ${index + 1}: ${message}` })
    const secretSha256 = createHash('sha256').update(secret).digest()
    // Nothing of a malformed key is told: the parts may have been given in another order.
    if (rest.length > 0 || !/^[A-Za-z0-9_.-]{1,64}$/.test(name)) problem('it must read name:scopes:secret')
    else if (!asked.every((scope) => (scopes as readonly string[]).includes(scope)))
      problem(`its scopes must be out of ${scopes.join(', ')}, joined by +`)
    else if (!/^[A-Za-z0-9_-]{20,}$/.test(secret))
      problem('its secret must have at least 20 characters out of A-Z a-z 0-9 _ -')
    else if (reservedNames.includes(name)) problem(`the name ${name} has a meaning of its own`)
    else if (keys.some((key) => key.name === name)) problem(`the name ${name} is taken`)
    else if (keys.some((key) => key.secretSha256.equals(secretSha256)))
      problem(`${name} has the secret of another key, so nobody could tell which was meant`)
    else keys.push({ name, scopes: asked as Scope[], secretSha256 })
  }
  return keys
})

/** `unix:/run/clamav/clamd.ctl` or `tcp://127.0.0.1:3310`. */
export const clamdAddress = z.string().transform((text, context) => {
  const [, path] = /^unix:(\/.+)$/.exec(text) ?? []
  if (path !== undefined) return { path }
  const url = /^tcp:\/\/[^/?#@]+$/.test(text) && URL.canParse(text) ? new URL(text) : null
  if (url && url.port !== '') return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) }
  context.addIssue({ code: 'custom', message: 'unix:/path or tcp://host:port' })
  return z.NEVER
})

/** `icap://host:1344/service?method=reqmod&preview=1024&found=X-Our-Threat`; the query that we do not know is the service's own. */
export const icapAddress = z.string().transform((text, context): IcapSettings => {
  const problem = (message: string) => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  const shape = 'icap://host:port/service or icaps://host:port/service'
  const [, scheme, rest] = /^(icaps?):\/\/([\x21-\x7e]+)$/i.exec(text) ?? []
  if (!scheme || !rest || !URL.canParse(`http://${rest}`)) return problem(shape)
  const { hostname, username, password, pathname, searchParams, hash } = new URL(`http://${rest}`)
  if (pathname === '/' || username !== '' || password !== '' || hash !== '') return problem(shape)
  const tls = scheme.toLowerCase() === 'icaps'
  const [, port] = /^[^/?]*:(\d+)(?:[/?]|$)/.exec(rest) ?? []
  const taken = (name: string) => {
    const value = searchParams.get(name)
    searchParams.delete(name)
    return value
  }
  const method = taken('method')?.toUpperCase() ?? 'RESPMOD'
  if (method !== 'RESPMOD' && method !== 'REQMOD') return problem(`${shape} with method respmod or reqmod`)
  const preview = taken('preview')
  if (preview !== null && !/^\d{1,6}$/.test(preview)) return problem(`${shape} with a preview of up to 999999 bytes`)
  const found = (taken('found') ?? '').split(',').filter((name) => name !== '')
  if (!found.every((name) => /^[A-Za-z0-9-]+$/.test(name))) return problem(`${shape} with found as names of fields`)
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === undefined ? (tls ? 11344 : 1344) : Number(port),
    tls,
    service: searchParams.size > 0 ? `${pathname}?${searchParams}` : pathname,
    method,
    preview: preview === null ? null : Number(preview),
    found: found.map((name) => name.toLowerCase()),
  }
})

/** Words between spaces, or a JSON list of them where one has a space of its own. No shell reads it. */
export const commandLine = z.string().transform((text, context): string[] => {
  const words = text.trimStart().startsWith('[') ? jsonOf(text) : text.split(/\s+/).filter((word) => word !== '')
  const parsed = z
    .array(z.string().regex(/^[^\0]+$/))
    .min(1)
    .safeParse(words)
  if (parsed.success) return parsed.data
  context.addIssue({ code: 'custom', message: 'a program and its arguments, or a JSON list of them' })
  return z.NEVER
})

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

export const proxies = list.refine(
  (items) =>
    items.every((item) => {
      const [address = '', bits, ...rest] = item.split('/')
      const most = isIP(address) === 6 ? 128 : 32
      return (
        rest.length === 0 &&
        isIP(address) !== 0 &&
        (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most))
      )
    }),
  { error: 'addresses or networks such as 10.0.0.0/8, separated by commas' },
)

export const signingSecrets = list.refine(
  (secrets) => secrets.every((secret) => /^[\x21-\x2b\x2d-\x7e]{20,}$/.test(secret)),
  {
    error: 'secrets of at least 20 visible characters, separated by commas',
  },
)

export const origins = list.refine((urls) => urls.every((url) => URL.canParse(url) && new URL(url).origin === url), {
  error: 'origins such as https://chat.example.com, separated by commas',
})

/** What stands after `frame-ancestors` in a policy: no quote, space or semicolon can be in it. */
export const frameAncestors = list.refine(
  (sources) => sources.every((source) => /^https?:\/\/(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?$/i.test(source)),
  'origins such as https://apps.mypurecloud.com or https://*.example.com, separated by commas',
)

export const platformIds = list
  .transform((ids) => [...new Set(ids)])
  .refine((ids) => ids.every((id) => /^[A-Za-z0-9-]{1,64}$/.test(id)), 'ids of the platform, separated by commas')

/** As users/me tells them. */
export const permissions = list.refine(
  (names) => names.every((name) => /^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.*-]+){1,2}$/.test(name)),
  'permissions such as quality:evaluation:add, separated by commas',
)

export const hostPatterns = list.refine(
  (hosts) =>
    hosts.every(
      (host) => /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(host) && isIP(host) === 0 && !/^[\d.]+$/.test(host),
    ),
  'host names such as files.example.com or *.example.com, separated by commas',
)

/** Of which files the webhook is told. */
export const alertKinds = ['refused', 'accepted', 'unfetched', 'quarantined', 'recalled'] as const
export type AlertKind = (typeof alertKinds)[number]
export const isAlertKind = (kind: string): kind is AlertKind => (alertKinds as readonly string[]).includes(kind)
