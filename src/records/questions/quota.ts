import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'

/** How much a conversation may send on one day (UTC). Null: as much as it likes. */
export interface Quota {
  filesPerDay: number | null
  bytesPerDay: number | null
}

/** What one file uses of it: refused files count as files, their bytes do not. */
export interface QuotaUse {
  conversationId: string
  /** YYYY-MM-DD, UTC. */
  day: string
  /** Of an accepted file. */
  bytes: number
  quota: Quota
}

/** Uses up a part of the quota. False: that would be too much, and nothing was changed. One statement, so that many at once keep to it. */
export async function useQuota(db: Kysely<Schema>, { conversationId, day, bytes, quota }: QuotaUse): Promise<boolean> {
  const { filesPerDay, bytesPerDay } = quota
  if (bytesPerDay !== null && bytes > bytesPerDay) return false
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('conversation_usage')
    .values({ conversation_id: conversationId, day, files: 1, bytes })
    .onConflict((conflict) => {
      let update = conflict.columns(['conversation_id', 'day']).doUpdateSet(({ eb, ref }) => ({
        files: eb(ref('conversation_usage.files'), '+', 1),
        bytes: eb(ref('conversation_usage.bytes'), '+', bytes),
      }))
      if (filesPerDay !== null) update = update.where('conversation_usage.files', '<', filesPerDay)
      if (bytesPerDay !== null) update = update.where('conversation_usage.bytes', '<=', bytesPerDay - bytes)
      return update
    })
    .executeTakeFirstOrThrow()
  return Boolean(numInsertedOrUpdatedRows)
}

/** What a conversation has used on a day. */
export async function quotaUsed(
  db: Kysely<Schema>,
  { conversationId, day }: { conversationId: string; day: string },
): Promise<{ files: number; bytes: number }> {
  const row = await db
    .selectFrom('conversation_usage')
    .select(['files', 'bytes'])
    .where('conversation_id', '=', conversationId)
    .where('day', '=', day)
    .executeTakeFirst()
  return { files: Number(row?.files ?? 0), bytes: Number(row?.bytes ?? 0) }
}

export async function forgetUsage(db: Kysely<Schema>, beforeDay: string): Promise<void> {
  await db.deleteFrom('conversation_usage').where('day', '<', beforeDay).execute()
}
