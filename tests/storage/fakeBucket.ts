import { createHash, randomUUID } from 'node:crypto'

/** What an S3 store answers. */
export interface Answer {
  status: number
  headers?: Record<string, string>
  body?: string | Buffer
}

export interface Asked {
  method: string
  /** '' for the bucket. */
  key: string
  query: URLSearchParams
  headers: Record<string, string | string[] | undefined>
  body: Buffer
}

/** How the bucket is set. */
export interface BucketSettings {
  name: string
  conditional: boolean
  sha256: boolean
  /** `locked`: older versions stay. */
  versions: 'none' | 'kept' | 'locked'
  pageSize: number
}

interface Stored {
  bytes: Buffer
  upload: string
  at: Date
}

interface Begun {
  key: string
  upload: string
  at: Date
  parts: Map<number, Buffer>
}

/** The part of S3 that the adapter speaks, in memory. Signatures are not looked at. */
export function fakeBucket({ name, conditional, sha256, versions, pageSize }: BucketSettings, now: () => Date) {
  const objects = new Map<string, Stored>()
  /** Behind a marker, by version. */
  const hidden = new Map<string, { key: string; stored: Stored | null }>()
  const uploads = new Map<string, Begun>()

  const version = (): Record<string, string> => (versions === 'none' ? {} : { 'x-amz-version-id': randomUUID() })
  const refusedBody = ({ headers, body }: Asked): Answer | null => {
    const md5 = headers['content-md5']
    if (md5 !== undefined && md5 !== digest('md5', body)) return refusal(400, 'BadDigest')
    const wanted = headers['x-amz-checksum-sha256']
    return sha256 && wanted !== undefined && wanted !== digest('sha256', body) ? refusal(400, 'BadDigest') : null
  }

  function put(asked: Asked): Answer {
    const refused = refusedBody(asked)
    if (refused) return refused
    const { key, query, headers, body } = asked
    const begun = uploads.get(query.get('uploadId') ?? '')
    if (query.has('uploadId')) {
      if (!begun) return refusal(404, 'NoSuchUpload')
      begun.parts.set(Number(query.get('partNumber')), body)
      return { status: 200, headers: { etag: etag(body) } }
    }
    if (headers['if-none-match'] !== undefined && !conditional) return refusal(501, 'NotImplemented')
    if (headers['if-none-match'] !== undefined && objects.has(key)) return refusal(412, 'PreconditionFailed')
    objects.set(key, { bytes: body, upload: String(headers['x-amz-meta-upload'] ?? ''), at: now() })
    return { status: 200, headers: { etag: etag(body), ...version() } }
  }

  function post({ key, query, headers }: Asked): Answer {
    if (query.has('uploads')) {
      const id = randomUUID()
      uploads.set(id, { key, upload: String(headers['x-amz-meta-upload'] ?? ''), at: now(), parts: new Map() })
      return xml('InitiateMultipartUploadResult', `<UploadId>${id}</UploadId>`)
    }
    const id = query.get('uploadId') ?? ''
    const begun = uploads.get(id)
    if (!begun) return refusal(404, 'NoSuchUpload')
    const parts = [...begun.parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes)
    objects.set(key, { bytes: Buffer.concat(parts), upload: begun.upload, at: now() })
    uploads.delete(id)
    return xml('CompleteMultipartUploadResult', `<ETag>"x-${parts.length}"</ETag>`)
  }

  function read({ method, key, headers }: Asked): Answer {
    const stored = objects.get(key)
    if (!stored) return method === 'HEAD' ? { status: 404 } : refusal(404, 'NoSuchKey')
    const { bytes, upload, at } = stored
    const common = { etag: etag(bytes), 'last-modified': at.toUTCString(), 'x-amz-meta-upload': upload }
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(String(headers.range ?? '')) ?? []
    if (from === undefined) return { status: 200, headers: common, body: bytes }
    if (Number(from) >= bytes.length) return refusal(416, 'InvalidRange')
    const end = Math.min(Number(to), bytes.length - 1)
    const range = { 'content-range': `bytes ${from}-${end}/${bytes.length}` }
    return { status: 206, headers: { ...common, ...range }, body: bytes.subarray(Number(from), end + 1) }
  }

  function remove({ key, query }: Asked): Answer {
    if (query.has('uploadId'))
      return uploads.delete(query.get('uploadId')!) ? { status: 204 } : refusal(404, 'NoSuchUpload')
    const id = query.get('versionId')
    if (id !== null) {
      if (versions === 'locked' && hidden.get(id)?.stored) return refusal(403, 'AccessDenied')
      hidden.delete(id)
      return { status: 204 }
    }
    const stored = objects.get(key)
    objects.delete(key)
    // As Ceph: of what a marker hides already nothing more is said.
    if (versions === 'none' || !stored) return { status: 204 }
    hidden.set(randomUUID(), { key, stored })
    hidden.set(randomUUID(), { key, stored: null })
    return { status: 204, headers: { 'x-amz-delete-marker': 'true', ...version() } }
  }

  function list({ query }: Asked): Answer {
    const prefix = query.get('prefix') ?? ''
    if (query.has('versions')) {
      const told = [...hidden].filter(([, { key }]) => key.startsWith(prefix))
      const entries = told.map(([id, { key, stored }]) => {
        const what = stored ? 'Version' : 'DeleteMarker'
        return `<${what}><Key>${key}</Key><VersionId>${id}</VersionId></${what}>`
      })
      return xml('ListVersionsResult', entries.join(''))
    }
    if (query.has('uploads')) {
      const told = [...uploads].filter(
        ([id, { key }]) => key.startsWith(prefix) && id > (query.get('upload-id-marker') ?? ''),
      )
      const page = told.sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, pageSize)
      const entries = page.map(
        ([id, { key, at }]) =>
          `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${at.toISOString()}</Initiated></Upload>`,
      )
      const more = page.length < told.length
      const next = `<NextKeyMarker>${page.at(-1)?.[1].key}</NextKeyMarker><NextUploadIdMarker>${page.at(-1)?.[0]}</NextUploadIdMarker>`
      return xml(
        'ListMultipartUploadsResult',
        `<IsTruncated>${more}</IsTruncated>${more ? next : ''}${entries.join('')}`,
      )
    }
    const after = query.get('continuation-token') ?? ''
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const page = keys.slice(0, pageSize)
    const entries = page.map(
      (key) =>
        `<Contents><Key>${key}</Key><LastModified>${objects.get(key)!.at.toISOString()}</LastModified></Contents>`,
    )
    const more = page.length < keys.length
    const next = more ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''
    return xml('ListBucketResult', `<IsTruncated>${more}</IsTruncated>${next}${entries.join('')}`)
  }

  return {
    objects,
    uploads,
    /** Bytes that are removed and still kept, by their key. */
    keptKeys: () => [...hidden.values()].flatMap(({ key, stored }) => (stored ? [key] : [])),
    answer(bucket: string, asked: Asked): Answer {
      if (bucket !== name) return refusal(404, 'NoSuchBucket')
      if (asked.key === '') return list(asked)
      if (asked.method === 'PUT') return put(asked)
      if (asked.method === 'POST') return post(asked)
      return asked.method === 'DELETE' ? remove(asked) : read(asked)
    },
  }
}

export function refusal(status: number, code: string): Answer {
  return { status, body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>told to</Message></Error>` }
}

function xml(root: string, inner: string): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0"?><${root}>${inner}</${root}>`,
  }
}

function digest(algorithm: string, bytes: Buffer): string {
  return createHash(algorithm).update(bytes).digest('base64')
}

function etag(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`
}
