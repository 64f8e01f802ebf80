import type { Attachment } from '../../src/attachment.ts'
import { reference } from '../../src/attachment.ts'

/** A file that somebody sent under a key of its own, until it had an answer, and what became of it. */
export interface Sent {
  key: string
  filename: string
  sha256: string
  conversationId: string
  /** An engine finds something in it. */
  dangerous: boolean
  /** Each answer that arrived, in order: of an attempt without one nothing is known. */
  answers: { status: number; id: string | null }[]
}

/** What is there in the end, as anybody can see it. */
export interface Found {
  attachments: Attachment[]
  /** SHA-256 of what is served under each id; null: nothing is. */
  served: Map<string, string | null>
  /** What each conversation was told. */
  said: Map<string, string[]>
  pending: number
  parked: number
}

/** Everything that senders were told, compared with what is there: each sentence is a promise that was broken. */
export function brokenPromises(sent: Sent[], found: Found): string[] {
  const broken: string[] = []
  const byId = new Map(found.attachments.map((attachment) => [attachment.id as string, attachment]))
  const byName = new Map<string, Attachment[]>()
  for (const attachment of found.attachments) {
    const name = attachment.filename ?? ''
    byName.set(name, [...(byName.get(name) ?? []), attachment])
  }
  for (const one of sent) {
    const accepted = one.answers.filter(({ status }) => status === 200)
    const ids = new Set(accepted.map(({ id }) => id))
    if (ids.size > 1) broken.push(`${one.key} was answered with ${ids.size} attachments`)
    if (one.dangerous && accepted.length > 0) broken.push(`${one.key} was dangerous and was taken`)
    for (const id of ids) {
      const attachment = byId.get(id ?? '')
      if (!attachment) broken.push(`${one.key} was acknowledged as ${id}, which is not there`)
      else if (attachment.state !== 'accepted' || attachment.sha256 !== one.sha256)
        broken.push(`${one.key} was acknowledged and is ${attachment.state} with another digest or state`)
      if (found.served.get(id ?? '') !== one.sha256) broken.push(`${one.key} is not served as it was sent`)
    }
    const records = byName.get(one.filename) ?? []
    if (records.length > 1) broken.push(`${one.key} has ${records.length} records`)
    if (one.answers.length === 0) broken.push(`${one.key} never had an answer`)
    byName.delete(one.filename)
  }
  for (const name of byName.keys()) broken.push(`${name} was sent by nobody`)
  const dangerous = new Set(sent.filter((one) => one.dangerous).map(({ sha256 }) => sha256))
  for (const attachment of found.attachments) broken.push(...ofAttachment(attachment, dangerous, found))
  if (found.pending > 0) broken.push(`${found.pending} confirmations are still owed`)
  if (found.parked > 0) broken.push(`${found.parked} confirmations were given up`)
  return broken
}

function ofAttachment(attachment: Attachment, dangerous: Set<string>, { said, served }: Found): string[] {
  const { id, state, verdicts, conversationId, confirmation } = attachment
  const broken: string[] = []
  if (state === 'accepted' && !verdicts.some(({ verdict }) => verdict === 'clean'))
    broken.push(`${id} was never judged clean`)
  if (served.get(id) !== undefined && served.get(id) !== null && dangerous.has(served.get(id)!))
    broken.push(`${id} is served and dangerous`)
  if (state !== 'accepted' && served.get(id)) broken.push(`${id} is ${state} and served`)
  if (conversationId === null) return broken
  const times = (said.get(conversationId) ?? []).filter((text) => text.includes(reference(id))).length
  if (times === 0) broken.push(`${id} was never confirmed`)
  if (times > 2) broken.push(`${id} was confirmed ${times} times`)
  if (times === 2 && !confirmation?.possiblyRepeated) broken.push(`${id} was confirmed twice and says nothing of it`)
  return broken
}
