import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { Busboy, type BusboyFileStream } from '@fastify/busboy'
import { maxFileBytes } from '../guest/limits.ts'
import { Malformed } from '../parse.ts'
import type { CustomerFile } from '../world/message.ts'
import type { CustomerMessage } from '../world/world.ts'

/**
 * Reads the multipart body with which a script lets a customer send: `text`, `file`, or both, each at most once. Throws
 * `Malformed`. Of a file that is too large just one byte more than the limit is kept, enough for its refusal.
 */
export async function readCustomerForm(request: IncomingMessage): Promise<CustomerMessage> {
  const contentType = request.headers['content-type']
  if (!contentType?.startsWith('multipart/form-data')) throw new Malformed('the body must be multipart/form-data')
  const message: CustomerMessage = {}
  const files: Promise<CustomerFile>[] = []
  let problem: string | undefined

  const form = parserFor(request.headers, contentType)
  form.on('field', (name, value) => {
    if (name === 'text' && message.text === undefined) message.text = value
    else problem ??= `unexpected field: ${name}`
  })
  form.on('file', (field, stream, name, _encoding, mime) => {
    if (field !== 'file') problem ??= `unexpected file field: ${field}`
    if (files.length > 0) problem ??= 'one message takes one file'
    const file = collect(stream).then((bytes) => ({ name: name ?? '', mime, bytes }))
    // A body that is cut breaks the file and the form, and the form's error is the one that is told.
    file.catch(() => undefined)
    files.push(file)
  })
  await pipeline(request, form).catch((cause: unknown) => {
    throw new Malformed('the multipart body is broken', { cause })
  })

  const [file] = await Promise.all(files)
  if (problem !== undefined) throw new Malformed(problem)
  return { ...message, ...(file && { file }) }
}

function parserFor(headers: IncomingMessage['headers'], contentType: string) {
  try {
    return new Busboy({ headers: { ...headers, 'content-type': contentType }, limits: { fileSize: maxFileBytes + 1 } })
  } catch (cause) {
    throw new Malformed('the multipart body is broken', { cause })
  }
}

async function collect(stream: BusboyFileStream): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
