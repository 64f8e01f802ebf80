import { describe, expect, it, onTestFinished } from 'vitest'
import type { KeptSession } from '../../src/records/questions/sessions.ts'
import { entry, epoch, later } from '../fixtures/settlements.ts'
import type { OpenedRecords } from './records.ts'

let count = 0

/** A user's session that began at the beginning, and is over after a minute unless it is used. */
export function keptSession(changed: Partial<KeptSession> = {}): KeptSession {
  const id = `ses_${count++}`
  return {
    id,
    digest: `digest of ${id}`,
    kind: 'genesys',
    subject: 'user-1',
    name: 'Maria Agent',
    role: 'agent',
    masterKeyId: 'mk_a',
    token: Buffer.from('sealed'),
    beganAt: epoch,
    expiresAt: later(3600),
    liveUntil: later(60),
    ...changed,
  }
}

/** What every adapter of the records must answer of people who have signed in, and of accounts. */
export function sessionContract(name: string, open: () => Promise<OpenedRecords>): void {
  async function opened() {
    const { records, close } = await open()
    onTestFinished(close)
    const keep = (session: KeptSession, more: { hash?: string; replaces?: string } = {}) =>
      records.keepSession({
        session,
        account: more.hash === undefined ? null : { hash: more.hash },
        replaces: more.replaces ?? null,
        audit: entry({ what: 'sign_in', object: session.id, outcome: session.role }),
      })
    const begun = async (changed: Partial<KeptSession> = {}) => {
      const session = keptSession(changed)
      expect(await keep(session)).toEqual({ kind: 'kept' })
      return session
    }
    const find = (session: KeptSession, seconds = 0) =>
      records.session({ digests: ['another', session.digest], now: later(seconds) })
    const told = async () =>
      (await records.listAudit({ limit: 100 }))
        .filter(({ what }) => ['sign_in', 'sign_out', 'account_change', 'key_retire'].includes(what))
        .map(({ what, object, outcome }) => `${what} ${object} ${outcome}`)
    const by = (what: 'account_change' | 'sign_out', object: string, outcome: string) =>
      entry({ what, object, outcome })
    const account = (hash = 'hash 1', role: 'reader' | 'admin' = 'reader') =>
      records.addAccount({ name: 'rita', role, hash, audit: by('account_change', 'rita', 'added') })
    return { records, keep, begun, find, told, by, account }
  }

  describe(`records in ${name}: a session`, () => {
    it('is found by its digest as it was kept, and by its id, until its time is over', async () => {
      const { records, begun, find, told } = await opened()
      const [mine, other] = [await begun(), await begun({ kind: 'account', token: null, role: 'admin' })]
      const found = await find(mine)
      expect(found && { ...found, token: Buffer.from(found.token!) }).toEqual(mine)
      expect(await find(other)).toEqual(other)
      expect(await records.session({ digests: ['another'], now: epoch })).toBeNull()
      for (const [seconds, isLive] of [
        [59, true],
        [60, false],
      ] as const) {
        expect((await find(mine, seconds)) !== null).toBe(isLive)
        expect(await records.sessionIsLive({ id: mine.id, now: later(seconds) })).toBe(isLive)
      }
      expect(await records.sessionIsLive({ id: 'ses_none', now: epoch })).toBe(false)
      expect(await told()).toEqual([`sign_in ${mine.id} agent`, `sign_in ${other.id} admin`])
    })

    it('goes on where it is used, as whom its person is now, and never again once it is over', async () => {
      const { records, begun, find } = await opened()
      const session = await begun()
      const touch = (seconds: number, until: number) =>
        records.touchSession({
          id: session.id,
          now: later(seconds),
          liveUntil: later(until),
          name: 'Maria Boss',
          role: 'admin',
        })
      expect(await touch(59, 119)).toBe(true)
      expect(await find(session, 100)).toMatchObject({ name: 'Maria Boss', role: 'admin', liveUntil: later(119) })
      expect(await touch(119, 200)).toBe(false)
      expect(await find(session, 119)).toBeNull()
    })

    it('ends once, and is gone', async () => {
      const { records, begun, find, told, by } = await opened()
      const [mine, other] = [await begun(), await begun()]
      const end = () => records.endSession({ id: mine.id, audit: by('sign_out', mine.id, 'signed out') })
      expect([await end(), await end()]).toEqual([true, false])
      expect(await find(mine)).toBeNull()
      expect(await records.sessionIsLive({ id: mine.id, now: epoch })).toBe(false)
      expect(await find(other)).not.toBeNull()
      expect((await told()).slice(2)).toEqual([`sign_out ${mine.id} signed out`])
    })

    it('takes the place of the one that the same browser had', async () => {
      const { keep, begun, find } = await opened()
      const before = await begun()
      const next = keptSession()
      await keep(next, { replaces: before.id })
      expect([await find(before), (await find(next))?.id]).toEqual([null, next.id])
    })

    it('is forgotten when it is over, and all are ended after a restore', async () => {
      const { records, begun, find } = await opened()
      const [short, long] = [await begun(), await begun({ liveUntil: later(600) })]
      await records.forgetSessions(later(60))
      // As it would still be found then.
      expect([await find(short), (await find(long))?.id]).toEqual([null, long.id])
      await records.endAllSessions()
      expect(await find(long)).toBeNull()
    })

    it('ends when its master key is retired, which waits for none, and none begins under a key that is', async () => {
      const { records, keep, begun, find, told } = await opened()
      const by = (at: Date) => ({ at, who: 'tests', requestId: null })
      const hold = (ids: string[], at: Date) =>
        records.holdMasterKeys({
          holder: { process: null, ids, wrapsWith: null },
          newest: ids.at(-1)!,
          made: false,
          by: by(at),
        })
      await hold(['mk_a'], epoch)
      await hold(['mk_a', 'mk_b'], later(1))
      const [older, newer] = [await begun(), await begun({ masterKeyId: 'mk_b' })]
      expect(await records.retireMasterKey({ id: 'mk_a', by: by(later(2)) })).toEqual({ kind: 'retired' })
      expect([await find(older), (await find(newer))?.id]).toEqual([null, newer.id])
      expect(await keep(keptSession())).toEqual({ kind: 'key_retired' })
      expect((await told()).slice(2)).toEqual(['key_retire mk_a retired'])
      const [row] = await records.findAudit({ what: 'key_retire', limit: 1 })
      expect(row?.detail).toBe('{"sessionsEnded":1}')
    })
  })

  describe(`records in ${name}: an account`, () => {
    it('is there once under its name, with what its password is compared with', async () => {
      const { records, account, told } = await opened()
      expect(await records.hasAccounts()).toBe(false)
      expect([await account(), await account('hash 2', 'admin')]).toEqual([true, false])
      expect(await records.hasAccounts()).toBe(true)
      expect(await records.accountOf('rita')).toEqual({ role: 'reader', hash: 'hash 1' })
      expect(await records.accountOf('Rita')).toBeNull()
      expect(await records.accounts()).toEqual([{ name: 'rita', role: 'reader', madeAt: epoch, setAt: epoch }])
      expect(await told()).toEqual(['account_change rita added'])
    })

    it('ends its sessions, and no others, when it is removed or has another password', async () => {
      const { records, account, begun, find, by } = await opened()
      await account()
      const own = () => begun({ kind: 'account', subject: 'rita', token: null })
      const others = [await begun({ subject: 'rita' }), await begun({ kind: 'account', subject: 'otto' })]
      const first = await own()
      const set = { name: 'rita', hash: 'hash 2', audit: by('account_change', 'rita', 'password set') }
      expect(await records.setPassword(set)).toBe(true)
      expect([await find(first), (await records.accountOf('rita'))?.hash]).toEqual([null, 'hash 2'])
      const second = await own()
      const removed = { name: 'rita', audit: by('account_change', 'rita', 'removed') }
      expect([await records.removeAccount(removed), await records.removeAccount(removed)]).toEqual([true, false])
      expect(await records.setPassword(set)).toBe(false)
      expect([await find(second), await records.accountOf('rita')]).toEqual([null, null])
      for (const other of others) expect(await find(other)).not.toBeNull()
    })

    it('gives no session to who knew a password that it has no more', async () => {
      const { records, keep, account, find, by } = await opened()
      await account('hash 1')
      const session = keptSession({ kind: 'account', subject: 'rita', token: null })
      expect(await keep(session, { hash: 'hash 0' })).toEqual({ kind: 'account_changed' })
      expect(await find(session)).toBeNull()
      expect(await keep(session, { hash: 'hash 1' })).toEqual({ kind: 'kept' })
      await records.removeAccount({ name: 'rita', audit: by('account_change', 'rita', 'removed') })
      expect(await keep(keptSession({ kind: 'account', subject: 'rita' }), { hash: 'hash 1' })).toEqual({
        kind: 'account_changed',
      })
    })
  })
}
