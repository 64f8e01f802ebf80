import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { truncate } from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryRecords } from '../../../tests/database.ts'
import { entry, erasure, later, settlement } from '../../../tests/fixtures/settlements.ts'
import type { AttachmentId } from '../../attachment.ts'
import { OutcomeUnknown, Unavailable } from '../../errors.ts'
import { openDatabase } from './database.ts'

async function opened() {
  const { records, path, close } = await temporaryRecords()
  onTestFinished(close)
  /** On a connection of our own, as another process would. */
  const run = (sql: string) => {
    const database = openDatabase(path)
    database.exec(sql)
    database.close()
  }
  const settled = async () => (await records.listAttachments({ limit: 200 })).map(({ filename }) => filename).sort()
  return { records, path, run, settled }
}

/** All that lies in the database's files. Read by another process: closing a handle of ours would drop SQLite's locks. */
function rawBytes(path: string): Buffer {
  const files = [path, `${path}-wal`, `${path}-shm`].filter((file) => existsSync(file))
  return execFileSync('cat', files, { maxBuffer: 64 * 1024 * 1024 })
}

describe('an erased attachment', () => {
  it.each([
    ['short', 'passport-of-jane-doe.jpg'],
    ['of several pages', `${'passport-of-jane-doe-'.repeat(600)}.jpg`],
  ])(
    'with a name that is %s leaves no key, name, digest or answer in the bytes of the database files',
    async (_, filename) => {
      const { records, path } = await opened()
      const neighbours = Array.from({ length: 150 }, (_, i) => settlement({ filename: `neighbour-${i}.jpg` }))
      const some = Array.from({ length: 5 }, () => settlement({ filename, detail: 'Jane Doe', verdicts: [] }))
      const mixed = neighbours.flatMap((one, i) => (i % 30 === 7 ? [one, some[Math.floor(i / 30)]!] : [one]))
      await Promise.all(mixed.map((one) => records.settle(one)))
      const traces = some.flatMap(({ attachment, key, delivery }) => [
        Buffer.from(key!.wrapped),
        Buffer.from(key!.wrapped).subarray(10, 40),
        Buffer.from(attachment.sha256!),
        Buffer.from(delivery!.fingerprint),
      ])
      traces.push(Buffer.from('passport'), Buffer.from('Jane Doe'))
      expect(traces.every((trace) => rawBytes(path).includes(trace))).toBe(true)

      for (const { attachment } of some) await records.erase(erasure(attachment.id))
      await records.truncateLog()

      const raw = rawBytes(path)
      expect(traces.filter((trace) => raw.includes(trace))).toEqual([])
      expect(raw.includes(Buffer.from(neighbours[0]!.key!.wrapped))).toBe(true)
      expect(await records.listAttachments({ q: 'neighbour', limit: 200 })).toHaveLength(150)
    },
  )

  it('whose key was wrapped anew leaves neither of its wrapped keys in the bytes of the database files', async () => {
    const { records, path } = await opened()
    const all = Array.from({ length: 300 }, () => settlement())
    await Promise.all(all.map((one) => records.settle(one)))
    const keys = all.map(({ attachment, key }) => ({
      attachmentId: attachment.id,
      from: key!,
      to: { masterKeyId: 'mk_fedcba9876543210', wrapped: randomBytes(61) },
    }))
    await records.rewrapKeys({ keys })
    const some = keys.filter((_, i) => i % 30 === 7)
    for (const { attachmentId } of some) await records.erase(erasure(attachmentId as AttachmentId))
    await records.truncateLog()
    const raw = rawBytes(path)
    const traces = some.flatMap(({ from, to }) =>
      [from, to].map(({ wrapped }) => Buffer.from(wrapped).subarray(10, 40)),
    )
    expect(traces.filter((trace) => raw.includes(trace))).toEqual([])
    expect(raw.includes(Buffer.from(keys[0]!.to.wrapped))).toBe(true)
  })

  it('that was never fetched, or was, leaves no name in the bytes of the database files', async () => {
    const { records, path } = await opened()
    const learned = Array.from({ length: 300 }, (_, i) => ({
      messageId: `m${i}`,
      sourceId: 'a',
      filename: i % 10 === 3 ? `passport-of-jane-${i}.jpg` : `neighbour-${i}.jpg`,
      declaredType: 'image/jpeg',
      sentBy: null,
    }))
    const [now, until] = [later(0), later(60)]
    await records.askLookups({ asks: [{ conversationId: 'c1', messageId: null, language: null }], at: now })
    const [leased] = await records.leaseLookups({ lease: 'l', now, until, limit: 1, backfills: false })
    await records.settleLookup({ leased: leased!, outcome: { kind: 'done', learned, scan: 'off' }, at: now })
    expect(rawBytes(path).includes('passport')).toBe(true)
    const fetches = await records.leaseFetches({ lease: 'f', now, until, limit: 300 })
    // Every other one is fetched; the rest is given up, with a reason that makes its row longer.
    for (const [i, fetch] of fetches.entries()) {
      const { attachmentId, lease, filename } = fetch
      const outcome = { kind: 'unfetched' as const, reason: 'a reason '.repeat(40), alert: null }
      if (i % 2) await records.settleFetch({ fetch, outcome, at: now })
      else await records.settle(settlement({ filename }, { fetch: { attachmentId, lease }, delivery: null }))
    }
    const named = fetches.filter(({ filename }) => filename.startsWith('passport'))
    for (const { attachmentId } of named) await records.erase(erasure(attachmentId))
    await records.truncateLog()
    expect(rawBytes(path).includes('passport')).toBe(false)
    expect(await records.listAttachments({ q: 'neighbour', limit: 500 })).toHaveLength(270)
  })
})

