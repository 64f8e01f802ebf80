import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import type { ClientConfig } from 'pg'

const modes = ['disable', 'require', 'verify-ca', 'verify-full'] as const
const parameters = ['sslmode', 'sslrootcert', 'host']

/**
 * What `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…` says. Over a network TLS is used and the server's
 * certificate and name are always verified, whatever `sslmode` says but `disable`; on this machine TLS is used when it is
 * asked for. `host` may name the folder of a Unix socket. Throws a sentence that says what is wrong, without the address.
 */
export function readAddress(text: string): ClientConfig {
  if (!URL.canParse(text)) throw new Error('an address such as postgres://user:password@host:5432/database')
  const url = new URL(text)
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:')
    throw new Error('an address that begins with postgres://')
  const database = decodeURIComponent(url.pathname.slice(1))
  if (database === '' || database.includes('/'))
    throw new Error('an address with the name of one database after the host')
  const unknown = [...url.searchParams.keys()].filter((name) => !parameters.includes(name))
  if (unknown.length > 0)
    throw new Error(`an address with no other parameters than ${parameters.join(', ')}: it has ${unknown.join(', ')}`)
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1')
  if (host === '') throw new Error('an address with a host')
  const ssl = tlsOf(url, isOfThisMachine(host))
  return {
    host,
    port: url.port === '' ? 5432 : Number(url.port),
    database,
    ...(url.username !== '' && { user: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    ssl,
  }
}

function tlsOf(url: URL, local: boolean): ConnectionOptions | false {
  const mode = url.searchParams.get('sslmode') ?? (local ? 'disable' : 'verify-full')
  if (!(modes as readonly string[]).includes(mode))
    throw new Error(`an address whose sslmode is one of ${modes.join(', ')}`)
  const rootCertificate = url.searchParams.get('sslrootcert')
  if (mode === 'disable') {
    if (rootCertificate !== null && !local) throw new Error('an address with sslrootcert or sslmode=disable, not both')
    if (rootCertificate === null) return false
  }
  if (rootCertificate === null) return { rejectUnauthorized: true }
  try {
    return { rejectUnauthorized: true, ca: readFileSync(rootCertificate, 'utf8') }
  } catch (error) {
    throw new Error(`an address whose sslrootcert can be read: ${(error as Error).message}`)
  }
}

function isOfThisMachine(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127\./.test(host)
}
