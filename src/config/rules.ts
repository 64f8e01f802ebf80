import { isIP } from 'node:net'
import { type ApiKey, roles } from './kinds.ts'
import { prefix, type SettingName, type Values } from './settings.ts'

/** Settings that are each well-formed and do not go together. One that is malformed itself is left out: it has been told. */
export function contradictions(values: Partial<Values>, env: Record<string, string | undefined>): string[] {
  const problems: string[] = []
  const given = (name: SettingName) => Boolean(env[prefix + name] || env[`${prefix}${name}_FILE`])
  if (values.PUSH_AUTH === 'none' && values.HOST !== undefined && !isLoopback(values.HOST))
    problems.push(
      `${prefix}PUSH_AUTH=none opens the push door to everybody, so ${prefix}HOST must be a loopback address.`,
    )
  problems.push(...keyContradictions(env))
  if (values.FILES_URL !== undefined && new URL(values.FILES_URL).pathname === '/') {
    const host = values.PUBLIC_URL === undefined ? values.HOST : new URL(values.PUBLIC_URL).hostname
    if (new URL(values.FILES_URL).hostname === host)
      problems.push(
        `${prefix}FILES_URL must be on another host than ${prefix}PUBLIC_URL, or have a path such as /files.`,
      )
  }
  if (given('GENESYS_CLIENT_ID') !== given('GENESYS_CLIENT_SECRET'))
    problems.push(`${prefix}GENESYS_CLIENT_ID and ${prefix}GENESYS_CLIENT_SECRET belong together: set both or none.`)
  if (given('GENESYS_USER_CLIENT_ID') && !given('GENESYS_CLIENT_ID'))
    problems.push(
      `${prefix}GENESYS_USER_CLIENT_ID needs ${prefix}GENESYS_CLIENT_ID and ${prefix}GENESYS_CLIENT_SECRET beside it: reading goes by them.`,
    )
  if (given('GENESYS_USER_CLIENT_SECRET') && !given('GENESYS_USER_CLIENT_ID'))
    problems.push(`${prefix}GENESYS_USER_CLIENT_SECRET needs ${prefix}GENESYS_USER_CLIENT_ID.`)
  problems.push(...signInContradictions(values, given))
  if (given('ALERT_WEBHOOK') !== given('ALERT_WEBHOOK_SECRET'))
    problems.push(`${prefix}ALERT_WEBHOOK and ${prefix}ALERT_WEBHOOK_SECRET belong together: set both or none.`)
  if (given('SCAN_HTTP_TOKEN') && !given('SCAN_HTTP_URL'))
    problems.push(`${prefix}SCAN_HTTP_TOKEN needs ${prefix}SCAN_HTTP_URL.`)
  for (const [name, key] of [
    ['MAX_FILE_BYTES', 'maxFileBytes'],
    ['ALLOWED_TYPES', 'allowedTypes'],
  ] as const)
    if (given(name) && values.POLICY_FILE?.[key] !== undefined)
      problems.push(`${prefix}${name} and ${key} in ${prefix}POLICY_FILE are both set. Keep one.`)
  const { deployments } = values.POLICY_FILE ?? {}
  const strangers = Object.keys(deployments ?? {}).filter((id) => !values.GATEWAY_DEPLOYMENTS?.includes(id))
  if (values.GATEWAY_DEPLOYMENTS && strangers.length > 0)
    problems.push(
      `${prefix}POLICY_FILE: deployments has ${strangers.join(', ')}, which ${prefix}GATEWAY_DEPLOYMENTS has not. Only the gateway ` +
        `knows a file's deployment.`,
    )
  if (values.POLICY_FILE?.agentFiles === 'record' && !given('GENESYS_CLIENT_ID'))
    problems.push(
      `${prefix}POLICY_FILE: agentFiles: record needs ${prefix}GENESYS_CLIENT_ID and ${prefix}GENESYS_CLIENT_SECRET: such files are fetched.`,
    )
  if (given('ROLES') && values.ROLES && values.ROLES.length < roles.length && !given('DATABASE_URL'))
    problems.push(
      `${prefix}ROLES other than all needs ${prefix}DATABASE_URL: without, there is only one process, and what it leaves nobody does.`,
    )
  if (values.PULL_QUEUES && values.PULL_QUEUES.length > 0 && !given('GENESYS_CLIENT_ID'))
    problems.push(`${prefix}PULL_QUEUES needs ${prefix}GENESYS_CLIENT_ID and ${prefix}GENESYS_CLIENT_SECRET.`)
  return problems
}

