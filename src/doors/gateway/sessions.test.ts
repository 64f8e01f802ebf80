import { expect, it } from 'vitest'
import { manualClock } from '../../../tests/genesys/clock.ts'
import { type Connection, createSessions, type Upload } from './sessions.ts'

async function start() {
  const clock = manualClock()
  const sessions = createSessions(
    { digests: (token) => [`digest of ${token}`] },
    { sessionAmong: async () => null },
    clock,
  )
  const told: string[] = []
  const connection: Connection = { tell: (frame) => told.push(frame) > 0, ask: async () => null }
  return { clock, sessions, told, connection, session: await sessions.ofToken('t1') }
}

it('is the same by the same token, and forgotten when nothing is left of it', async () => {
  const { sessions, session, connection } = await start()
  sessions.connect(session, connection)
  expect(await sessions.ofToken('t1')).toBe(session)
  expect(await sessions.ofToken('t2')).not.toBe(session)
  sessions.disconnect(session, connection)
  expect(await sessions.ofToken('t1')).not.toBe(session)
})

it('is kept while an outcome waits to be heard, for ten minutes', async () => {
  const { clock, sessions, session, connection, told } = await start()
  sessions.connect(session, connection)
  sessions.disconnect(session, connection)
  const back = await sessions.ofToken('t1')
  sessions.tellOutcome(back, 'a-1', 'frame')
  expect(told).toEqual([])
  await clock.pass(10 * 60_000 - 1)
  expect(await sessions.ofToken('t1')).toBe(back)
  await clock.pass(2)
  expect(await sessions.ofToken('t1')).not.toBe(back)
})

it('is kept for an outcome that is told while nobody is there, although its upload ends with that', async () => {
  const { sessions, session, connection } = await start()
  sessions.connect(session, connection)
  const upload = sessions.begin({ session, sourceId: 'a-1' } as Upload)
  sessions.disconnect(session, connection)
  sessions.tellOutcome(session, 'a-1', 'frame')
  sessions.end(upload)
  expect(upload.ended.signal.aborted).toBe(true)
  expect(await sessions.ofToken('t1')).toBe(session)
})

it('is kept while an upload goes on, and forgotten when that ends', async () => {
  const { sessions, session, connection } = await start()
  sessions.connect(session, connection)
  const upload = sessions.begin({ session, sourceId: 'a-1' } as Upload)
  sessions.disconnect(session, connection)
  expect(await sessions.ofToken('t1')).toBe(session)
  sessions.end(upload)
  expect(upload.ended.signal.aborted).toBe(true)
  expect(await sessions.ofToken('t1')).not.toBe(session)
})

it('tells everybody who waits for a connection when one is taken up, and nobody once it is over', async () => {
  const { clock, sessions, session, connection } = await start()
  const signal = new AbortController().signal
  const [short, long] = [sessions.ready(session, 1000, signal), sessions.ready(session, 5000, signal)]
  await clock.pass(1001)
  expect(await short).toBeNull()
  sessions.connect(session, connection)
  sessions.cameBack(session, connection)
  expect(await long).toBe(connection)
  expect(await sessions.ready(session, 1000, signal)).toBe(connection)
  sessions.disconnect(session, connection)
  const stopped = new AbortController()
  const last = sessions.ready(session, 1000, stopped.signal)
  stopped.abort()
  expect(await last).toBeNull()
})

it('stays the same when the master key becomes another, here and after a start for as long as it has files', async () => {
  const clock = manualClock()
  let digests = ['old digest']
  let recorded: string | null = null
  const keys = { digests: () => digests }
  const records = { sessionAmong: async () => recorded }
  const before = createSessions(keys, records, clock)
  const session = await before.ofToken('t1')
  digests = ['new digest', 'old digest']
  expect(await before.ofToken('t1')).toBe(session)
  expect((await createSessions(keys, records, clock).ofToken('t1')).digest).toBe('new digest')
  recorded = 'old digest'
  const after = createSessions(keys, records, clock)
  const [one, other] = await Promise.all([after.ofToken('t1'), after.ofToken('t1')])
  expect([one.digest, one === other]).toEqual(['old digest', true])
})
