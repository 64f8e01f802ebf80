import type { Control, ConversationIds, ConversationOptions, ConversationSummary } from './own/control.ts'
import type { CustomerFile } from './world/message.ts'

/** A conversation as a test tells its story. Everything happens at once, within the call. */
export interface ScriptedConversation {
  id: string
  customer: {
    /** A text, a file, or a file with a text. Gives the message's id. Throws `GuestRefusal` where the Guest API would refuse. */
    sends(what: string | CustomerFile, text?: string): string
  }
  agent: {
    /** Takes the conversation from the queue. */
    joins(userId?: string): void
    /** Hands it back to the queue. */
    leaves(): void
    /** Gives the message's id. Throws `NoAgent` while none is connected. */
    sends(text: string): string
  }
  /** Everyone leaves. */
  ends(): void
  ids(): ConversationIds
  /** What is there by now: attributes and messages. */
  read(): ConversationSummary
}

/** The script of one conversation; an agent is connected unless `agent` is false. */
export function scriptConversation(control: Control, options?: ConversationOptions): ScriptedConversation {
  const { id } = control.createConversation(options)
  return {
    id,
    customer: {
      sends(what, text) {
        const said = typeof what === 'string' ? what : text
        return control.customerSends(id, {
          ...(said !== undefined && { text: said }),
          ...(typeof what !== 'string' && { file: what }),
        }).messageId
      },
    },
    agent: {
      joins: (userId) => void control.connectAgent(id, userId),
      leaves: () => void control.disconnectAgent(id),
      sends: (text) => control.agentSends(id, text).messageId,
    },
    ends: () => control.endConversation(id),
    ids: () => control.ids(id),
    read: () => control.conversation(id),
  }
}
