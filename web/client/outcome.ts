/** Why a file is refused: the service's closed list. */
export type RefusalCode =
  | 'too_large'
  | 'type_not_allowed'
  | 'type_mismatch'
  | 'empty'
  | 'malware'
  | 'encrypted'
  | 'unscannable'
  | 'bomb'
  | 'corrupt'
  | 'active_content'
  | 'polyglot'

/** What the service knows of a file; its API describes further members. */
export interface Attachment {
  id: string
  state: string
  conversationId: string | null
  messageId: string | null
  filename: string | null
  type: string | null
  size: number | null
  sha256: string | null
  receivedAt: string
}

/**
 * What became of a file. `sentence` says it to the customer, in the language that was asked for or the ticket's: plain text,
 * with the name of the file in it, which a stranger chose.
 */
export type Outcome =
  /** It is stored. `repeated`: an earlier try had arrived, and this is its answer. */
  | { kind: 'accepted'; attachment: Attachment; sentence: string; repeated: boolean }
  /** It is kept until a person, or an engine that is down, has decided. There is no use in sending it again. */
  | { kind: 'quarantined'; attachment: Attachment; sentence: string; repeated: boolean }
  /** It is not taken. `attachmentId` is null when it was never sent, since the policy forbids it. `detail` is for developers. */
  | { kind: 'refused'; code: RefusalCode; sentence: string; detail: string; attachmentId: string | null }
  /** An earlier try had been stored, and was erased since. */
  | { kind: 'erased' }
