import { randomBytes } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { temporaryRecords } from '../../tests/database.ts'
import { manualClock } from '../../tests/genesys/clock.ts'
import { keyRing, masterKeyId } from '../seal/keys.ts'
import { createSessions, type Entrant } from './sessions.ts'

const [older, newer] = [randomBytes(32), randomBytes(32)]
const asked = { requestId: 'req_1', replaces: null }

async function opened() {
  const { records, close } = await temporaryRecords()
  onTestFinished(close)
  const clock = manualClock()
  const by = () => ({ at: clock.now(), who: 'tests', requestId: null })
  const ring = keyRing([older])
  const hold = async () => {
    const holder = { process: null, ids: ring.ids, wrapsWith: null }
    await records.holdMasterKeys({ holder, newest: ring.ids.at(-1)!, made: false, by: by() })
  }
  await hold()
  const sessions = createSessions({ records, keys: ring, lifeMs: 8 * 3_600_000, clock })
  const maria: Entrant = {
    kind: 'genesys',
    subject: 'user-1',
    name: 'Maria',
    role: 'agent',
    token: { value: 'the token', expiresAt: new Date(clock.now().getTime() + 24 * 3_600_000) },
    hash: null,
  }
  return { records, clock, by, ring, hold, sessions, maria }
}

it('a session goes on while another master key comes into use, and ends when its own is retired', async () => {
  const { records, by, ring, hold, sessions, maria } = await opened()
  const { secret, session } = await sessions.begin(maria, asked)
  ring.learn([newer])
  await hold()
  ring.use(masterKeyId(newer))
  const next = await sessions.begin(maria, asked)
  const found = await sessions.find(secret)
  expect([found?.id, found?.token(), (await sessions.find(next.secret))?.id]).toEqual([
    session.id,
    'the token',
    next.session.id,
  ])
  expect(await records.retireMasterKey({ id: masterKeyId(older), by: by() })).toEqual({ kind: 'retired' })
  expect([await sessions.find(secret), await sessions.isLive(session.id)]).toEqual([null, false])
  expect((await sessions.find(next.secret))?.token()).toBe('the token')
  expect(await sessions.isLive(next.session.id)).toBe(true)
})

it('who begins a session under a key that was just retired is asked to try again', async () => {
  const { records, by, ring, hold, sessions, maria } = await opened()
  ring.learn([newer])
  await hold()
  await records.retireMasterKey({ id: masterKeyId(older), by: by() })
  await expect(sessions.begin(maria, asked)).rejects.toThrow('the master key was retired meanwhile')
  ring.use(masterKeyId(newer))
  expect(await sessions.isLive((await sessions.begin(maria, asked)).session.id)).toBe(true)
})

it('whoever asks to is told of each session that ends, and nothing of it is kept but its audit rows', async () => {
  const { records, sessions, maria } = await opened()
  const ended: string[] = []
  sessions.onEnded((id) => ended.push(id))
  const first = await sessions.begin(maria, asked)
  const second = await sessions.begin(maria, { ...asked, replaces: first.session.id })
  await sessions.end(second.session, 'signed out', 'req_2')
  expect(ended).toEqual([first.session.id, second.session.id])
  const rows = await records.listAudit({ limit: 10 })
  expect(rows.filter(({ what }) => what.startsWith('sign')).map(({ what, object }) => `${what} ${object}`)).toEqual([
    `sign_in ${first.session.id}`,
    `sign_in ${second.session.id}`,
    `sign_out ${second.session.id}`,
  ])
  expect(JSON.stringify(rows)).not.toContain('Maria')
})
