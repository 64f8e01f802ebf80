import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startCutProxy } from '../../../tests/cutProxy.ts'
import { entry, settlement } from '../../../tests/fixtures/settlements.ts'
import { hasPostgres, postgresForThisFile, statement } from '../../../tests/postgres.ts'
import { type Clock, systemClock } from '../../clock.ts'
import { OutcomeUnknown, Unavailable } from '../../errors.ts'
import type { Records } from '../records.ts'
import { postgresRecords } from './postgres.ts'

describe.skipIf(!hasPostgres)('needs apt-get install --no-install-recommends postgresql', () => {
  const postgres = postgresForThisFile()

  /** Its time passes with its waits alone, a hundred times as fast. */
  function fastClock(): Clock {
    let ahead = 0
    return {
      now: () => new Date(Date.now() + ahead),
      async wait(ms, signal) {
        ahead += ms * 100
        await systemClock.wait(Math.min(ms, 10), signal)
      },
    }
  }
  async function opened() {
    const url = await postgres.database()
    return { url, records: over(url), run: (sql: string, parameters?: unknown[]) => statement(url, sql, parameters) }
  }
  function over(url: string, clock?: Clock): Records {
    const records = postgresRecords(url, clock)
    onTestFinished(() => records.close())
    return records
  }
  const names = async (records: Records) =>
    (await records.listAttachments({ limit: 200 })).map(({ filename }) => filename).sort()

  describe('records of several processes over one database', () => {
    it('have a chain of the audit trail each, and all are whole', async () => {
      const { url, records } = await opened()
      const others = [over(url), over(url)]
      const all = [records, ...others]
      await Promise.all(all.flatMap((one) => Array.from({ length: 40 }, () => one.settle(settlement()))))
      const heads = await records.auditHeads()
      expect(heads.map(({ seq }) => seq)).toEqual([40, 40, 40])
      for (const head of heads) {
        const { whole, broken } = await records.verifyAudit({ node: head.node, after: null, limit: 100 })
        expect([whole, broken]).toEqual([40, null])
        expect(await records.auditHas(head)).toBe(true)
      }
    })

    it('settle a delivery that comes to several at once only once, and give every other the winner', async () => {
      const { url, records } = await opened()
      const all = [records, over(url), over(url)]
      for (let round = 0; round < 10; round++) {
        const delivery = { scope: 'key:tests', key: `round ${round}`, fingerprint: 'same' }
        const asked = all.map(() => settlement({ filename: `${round}` }, { delivery }))
        const answers = await Promise.all(all.map((one, i) => one.settle(asked[i]!)))
        const won = answers.findIndex(({ kind }) => kind === 'settled')
        const others = answers.filter((_, i) => i !== won)
        expect(others).toEqual(
          others.map(() => ({ kind: 'already', earlier: { fingerprint: 'same', answer: asked[won]!.attachment } })),
        )
      }
      expect(await records.listAttachments({ limit: 200 })).toHaveLength(10)
    })

    it('lease what is due to one of them each, and of a conversation one at a time', async () => {
      const { url, records } = await opened()
      const all = [records, over(url), over(url)]
      for (let i = 0; i < 30; i++) await records.settle(settlement({ conversationId: `c${i % 10}` }))
      const now = new Date(Date.now() + 3_600_000)
      const until = new Date(now.getTime() + 60_000)
      const leased = await Promise.all(
        all.map((one, i) => one.leaseConfirmations({ lease: `courier ${i}`, now, until, limit: 10 })),
      )
      const conversations = leased.flat().map(({ conversationId }) => conversationId)
      expect(conversations.sort()).toEqual([...new Set(conversations)])
      expect(conversations).toHaveLength(10)
    })

    it('use up a ticket no further than it goes, whoever is asked', async () => {
      const { url, records } = await opened()
      const all = [records, over(url), over(url)]
      const now = new Date()
      const expiresAt = new Date(now.getTime() + 60_000)
      const ticket = { digest: 'd', conversationId: 'c', messageId: null, language: null, issuedBy: 'tests' }
      await records.keepTicket({ ...ticket, maxFiles: 7, issuedAt: now, expiresAt, audit: entry() })
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, i) =>
          all[i % 3]!.settle(settlement({}, { spend: { kind: 'ticket', digest: 'd', now } })),
        ),
      )
      expect(answers.filter(({ kind }) => kind === 'settled')).toHaveLength(7)
      expect(answers.filter(({ kind }) => kind === 'spent')).toHaveLength(23)
    })

    it('ask a second person, and not the same twice, when two ask at once', async () => {
      const { url, records } = await opened()
      const all = [records, over(url)]
      for (let round = 0; round < 10; round++) {
        const one = settlement({ state: 'quarantined' }, { hold: { waitsFor: 'person', until: new Date(8e12) } })
        await records.settle(one)
        const { id } = one.attachment
        const answers = await Promise.all(
          all.map((asked, i) => asked.askRelease({ id, by: `person ${i}`, at: new Date(), audit: entry() })),
        )
        expect(answers.sort()).toEqual(['agreed', 'asked'])
      }
    })

    it('go on with the chain that a process has left, also one that was killed', async () => {
      const { url, records, run } = await opened()
      await records.settle(settlement())
      const [before] = await records.auditHeads()
      await run(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      )
      const next = over(url)
      await next.settle(settlement())
      expect(await next.auditHeads()).toEqual([{ node: before!.node, seq: 2, digest: expect.any(String) }])
    })

    it('retire a master key, or have a file under it, and never both', async () => {
      const { url, records } = await opened()
      const [two, three] = [over(url), over(url)]
      const by = { at: new Date(), who: 'tests', requestId: null }
      const hold = (id: string) =>
        records.holdMasterKeys({
          holder: { process: null, ids: [...ids, id], wrapsWith: null },
          newest: id,
          made: false,
          by,
        })
      const ids = ['mk_0']
      await hold('mk_0')
      for (let round = 0; round < 30; round++) {
        const masterKeyId = `mk_${round}`
        await hold(`mk_${round + 1}`)
        ids.push(`mk_${round + 1}`)
        const key = () => ({ masterKeyId, wrapped: randomBytes(61) })
        const settle = (one: Records) => one.settle(settlement({}, { key: key() }))
        const at = new Date(Date.now() + 3_600_000)
        const [retired, ...settled] = await Promise.all([
          three.retireMasterKey({ id: masterKeyId, by: { ...by, at } }),
          settle(records),
          settle(two),
        ])
        const under = settled.filter(({ kind }) => kind === 'settled').length
        expect(await records.filesUnder([masterKeyId])).toBe(under)
        expect(retired.kind).toBe(under === 0 ? 'retired' : 'needed')
        expect(await settle(two)).toEqual({ kind: under === 0 ? 'key_retired' : 'settled' })
      }
    })

    it('wait for a file that is being settled under a master key before it is retired', async () => {
      const { url, records } = await opened()
      const by = { at: new Date(), who: 'tests', requestId: null }
      for (const ids of [['mk_a'], ['mk_a', 'mk_b']])
        await records.holdMasterKeys({
          holder: { process: null, ids, wrapsWith: null },
          newest: ids.at(-1)!,
          made: false,
          by,
        })
      const client = new pg.Client(url)
      await client.connect()
      onTestFinished(() => client.end())
      // As `settle` does, between its statements and its commit.
      await client.query('BEGIN')
      await client.query("SELECT retired_at FROM master_keys WHERE id = 'mk_a' FOR SHARE")
      await client.query("INSERT INTO data_keys VALUES ('att_1', 'mk_a', '\\x00')")
      const retiring = records.retireMasterKey({ id: 'mk_a', by: { ...by, at: new Date(Date.now() + 3_600_000) } })
      const waits = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
      while ((await statement(url, waits))[0]?.n === 0);
      await client.query('COMMIT')
      expect(await retiring).toMatchObject({ kind: 'needed', by: { files: 1 } })
    })

    it('make one key current, whichever several bring at once', async () => {
      const { url, records } = await opened()
      const all = [records, over(url), over(url), over(url)]
      const by = { at: new Date(), who: 'tests', requestId: null }
      const answers = await Promise.all(
        all.map((one, i) =>
          one.holdMasterKeys({
            holder: { process: `p${i}`, ids: [`mk_${i}`], wrapsWith: null },
            newest: `mk_${i}`,
            made: false,
            by,
          }),
        ),
      )
      const held = answers.filter(({ kind }) => kind === 'held')
      expect(held).toHaveLength(1)
      expect((await records.masterKeys()).map(({ state }) => state)).toEqual(['current'])
    })

    it('tell each other that there is something to do', async () => {
      const { url, records } = await opened()
      const other = over(url)
      let told = () => {}
      // The first word is of the listening itself.
      const listens = new Promise<void>((resolve) => (told = resolve))
      other.onWork(() => told())
      await listens
      const word = new Promise<void>((resolve) => (told = resolve))
      const began = new Promise<void>((resolve) => records.onWork(resolve))
      await began
      await records.settle(settlement())
      await word
    })
  })

  describe('changes', () => {
    it('are made again when another was in their way', async () => {
      const { records, run } = await opened()
      await run('CREATE SEQUENCE tries')
      await run(`
        CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF nextval('tries') < 4 THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '40001'; END IF;
          RETURN new;
        END $$`)
      await run('CREATE TRIGGER conflict BEFORE INSERT ON attachments FOR EACH ROW EXECUTE FUNCTION conflict()')
      await Promise.all(['a', 'b', 'c'].map((filename) => records.settle(settlement({ filename }))))
      expect(await names(records)).toEqual(['a', 'b', 'c'])
      expect(await records.auditHeads()).toMatchObject([{ seq: 3 }])
    })

    it('do not fail with a neighbour that fails', async () => {
      const { records, run } = await opened()
      await run("ALTER TABLE attachments ADD CONSTRAINT no_bad CHECK (filename <> 'bad')")
      const outcomes = await Promise.allSettled(
        ['a', 'bad', 'b'].map((filename) => records.settle(settlement({ filename }))),
      )
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect((outcomes[1] as PromiseRejectedResult).reason).not.toBeInstanceOf(Unavailable)
      expect(await names(records)).toEqual(['a', 'b'])
    })

    it('leave nothing of one that the commit itself refuses, and say that it is safe to try again', async () => {
      const { records, run } = await opened()
      await run('CREATE TABLE parents (id TEXT PRIMARY KEY)')
      await run('CREATE TABLE children (id TEXT REFERENCES parents DEFERRABLE INITIALLY DEFERRED)')
      await run(`
        CREATE FUNCTION orphan() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO children VALUES ('nobody'); RETURN new; END $$`)
      await run(
        "CREATE TRIGGER orphan BEFORE INSERT ON attachments FOR EACH ROW WHEN (new.filename = 'orphan') EXECUTE FUNCTION orphan()",
      )
      const outcomes = await Promise.allSettled(
        ['a', 'orphan', 'b'].map((filename) => records.settle(settlement({ filename }))),
      )
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect((outcomes[1] as PromiseRejectedResult).reason).not.toBeInstanceOf(OutcomeUnknown)
      expect(await names(records)).toEqual(['a', 'b'])
      const [head] = await records.auditHeads()
      expect(await records.verifyAudit({ node: head!.node, after: null, limit: 10 })).toMatchObject({
        whole: 2,
        broken: null,
      })
    })

    it('of the audit trail cannot be undone by a statement', async () => {
      const { records, run } = await opened()
      await records.audit(entry())
      await expect(run("UPDATE audit SET who = 'other'")).rejects.toThrow('never changed')
      await expect(run('DELETE FROM audit')).rejects.toThrow('never deleted')
      await expect(run('TRUNCATE audit')).rejects.toThrow('never deleted')
    })
  })

  describe('a database that goes away', () => {
    /** Records through a proxy before the server, which cuts everything, or just before or after what it answers to a COMMIT. */
    async function cuttable() {
      const url = new URL(await postgres.database())
      url.search = ''
      let cutCommit: 'before' | 'after' | null = null
      const { port, cut, refuse } = await startCutProxy(
        { port: postgres.server().port, host: '127.0.0.1' },
        (chunk, { client, server }) => {
          if (!cutCommit || !chunk.includes('COMMIT\0')) return false
          if (cutCommit === 'before') client.destroy()
          else {
            server.removeAllListeners('data')
            server.once('data', () => client.destroy())
            server.write(chunk)
          }
          cutCommit = null
          return true
        },
      )
      url.port = String(port)
      const cutNextCommit = (when: 'before' | 'after') => (cutCommit = when)
      return { records: over(url.href, fastClock()), cutAll: cut, cutNextCommit, refuse }
    }

    it('only delays, when its connections are cut and come back', async () => {
      const { records, cutAll } = await cuttable()
      for (let round = 0; round < 5; round++) {
        await records.settle(settlement({ filename: `${round}` }))
        cutAll()
        expect(await names(records)).toHaveLength(round + 1)
        cutAll()
      }
    })

    it.each(['before', 'after'] as const)(
      'leaves the outcome of a commit unknown that is cut %s the server has taken it, and goes on',
      async (when) => {
        const { records, cutNextCommit } = await cuttable()
        await records.settle(settlement({ filename: 'first' }))
        cutNextCommit(when)
        await expect(records.settle(settlement({ filename: 'cut' }))).rejects.toThrow(OutcomeUnknown)
        await records.settle(settlement({ filename: 'last' }))
        expect(await names(records)).toEqual(when === 'before' ? ['first', 'last'] : ['cut', 'first', 'last'])
        for (const { node, seq } of await records.auditHeads())
          expect(await records.verifyAudit({ node, after: null, limit: 10 })).toMatchObject({
            whole: seq,
            broken: null,
          })
      },
    )

    it('is said to be unavailable, both ways, and is used again when it is back', async () => {
      const { records, refuse, cutAll } = await cuttable()
      await records.check()
      refuse(true)
      cutAll()
      await expect(records.masterKeyIds()).rejects.toThrow(Unavailable)
      const failure = await records.settle(settlement()).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(Unavailable)
      expect(failure).not.toBeInstanceOf(OutcomeUnknown)
      // Who comes while it is known to be away is told at once.
      await expect(records.check()).rejects.toThrow(Unavailable)
      refuse(false)
      await records.settle(settlement())
      await records.check()
    })

    it('survives its server being stopped and started', async () => {
      const { records } = await opened()
      await records.settle(settlement({ filename: 'before' }))
      await postgres.server().stop()
      const during = records.settle(settlement({ filename: 'during' }))
      await postgres.server().startAgain()
      await during
      expect(await names(records)).toEqual(['before', 'during'])
    })
  })
})
