import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { org } from '../org.ts'
import { PlatformError } from '../platform/errors.ts'
import type { Switches } from '../switches.ts'
import type { Upload } from './sessions.ts'

export interface UploadUrls {
  /** Where the bytes are to be put, with the headers that must come along exactly. */
  sign(upload: Upload): { url: string; headers: Record<string, string> }
  /** Throws `PlatformError` 403 unless this is what was signed, and still good. */
  check(path: string, query: Record<string, string | undefined>, headers: Headers): void
}

type Headers = Record<string, string | string[] | undefined>

export const uploadsPath = '/uploads/attachments'

/** The form is that of a storage service's presigned PUT; the tag's content is invented, and so are host and path. */
const tagging = `organizationId=${org.id}&originPlatform=PureCloud&role=darth&owner=GIA`

interface Parts {
  switches: Switches
  origin: () => string
  now: () => Date
}

export function createUploadUrls({ switches, origin, now }: Parts): UploadUrls {
  const key = randomBytes(32)
  const signatureOf = (...signed: string[]) => createHmac('sha256', key).update(signed.join('\n')).digest('hex')

  return {
    sign({ id, mime }) {
      const path = `${uploadsPath}/${org.deploymentId}/${id}`
      const expires = String(Math.floor(now().getTime() / 1000) + switches.uploadUrlLifetimeSeconds)
      const signedHeaders = switches.uploadSignsContentType ? 'content-type;host;x-amz-tagging' : 'host;x-amz-tagging'
      const type = switches.uploadSignsContentType ? mime : ''
      const query = new URLSearchParams({
        'X-Amz-Expires': expires,
        'X-Amz-SignedHeaders': signedHeaders,
        'X-Amz-Signature': signatureOf(path, expires, signedHeaders, tagging, type),
      })
      return { url: `${origin()}${path}?${query}`, headers: { 'x-amz-tagging': tagging } }
    },
    check(path, query, headers) {
      const expires = query['X-Amz-Expires'] ?? ''
      const signedHeaders = query['X-Amz-SignedHeaders'] ?? ''
      const type = signedHeaders.includes('content-type') ? String(headers['content-type']) : ''
      const expected = signatureOf(path, expires, signedHeaders, String(headers['x-amz-tagging']), type)
      const given = Buffer.from(query['X-Amz-Signature'] ?? '')
      const holds = given.length === expected.length && timingSafeEqual(given, Buffer.from(expected))
      if (!holds || now().getTime() >= Number(expires) * 1000) {
        throw new PlatformError(403, 'not.authorized', 'The signature does not hold or has expired.')
      }
    },
  }
}
