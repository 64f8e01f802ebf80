import type { FastifyInstance } from 'fastify'
import type { Clock } from '../clock.ts'
import { notFound } from '../platform/errors.ts'
import type { UrlOf } from '../platform/views.ts'
import type { Switches } from '../switches.ts'
import { attach } from '../world/message.ts'
import type { World } from '../world/world.ts'
import { pushed } from './frames.ts'
import { maxFileBytes } from './limits.ts'
import { GuestRefusal } from './refusal.ts'
import type { GuestSession, Sessions, Upload } from './sessions.ts'
import { type UploadUrls, uploadsPath } from './uploadUrls.ts'

interface Parts {
  sessions: Sessions
  world: World
  switches: Switches
  uploadUrls: UploadUrls
  urlOf: UrlOf
  clock: Clock
}

/** Where a guest's client puts a file's bytes. The answer says that they came; whether they are taken is told on the socket. */
export function uploadRoute({ sessions, world, switches, uploadUrls, urlOf, clock }: Parts) {
  function take(session: GuestSession, upload: Upload, bytes: Buffer): void {
    const timestamp = clock.now().toISOString()
    try {
      check(upload, bytes, switches)
      const attachment = attach({ name: upload.name, mime: upload.mime, bytes }, clock.now(), upload.id)
      if (upload.attachment) world.removeUpload(upload.attachment)
      upload.attachment = attachment
      world.keepUpload(attachment)
      const body = { attachmentId: upload.id, downloadUrl: urlOf(attachment), timestamp }
      sessions.push(session, pushed('UploadSuccessEvent', body))
    } catch (error) {
      if (!(error instanceof GuestRefusal)) throw error
      const { errorCode, message: errorMessage } = error
      const body = { attachmentId: upload.id, errorCode, errorMessage, timestamp }
      sessions.push(session, pushed('UploadFailureEvent', body))
    }
  }

  return async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: 2 * maxFileBytes }, (_request, body, done) => {
      done(null, body)
    })

    app.put<{ Params: { '*': string }; Querystring: Record<string, string | undefined> }>(
      `${uploadsPath}/*`,
      async ({ params, query, headers, body }, reply) => {
        uploadUrls.check(`${uploadsPath}/${params['*']}`, query, headers)
        const id = params['*'].split('/').at(-1) ?? ''
        const session = sessions.ofUpload(id)
        const upload = session?.uploads.get(id)
        if (!session || !upload || upload.sent) throw notFound()
        const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0)
        if (switches.uploadEventDelaySeconds === 0) take(session, upload, bytes)
        else clock.after(switches.uploadEventDelaySeconds, () => take(session, upload, bytes))
        return reply.code(200).send()
      },
    )
  }
}

/** Throws `GuestRefusal`. */
function check(upload: Upload, bytes: Buffer, switches: Switches): void {
  if (bytes.length === 0) throw new GuestRefusal(4102, 'File is empty')
  if (bytes.length > maxFileBytes) throw new GuestRefusal(4002, 'File size is larger than the allowed maximum')
  if (switches.uploadSizeChecked && bytes.length !== upload.sizeBytes) {
    throw new GuestRefusal(4002, 'File size is not the announced one')
  }
  if (switches.uploadContentChecked && !beginsAs(upload.mime, bytes)) {
    throw new GuestRefusal(4003, 'File content does not match its type')
  }
}

const beginnings: Record<string, string> = {
  'application/pdf': '255044462d',
  'image/jpeg': 'ffd8ff',
  'image/png': '89504e470d0a1a0a',
  'image/gif': '47494638',
}

/** Types whose beginning is not known pass. */
function beginsAs(mime: string, bytes: Buffer): boolean {
  return bytes.toString('hex', 0, 16).startsWith(beginnings[mime.toLowerCase()] ?? '')
}
