import type { CustomerFile } from '../world/message.ts'

/** Messaging in general takes up to 25 MB. */
const maxBytes = 25 * 1000 * 1000

/** UNCONFIRMED on the platform. */
const withinMs = 10_000

/** What the platform fetches itself from the address in an inbound message. Undefined when that fails. */
export async function fetchFile(url: string, name: string, mime: string): Promise<CustomerFile | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(withinMs) })
    if (!answer.ok || !answer.body) return undefined
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of answer.body as ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size > maxBytes) return undefined
      chunks.push(chunk)
    }
    return { name, mime, bytes: Buffer.concat(chunks) }
  } catch {
    return undefined
  }
}
