import type { Kysely } from 'kysely'
import type { AttachmentId, Verdict } from '../../attachment.ts'
import type { Schema } from '../schema.ts'
import { askCompiled } from './compiled.ts'
import { together } from './together.ts'

/** What an engine said of these bytes, by signatures that it named. */
export type KnownVerdict = Verdict & { signatures: string }

/** What is known of bytes, by keyed digests of theirs, and not older than that. */
export async function knownVerdicts(
  db: Kysely<Schema>,
  { digests, since }: { digests: string[]; since: Date },
): Promise<KnownVerdict[]> {
  const rows = await askCompiled(
    db,
    `verdicts by ${digests.length} digests`,
    () =>
      db
        .selectFrom('verdicts')
        .select(['engine', 'signatures', 'verdict', 'detail', 'at'])
        .where('digest', 'in', digests)
        .where('at', '>=', since.getTime()),
    [...digests, since.getTime()],
  )
  return rows.map(({ engine, signatures, verdict, detail, at }) => ({
    engine,
    signatures,
    verdict: verdict as Verdict['verdict'],
    ...(detail !== null && { detail }),
    at: new Date(at).toISOString(),
  }))
}

export interface NewVerdicts {
  /** The keyed digest of the bytes. */
  digest: string
  verdicts: KnownVerdict[]
}

/** The newest of an engine is kept. */
export async function keepVerdicts(
  db: Kysely<Schema>,
  { digest, verdicts, attachmentId }: NewVerdicts & { attachmentId: AttachmentId },
): Promise<void> {
  await together(...verdicts.map((one) => keepVerdict(db, { digest, attachmentId, ...one })))
}

async function keepVerdict(
  db: Kysely<Schema>,
  { digest, attachmentId, ...said }: KnownVerdict & { digest: string; attachmentId: AttachmentId },
): Promise<void> {
  const row = {
    digest,
    engine: said.engine,
    signatures: said.signatures,
    verdict: said.verdict,
    detail: said.detail ?? null,
    at: Date.parse(said.at),
    attachment_id: attachmentId,
  }
  await askCompiled(
    db,
    'keep a verdict',
    () =>
      db
        .insertInto('verdicts')
        .values(row)
        .onConflict((conflict) =>
          conflict.columns(['digest', 'engine']).doUpdateSet(({ ref }) => ({
            signatures: ref('excluded.signatures'),
            verdict: ref('excluded.verdict'),
            detail: ref('excluded.detail'),
            at: ref('excluded.at'),
            attachment_id: ref('excluded.attachment_id'),
          })),
        ),
    Object.values(row),
  )
}

export async function forgetVerdicts(db: Kysely<Schema>, { before }: { before: Date }): Promise<void> {
  await db.deleteFrom('verdicts').where('at', '<', before.getTime()).execute()
}
