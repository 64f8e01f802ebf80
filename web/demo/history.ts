import { isRecord, type Message, readMessage } from './frames.ts'

/** The newest messages of the session, oldest first. Rejects when they cannot be had: the chat goes on without. */
export async function fetchHistory(base: string, jwt: string): Promise<Message[]> {
  const answer = await fetch(new URL('api/v2/webmessaging/messages?pageNumber=1&pageSize=50', base), {
    headers: { authorization: `bearer ${jwt}` },
    credentials: 'omit',
  })
  if (!answer.ok) throw new Error(`The history answers ${answer.status}.`)
  const body: unknown = await answer.json()
  const entities = isRecord(body) && Array.isArray(body.entities) ? body.entities : []
  return entities.flatMap((entity) => (isRecord(entity) ? (readMessage(entity) ?? []) : [])).reverse()
}
