/** Where sealed files lie in an S3 store, and how they are put there. No credentials: they come by the usual AWS chain. */
export interface S3Place {
  bucket: string
  /** Before each key: '', or a path that ends in a slash. */
  prefix: string
  /** An origin. Null: AWS. */
  endpoint: string | null
  /** Null: as the environment or the profile says. */
  region: string | null
  forcePathStyle: boolean
  /** What the store is asked to do to our sealed bytes. Null: what it does by itself. */
  encryption: { kind: 'AES256' } | { kind: 'aws:kms'; keyId: string | null } | null
  /** Null: bytes may be removed at any time. */
  objectLock: { mode: 'GOVERNANCE' | 'COMPLIANCE'; days: number } | null
}

const parameters = [
  'endpoint',
  'region',
  'forcePathStyle',
  'insecure',
  'sse',
  'sseKmsKeyId',
  'objectLockMode',
  'objectLockDays',
]

/**
 * What `s3://bucket/prefix?endpoint=…&region=…&forcePathStyle=true` says. Throws a sentence that says what is wrong, without
 * the address.
 */
export function readS3Address(text: string): S3Place {
  if (!text.startsWith('s3://') || !URL.canParse(text)) throw new Error('an address such as s3://bucket/prefix')
  const url = new URL(text)
  if (url.username !== '' || url.password !== '')
    throw new Error('an address without a user or a password: credentials come from AWS_ACCESS_KEY_ID or its like')
  if (url.port !== '' || url.hash !== '') throw new Error('an address such as s3://bucket/prefix')
  const bucket = url.hostname
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    throw new Error('an address with the name of a bucket: 3 to 63 characters out of a-z 0-9 . -')
  const path = url.pathname.replace(/^\/|\/$/g, '')
  if (path !== '' && !/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(path))
    throw new Error('an address whose prefix has no other characters than A-Z a-z 0-9 . _ - between single slashes')
  if (path.length > 200) throw new Error('an address with a prefix of at most 200 characters')
  const values = valuesOf(url)
  return {
    bucket,
    prefix: path === '' ? '' : `${path}/`,
    endpoint: endpointOf(values.get('endpoint') ?? null, isTrue(values, 'insecure')),
    region: regionOf(values),
    forcePathStyle: isTrue(values, 'forcePathStyle'),
    encryption: encryptionOf(values),
    objectLock: objectLockOf(values),
  }
}

function valuesOf(url: URL): Map<string, string> {
  const names = [...url.searchParams.keys()]
  const unknown = names.filter((name) => !parameters.includes(name))
  if (unknown.length > 0)
    throw new Error(`an address with no other parameters than ${parameters.join(', ')}: it has ${unknown.join(', ')}`)
  if (new Set(names).size < names.length) throw new Error('an address with each parameter once')
  return new Map(url.searchParams)
}

function isTrue(values: Map<string, string>, name: string): boolean {
  const value = values.get(name) ?? 'false'
  if (value !== 'true' && value !== 'false') throw new Error(`an address whose ${name} is true or false`)
  return value === 'true'
}

function endpointOf(text: string | null, insecure: boolean): string | null {
  if (text === null) return null
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:$/.test(url.protocol) || `${url.origin}/` !== url.href)
    throw new Error('an address whose endpoint is an origin such as https://s3.example.com')
  if (url.protocol === 'http:' && !insecure && !isOfThisMachine(url.hostname))
    throw new Error('an address whose endpoint begins with https://: http:// elsewhere needs insecure=true')
  return url.origin
}

function isOfThisMachine(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.[0-9.]+$/.test(host)
}

/** A store that is not AWS has no regions, but signatures name one. */
function regionOf(values: Map<string, string>): string | null {
  const region = values.get('region') ?? (values.has('endpoint') ? 'us-east-1' : null)
  if (region !== null && !/^[A-Za-z0-9-]{1,64}$/.test(region))
    throw new Error('an address whose region is a name such as eu-central-1')
  return region
}

function encryptionOf(values: Map<string, string>): S3Place['encryption'] {
  const [kind, keyId] = [values.get('sse'), values.get('sseKmsKeyId') ?? null]
  if (kind === 'aws:kms') return { kind, keyId }
  if (keyId !== null) throw new Error('an address with sse=aws:kms beside sseKmsKeyId')
  if (kind === undefined) return null
  if (kind === 'AES256') return { kind }
  throw new Error('an address whose sse is AES256 or aws:kms')
}

function objectLockOf(values: Map<string, string>): S3Place['objectLock'] {
  const [mode, days] = [values.get('objectLockMode'), values.get('objectLockDays')]
  if (mode === undefined && days === undefined) return null
  if (mode === undefined || days === undefined)
    throw new Error('an address with both objectLockMode and objectLockDays, or neither')
  if (mode !== 'GOVERNANCE' && mode !== 'COMPLIANCE')
    throw new Error('an address whose objectLockMode is GOVERNANCE or COMPLIANCE')
  if (!/^\d{1,5}$/.test(days) || Number(days) < 1 || Number(days) > 36_500)
    throw new Error('an address whose objectLockDays is a whole number from 1 to 36500')
  return { mode, days: Number(days) }
}
