import { authorization } from './contenders/service.ts'
import type { Template } from './templates.ts'

/** Pushes one file as a program does, and waits for its answer. */
export async function push(
  url: string,
  { type, ending }: Pick<Template, 'type' | 'ending'>,
  bytes: Buffer,
  conversationId?: string,
): Promise<void> {
  const form = new FormData()
  form.append('file', new Blob([new Uint8Array(bytes)], { type }), `file.${ending}`)
  const query = conversationId === undefined ? '' : `?conversation_id=${conversationId}`
  const path = `/webhook/file-upload${query}`
  const answer = await fetch(url + path, { method: 'POST', headers: { authorization }, body: form })
  if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`)
  await answer.arrayBuffer()
}
