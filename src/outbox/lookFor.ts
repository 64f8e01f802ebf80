import type { GenesysClient } from '../genesys/client.ts'
import { newestMessageIds } from '../genesys/conversation.ts'
import { GenesysRefused } from '../genesys/errors.ts'
import type { Owed } from './way.ts'

/** How many of a conversation's newest messages are read for a reference. */
const messagesRead = 200

/** What became of an earlier attempt, by what can be read of the conversation. */
export type Looked = 'found' | 'not_found' | 'impossible'

/** Looks for what may have been sent already, by the short reference that stands in the text. */
export async function lookFor(
  genesys: Pick<GenesysClient, 'getMessages'>,
  { conversationId, reference, views }: Owed,
): Promise<Looked> {
  const ids = newestMessageIds(await views.fresh(conversationId), messagesRead)
  if (ids.length === 0) return 'not_found'
  try {
    const messages = await genesys.getMessages(conversationId, ids)
    const isOurs = messages.some(
      ({ direction, normalizedMessage }) =>
        direction !== 'inbound' && normalizedMessage?.text?.includes(reference) === true,
    )
    return isOurs ? 'found' : 'not_found'
  } catch (error) {
    if (error instanceof GenesysRefused) return 'impossible'
    throw error
  }
}
