import type { Attachment } from '../../attachment.ts'
import type { Clock } from '../../clock.ts'
import { Unavailable } from '../../errors.ts'
import type { GenesysClient } from '../../genesys/client.ts'
import { deliveryByMessage } from '../../intake/deliveries.ts'
import { createLoop, type Loop } from '../../loop.ts'
import { nextAttemptAt } from '../../outbox/timetable.ts'
import type { NotedMessage, SentFile } from '../../records/questions/gatewaySent.ts'
import type { Records } from '../../records/records.ts'
import { causes, type Events } from '../../telemetry/events.ts'

export interface CompleteOptions {
  records: Pick<
    Records,
    | 'leaseSentFiles'
    | 'retrySentFile'
    | 'completeFile'
    | 'attachment'
    | 'leaseMessages'
    | 'retryMessage'
    | 'foundMessage'
  >
  genesys: Pick<GenesysClient, 'getMessage'>
  /** Null: nothing is confirmed. */
  confirm: { languageOf(asked: string | null): string } | null
  /** Something is owed. */
  wake(): void
  clock: Clock
  events: Pick<Events, 'gatewayCompleted' | 'gatewayIncomplete' | 'gatewayMessageNotFound' | 'gatewayFailed'>
  random?: () => number
}

const restMs = 2000
/** Nobody else takes it for so long. */
const leaseMs = 120_000
const atOnce = 4

/**
 * Finds the conversation of files whose message has come back as an echo: no frame of a guest carries it, and the platform tells it by
 * the message's id (FACTS 1.5). Then the record is complete and a confirmation is owed. Of messages of our own side it tells the pull door.
 */
export function createCompleter(options: CompleteOptions): Loop {
  const { records, genesys, confirm, clock, events } = options

  async function round(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = clock.now()
      const term = { now, until: new Date(now.getTime() + leaseMs), limit: atOnce }
      const files = await records.leaseSentFiles(term)
      const messages = await records.leaseMessages(term)
      if (files.length + messages.length === 0) return
      await Promise.all([...files.map(complete), ...messages.map(find)])
    }
  }

  /** Of our side: the pull door fetches what came with it. */
  async function find({ messageId, attempts }: NotedMessage): Promise<void> {
    try {
      const conversationId = await conversationOf(messageId)
      await records.foundMessage({ messageId, conversationId, at: clock.now() })
      options.wake()
    } catch (error) {
      const { error: reason } = causes(error)
      const nextAt = next(attempts)
      await records.retryMessage({ messageId, nextAt })
      events.gatewayMessageNotFound(messageId, reason, nextAt)
    }
  }

  async function conversationOf(messageId: string): Promise<string> {
    const { conversationId } = await genesys.getMessage(messageId)
    if (!conversationId) throw new Unavailable('the message belongs to no conversation yet')
    return conversationId
  }

  const next = (attempts: number) =>
    nextAttemptAt(attempts + 1, clock.now(), { retryAfterSeconds: null, random: options.random ?? Math.random })

  async function complete(file: SentFile): Promise<void> {
    try {
      const conversationId = await conversationOf(file.messageId)
      const attachment = await records.attachment(file.attachmentId)
      await settle(file, attachment, conversationId)
    } catch (error) {
      const { error: reason } = causes(error)
      const nextAt = next(file.attempts)
      await records.retrySentFile({ ...file, nextAt, reason: reason.slice(0, 500) })
      events.gatewayIncomplete(file.attachmentId, reason, nextAt)
    }
  }

  async function settle(file: SentFile, attachment: Attachment | null, conversationId: string): Promise<void> {
    const { attachmentId, messageId, language } = file
    const done = await records.completeFile({
      ...file,
      conversationId,
      delivery: attachment && deliveryByMessage(attachment, { conversationId, messageId }),
      confirmation: confirm && { language: confirm.languageOf(language) },
      at: clock.now(),
    })
    if (!done) return
    events.gatewayCompleted(attachmentId, conversationId)
    options.wake()
  }

  return createLoop({ round, restMs, clock, failed: events.gatewayFailed })
}
