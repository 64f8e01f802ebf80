import { markBytes, type Template } from '../templates.ts'
import type { Target } from './job.ts'

const boundary = 'clipgate-bench-0123456789abcdef'
const tail = `\r\n--${boundary}--\r\n`

/**
 * The pieces of one upload. The file's own bytes are not copied: between its beginning and its end stands the mark that
 * makes it another.
 */
export function upload(target: Target, template: Template, mark: string, turn: number): (string | Uint8Array)[] {
  const { bytes, markAt } = template
  const name = `IMG ${mark.slice(-8)}.${template.ending}`
  const file = [bytes.subarray(0, markAt), mark, bytes.subarray(markAt + markBytes)]
  const { pathname, host } = new URL(target.url)
  if (target.protocol === 'tus') {
    const metadata = `filename ${Buffer.from(name).toString('base64')}`
    return [
      `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nTus-Resumable: 1.0.0\r\nUpload-Length: ${bytes.length}\r\nUpload-Metadata: ${metadata}\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: ${bytes.length}\r\n\r\n`,
      ...file,
    ]
  }
  const part = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: ${template.type}\r\n\r\n`
  const query = target.conversations
    ? `?conversation_id=${target.conversations[turn % target.conversations.length]}`
    : ''
  const authorization = target.authorization ? `Authorization: ${target.authorization}\r\n` : ''
  const length = part.length + bytes.length + tail.length
  return [
    `POST ${pathname}${query} HTTP/1.1\r\nHost: ${host}\r\n${authorization}Content-Type: multipart/form-data; boundary=${boundary}\r\nContent-Length: ${length}\r\n\r\n${part}`,
    ...file,
    tail,
  ]
}
