import type { Kysely } from 'kysely'
import type { AttachmentState, Door } from '../../attachment.ts'
import type { Schema } from '../schema.ts'

/** What came in on one day (UTC, YYYY-MM-DD) through one door, and is in this state by now. */
export interface FilesOfDay {
  day: string
  door: Door
  state: AttachmentState
  files: number
  bytes: number
}

const dayMs = 24 * 60 * 60 * 1000

/** From one day to another, both included, the oldest first. Days on which nothing came are not in it. */
export async function filesByDay(db: Kysely<Schema>, { from, to }: { from: Date; to: Date }): Promise<FilesOfDay[]> {
  const rows = await db
    .selectFrom('files_by_day')
    .where('day', '>=', Math.floor(from.getTime() / dayMs))
    .where('day', '<=', Math.floor(to.getTime() / dayMs))
    .groupBy(['day', 'door', 'state'])
    .orderBy('day')
    .orderBy('door')
    .orderBy('state')
    .select(({ fn }) => [
      'day',
      'door',
      'state',
      fn.sum<number>('files').as('files'),
      fn.sum<number>('bytes').as('bytes'),
    ])
    .execute()
  return rows
    .map(({ day, door, state, files, bytes }) => ({
      day: new Date(Number(day) * dayMs).toISOString().slice(0, 10),
      door: door as Door,
      state: state as AttachmentState,
      files: Number(files),
      bytes: Number(bytes),
    }))
    .filter(({ files }) => files > 0)
}

/** How many files the storage holds, and their bytes before they were sealed. */
export async function storedFiles(db: Kysely<Schema>): Promise<{ files: number; bytes: number }> {
  const { files, bytes } = await db
    .selectFrom('files_by_day')
    .select(({ fn }) => [
      fn.sum<number | null>('stored_files').as('files'),
      fn.sum<number | null>('stored_bytes').as('bytes'),
    ])
    .executeTakeFirstOrThrow()
  return { files: Number(files ?? 0), bytes: Number(bytes ?? 0) }
}