describe('the writer', () => {
  it('says that an outcome is unknown when a commit fails, and works again with the next', async () => {
    const { records, run, settled } = await opened()
    // A constraint that is looked at when the commit comes, and does not hold then.
    run(`
      CREATE TABLE parents (id TEXT PRIMARY KEY);
      CREATE TABLE children (id TEXT REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
      CREATE TRIGGER orphan AFTER INSERT ON attachments WHEN new.filename = 'orphan'
      BEGIN INSERT INTO children VALUES ('nobody'); END;
    `)
    const batch = ['a', 'orphan', 'b'].map((filename) => records.settle(settlement({ filename })))
    for (const outcome of await Promise.allSettled(batch))
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(OutcomeUnknown)
    await expect(batch[1]).rejects.toThrow(OutcomeUnknown)
    expect(await records.settle(settlement({ filename: 'after' }))).toEqual({ kind: 'settled' })
    expect(await settled()).not.toContain('orphan')
    expect(await settled()).toContain('after')
    await records.check()
  })

  it('keeps nothing of a transaction that SQLite gives up as a whole, and says that it is safe to try again', async () => {
    const { records, run, settled } = await opened()
    // What a full disk makes SQLite do.
    run(`
      CREATE TRIGGER giveup BEFORE INSERT ON attachments WHEN new.filename = 'full'
      BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END;
    `)
    const alone = await records.settle(settlement({ filename: 'full' })).catch((error: unknown) => error)
    expect(alone).toBeInstanceOf(Unavailable)
    expect(alone).not.toBeInstanceOf(OutcomeUnknown)
    expect((alone as Error).cause).toMatchObject({ message: 'the disk is full' })
    const names = ['a', 'b', 'full', 'c']
    const outcomes = await Promise.allSettled(names.map((filename) => records.settle(settlement({ filename }))))
    const kept = names.filter((_, i) => outcomes[i]!.status === 'fulfilled')
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(Unavailable)
    expect(kept).not.toContain('full')
    expect(await settled()).toEqual([...kept].sort())
    await records.settle(settlement({ filename: 'after' }))
    expect(await settled()).toContain('after')
  })

  it('does not call a fault of ours a fault of the database', async () => {
    const { records } = await opened()
    const one = settlement()
    await records.settle(one)
    const failure = await records.settle({ ...one, delivery: null }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Error)
    expect(failure).not.toBeInstanceOf(Unavailable)
  })

  it('cannot be asked what cannot be sent to it, and is not held up by that', async () => {
    const { records } = await opened()
    const unsendable = { ...settlement(), audit: (() => {}) as never }
    await expect(records.settle(unsendable)).rejects.toThrow('could not be cloned')
    await records.close()
  })

  it('leaves no link in the audit trail of a commit that fails, and the chain goes on without a gap', async () => {
    const { records, run } = await opened()
    run(`
      CREATE TABLE parents (id TEXT PRIMARY KEY);
      CREATE TABLE children (id TEXT REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
      CREATE TRIGGER orphan AFTER INSERT ON audit WHEN new.who = 'orphan'
      BEGIN INSERT INTO children VALUES ('nobody'); END;
    `)
    await records.audit(entry())
    await expect(records.audit(entry({ who: 'orphan' }))).rejects.toThrow(OutcomeUnknown)
    await records.audit(entry())
    const rows = await records.listAudit({ limit: 10 })
    expect(rows.map(({ seq, who }) => [seq, who])).toEqual([
      [1, 'tests'],
      [2, 'tests'],
    ])
    expect(rows[1]?.previous).toBe(rows[0]?.digest)
  })

  it('lets nobody change or delete a row of the audit trail', async () => {
    const { records, run } = await opened()
    await records.audit(entry())
    expect(() => run("UPDATE audit SET who = 'other'")).toThrow('never changed')
    expect(() => run('DELETE FROM audit')).toThrow('never deleted')
    expect(await records.listAudit({ limit: 10 })).toHaveLength(1)
  })

  it('settles two hundred that come at once', async () => {
    const { records, settled } = await opened()
    await Promise.all(Array.from({ length: 200 }, (_, i) => records.settle(settlement({ filename: `${i}` }))))
    expect(await settled()).toHaveLength(200)
  })
})

describe('the reader', () => {
  it('sees what was settled as soon as that is answered', async () => {
    const { records } = await opened()
    for (let i = 0; i < 20; i++) {
      const one = settlement()
      await records.settle(one)
      expect(await records.attachment(one.attachment.id)).not.toBeNull()
    }
  })

  it('is unavailable while the database is damaged, and asks anew afterwards', async () => {
    const { records, path } = await opened()
    const one = settlement()
    await records.settle(one)
    await records.truncateLog()
    const whole = rawBytes(path)
    await truncate(path, 100)
    await expect(records.attachment(one.attachment.id)).rejects.toThrow(Unavailable)
    execFileSync('sh', ['-c', 'cat > "$1"', 'sh', path], { input: whole.subarray(0, whole.length - 32_768) })
    expect(await records.attachment(one.attachment.id)).toEqual(one.attachment)
  })
})
