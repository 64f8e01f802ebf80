import type { Attachment } from '../../attachment.ts'
import type { Clock } from '../../clock.ts'
import { NotFound } from '../../errors.ts'
import type { Ask } from '../../records/questions/lookups.ts'
import type { Records } from '../../records/records.ts'
import type { Puller } from './puller.ts'

/** What was found in a conversation, or with one message of it, and how it stands. */
export interface PullAnswer {
  /** `pending`: something is still on its way, and goes on without the caller. */
  status: 'done' | 'pending'
  count: number
  accepted: number
  refused: number
  /** What the customer can be told; empty when nothing was found. */
  sentence: string
  /** Newest first. */
  attachments: Attachment[]
}

/** The pull door: somebody says that a conversation or a message may have brought files, and is told what was found. */
export interface PullDoor {
  /**
   * Keeps that this is to be looked at, and waits for the outcome at most `waitMs`. Throws `NotFound` when the platform
   * knows no such conversation or message, and `Unavailable` of the records.
   */
  pull(asked: Ask, waitMs: number): Promise<PullAnswer>
}

export interface PullParts {
  records: Pick<Records, 'askLookups' | 'lookupState' | 'pulledOf'>
  puller: Pick<Puller, 'wake' | 'settled'>
  sentenceOf(attachments: Attachment[], language: string | null): string
  clock: Clock
}

/** Of one conversation, so many are told. */
const mostTold = 100

/** Another process may settle what we wait for. */
const lookEveryMs = 250

export function createPullDoor({ records, puller, sentenceOf, clock }: PullParts): PullDoor {
  async function found({ conversationId, messageId, language }: Ask): Promise<PullAnswer> {
    const lookup = await records.lookupState({ conversationId, messageId })
    if (lookup?.state === 'missing') throw new NotFound('conversation or message')
    const attachments = await records.pulledOf({ conversationId, messageId, limit: mostTold })
    const count = (state: Attachment['state']) => attachments.filter((one) => one.state === state).length
    return {
      // What was given up is asked for again by the next who asks.
      status: lookup?.state !== 'done' || count('fetching') > 0 ? 'pending' : 'done',
      count: attachments.length,
      accepted: count('accepted'),
      refused: count('refused'),
      sentence: sentenceOf(attachments, language),
      attachments,
    }
  }

  return {
    async pull(asked, waitMs) {
      const until = clock.now().getTime() + waitMs
      await records.askLookups({ asks: [asked], at: clock.now() })
      puller.wake()
      for (;;) {
        const answer = await found(asked)
        const leftMs = until - clock.now().getTime()
        if (answer.status === 'done' || leftMs <= 0) return answer
        await puller.settled(Math.min(leftMs, lookEveryMs))
      }
    },
  }
}