/** People sign in by the platform, or they do not. */
function signInContradictions(values: Partial<Values>, given: (name: SettingName) => boolean): string[] {
  const problems: string[] = []
  const [id, organization] = ['GENESYS_LOGIN_CLIENT_ID', 'GENESYS_ORGANIZATION_ID'] as const
  if (given(id) !== given(organization))
    problems.push(
      `${prefix}${id} and ${prefix}${organization} belong together: the client that people sign in by, and whose users are let in.`,
    )
  for (const name of ['GENESYS_LOGIN_CLIENT_SECRET', 'ADMIN_PERMISSIONS'] as const)
    if (given(name) && values[name] !== undefined && !given(id)) problems.push(`${prefix}${name} needs ${prefix}${id}.`)
  const { PUBLIC_URL: publicUrl, HOST: host } = values
  const url = publicUrl ?? `http://${host?.includes(':') ? `[${host}]` : host}`
  if (given(id) && host !== undefined && !isSafeForCookies(url))
    problems.push(
      `${prefix}${id} needs ${prefix}PUBLIC_URL to begin with https://, or to be on a loopback address: the cookie of a session goes nowhere else.`,
    )
  return problems
}

/** Whether what is said on the way to this address is between the two alone. */
export function isSafeForCookies(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, ''))
}

/** Master keys come from one place. MASTER_KEY_FILE is a setting of its own, not the file of a secret. */
function keyContradictions(env: Record<string, string | undefined>): string[] {
  const given = ['MASTER_KEY_FILE', 'MASTER_KEY', 'MASTER_KEY_COMMAND'].filter((name) => env[prefix + name])
  const all = given.map((name) => prefix + name)
  if (all.length > 1)
    return [
      `${all.join(' and ')} are ${all.length === 2 ? 'both' : 'all'} set. Keep one: master keys come from one place.`,
    ]
  if (env[`${prefix}MASTER_KEY_KMS`] && given.length === 1 && given[0] !== 'MASTER_KEY_FILE')
    return [`${prefix}MASTER_KEY_KMS is for a key file, and ${all[0]} is set. Keep one.`]
  return []
}

/** What nothing can be served without. One that is malformed is left out: it has been told, and may be what is missing. */
export function missingToServe(values: Partial<Values>): string[] {
  const problems: string[] = []
  const { API_KEYS: apiKeys, PUSH_SIGNING_SECRETS: signingSecrets, PULL_QUEUES: queues, SCAN: scan } = values
  const pushes = apiKeys && signingSecrets && (values.PUSH_AUTH === 'none' || mayPush(apiKeys, signingSecrets))
  const pulls = apiKeys && queues && values.GENESYS_CLIENT_ID !== undefined && mayPull(apiKeys, queues)
  const relays = values.GATEWAY_DEPLOYMENTS && values.GATEWAY_DEPLOYMENTS.length > 0
  const takesIn = values.ROLES?.includes('door')
  if (takesIn && apiKeys && signingSecrets && queues && values.GATEWAY_DEPLOYMENTS && !pushes && !pulls && !relays)
    problems.push(
      `No door is configured. Set ${prefix}API_KEYS to a key with the scope push, ${prefix}PUSH_SIGNING_SECRETS, or ` +
        `${prefix}PUSH_AUTH=none on a loopback host; or, to pull, credentials of Genesys Cloud with ${prefix}PULL_QUEUES ` +
        `or a key with the scope pull; or ${prefix}GATEWAY_DEPLOYMENTS.`,
    )
  const engines = [values.CLAMD, values.ICAP_URL, values.SCAN_COMMAND, values.SCAN_HTTP_URL]
  const judges = takesIn || values.ROLES?.includes('sweeper')
  if (judges && scan === 'required' && engines.every((engine) => engine === undefined))
    problems.push(
      `No scan engine is configured, and ${prefix}SCAN is required. Two ways out: configure an engine (${prefix}CLAMD, ` +
        `${prefix}ICAP_URL, ${prefix}SCAN_COMMAND or ${prefix}SCAN_HTTP_URL), or take files unscanned with ${prefix}SCAN=off, ` +
        `which is shown on each record and in /health/ready.`,
    )
  return problems
}

export function mayPush(apiKeys: ApiKey[], signingSecrets: string[]): boolean {
  return signingSecrets.length > 0 || apiKeys.some((key) => key.scopes.includes('push'))
}

export function mayPull(apiKeys: ApiKey[], queues: string[]): boolean {
  return queues.length > 0 || apiKeys.some((key) => key.scopes.includes('pull'))
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
