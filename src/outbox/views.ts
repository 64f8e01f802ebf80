import type { Clock } from '../clock.ts'
import type { GenesysClient } from '../genesys/client.ts'
import type { Conversation } from '../genesys/conversation.ts'

/**
 * Views of conversations, kept for half a minute: many files of one conversation are confirmed one after another. Both
 * ask the client where they must, throw what it throws, and then keep nothing.
 */
export interface Views {
  /** As it was at most half a minute ago, if that will `do`; else as it is now. */
  recent(conversationId: string, will: { do(view: Conversation): boolean }): Promise<Conversation>
  /** As it is now. */
  fresh(conversationId: string): Promise<Conversation>
}

const keptMs = 30_000
const mostKept = 500

export function createViews(genesys: Pick<GenesysClient, 'getConversation'>, clock: Clock): Views {
  const kept = new Map<string, { view: Conversation; at: number }>()

  async function fresh(conversationId: string): Promise<Conversation> {
    kept.delete(conversationId)
    const view = await genesys.getConversation(conversationId)
    kept.set(conversationId, { view, at: clock.now().getTime() })
    const oldest = kept.keys().next()
    if (kept.size > mostKept && !oldest.done) kept.delete(oldest.value)
    return view
  }

  return {
    fresh,
    async recent(conversationId, will) {
      const found = kept.get(conversationId)
      const isRecent = found !== undefined && Math.abs(clock.now().getTime() - found.at) < keptMs
      return isRecent && will.do(found.view) ? found.view : fresh(conversationId)
    },
  }
}
