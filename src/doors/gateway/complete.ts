import type { Attachment } from '../../attachment.ts'
import type { Clock } from '../../clock.ts'
import { Unavailable } from '../../errors.ts'
import type { GenesysClient } from '../../genesys/client.ts'
import { deliveryByMessage } from '../../intake/deliveries.ts'
import { createLoop, type Loop } from '../../loop.ts'
import { nextAttemptAt } from '../../outbox/timetable.ts'
import type { SentFile } from '../../records/questions/gateway.ts'
import type { Records } from '../../records/records.ts'
import { causes, type Events } from '../../telemetry/events.ts'

export interface CompleteOptions {
  records: Pick<Records, 'leaseSentFiles' | 'retrySentFile' | 'completeFile' | 'attachment'>
  genesys: Pick<GenesysClient, 'getMessage'>
  /** Null: nothing is confirmed. */
  confirm: { languageOf(asked: string | null): string } | null
  /** Something is owed. */
  wake(): void
  clock: Clock
  events: Pick<Events, 'gatewayCompleted' | 'gatewayIncomplete' | 'gatewayFailed'>
  random?: () => number
}

const restMs = 2000
/** Nobody else takes it for so long. */
const leaseMs = 120_000
const atOnce = 4

/**
 * Finds the conversation of files whose message has come back as an echo: no frame of a guest carries it, and the platform tells it by
 * the message's id (FACTS 1.5). Then the record is complete and a confirmation is owed.
 */
export function createCompleter(options: CompleteOptions): Loop {
  const { records, genesys, confirm, clock, events } = options

  async function round(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = clock.now()
      const due = await records.leaseSentFiles({ now, until: new Date(now.getTime() + leaseMs), limit: atOnce })
      if (due.length === 0) return
      await Promise.all(due.map(complete))
    }
  }

  async function complete(file: SentFile): Promise<void> {
    try {
      const { conversationId } = await genesys.getMessage(file.messageId)
      if (!conversationId) throw new Unavailable('the message belongs to no conversation yet')
      const attachment = await records.attachment(file.attachmentId)
      await settle(file, attachment, conversationId)
    } catch (error) {
      const { error: reason } = causes(error)
      const { random = Math.random } = options
      const nextAt = nextAttemptAt(file.attempts + 1, clock.now(), { retryAfterSeconds: null, random })
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
