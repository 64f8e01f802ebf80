import type { Clock } from '../clock.ts'
import { Throttled } from '../errors.ts'
import type { Quota, QuotaUse } from '../records/questions/quota.ts'
import type { Records } from '../records/records.ts'

/** What each conversation, or each session of the gateway, may send on a day. The commit of a record decides; here it is foreseen. */
export interface Quotas {
  /** Throws `Throttled` when not one more file may come today, before more work is done for it. */
  foresee(conversationId: string | null): Promise<void>
  /** Null: it has no quota. */
  useOf(conversationId: string | null, acceptedBytes: number): QuotaUse | null
  exceeded(): Throttled
}

export function createQuotas(quota: Quota, records: Pick<Records, 'quotaUsed'>, clock: Clock): Quotas {
  const isLimited = quota.filesPerDay !== null || quota.bytesPerDay !== null
  const day = () => dayOf(clock.now())
  const exceeded = () => new Throttled('quota_exceeded', secondsToNextDay(clock.now()))
  return {
    async foresee(conversationId) {
      if (!isLimited || conversationId === null) return
      const { files, bytes } = await records.quotaUsed({ conversationId, day: day() })
      if (quota.filesPerDay !== null && files >= quota.filesPerDay) throw exceeded()
      if (quota.bytesPerDay !== null && bytes >= quota.bytesPerDay) throw exceeded()
    },
    useOf: (conversationId, bytes) =>
      isLimited && conversationId !== null ? { conversationId, day: day(), bytes, quota } : null,
    exceeded,
  }
}

/** YYYY-MM-DD, UTC. */
function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10)
}

function secondsToNextDay(time: Date): number {
  return Math.ceil((Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate() + 1) - time.getTime()) / 1000)
}
