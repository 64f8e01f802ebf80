import { randomBytes } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { temporaryRecords } from '../../tests/database.ts'
import { settlement } from '../../tests/fixtures/settlements.ts'
import { manualClock, until } from '../../tests/genesys/clock.ts'
import { keyRing, masterKeyId } from '../seal/keys.ts'
import type { Events } from '../telemetry/events.ts'
import { openKeys } from './open.ts'
import { createRotation } from './rotation.ts'
import type { KeySource } from './source.ts'

const [older, newer] = [randomBytes(32), randomBytes(32)]
const [olderId, newerId] = [masterKeyId(older), masterKeyId(newer)]

/** A rotation over SQLite, by a source that the test changes. */
async function started() {
  const { records, close } = await temporaryRecords()
  onTestFinished(close)
  const clock = manualClock()
  const told: [string, ...unknown[]][] = []
  const events = new Proxy(
    {},
    {
      get:
        (_, name: string) =>
        (...args: unknown[]) =>
          void told.push([name, ...args]),
    },
  )
  const has = { keys: [older], fails: false }
  const source: KeySource = {
    name: 'the test',
    changes: true,
    file: null,
    async read() {
      if (has.fails) throw new Error('sealed')
      return has.keys
    },
  }
  const ring = await openKeys({ source, process: 'p' }, records, clock)
  const settle = async (count: number, wrap = (id: string) => ring.wrap(ring.newDataKey(), id)) => {
    const ids: string[] = []
    for (let i = 0; i < count; i++) {
      const one = settlement()
      await records.settle({ ...one, key: wrap(one.attachment.id) })
      ids.push(one.attachment.id)
    }
    return ids
  }
  const rotation = createRotation({ source, ring, records, process: 'p', clock, events: events as unknown as Events })
  onTestFinished(() => rotation.stop())
  /** The next round, to its end. */
  const rounds = async () => {
    clock.jump(10_000)
    await until(() => clock.waits().some((ms) => ms === 10_000))
  }
  const announce = () =>
    records.announceMasterKey({ id: newerId, by: { at: clock.now(), who: 'tests', requestId: null } })
  const heard = (name: string) => told.filter(([event]) => event === name).map(([, ...args]) => args)
  return { records, clock, has, ring, rotation, settle, rounds, announce, heard }
}

it('takes up an announced key when its source has it, wraps all keys anew, and says so once', async () => {
  const { records, has, ring, rotation, settle, rounds, announce, heard } = await started()
  const ids = await settle(1203)
  rotation.start()
  await rounds()
  await announce()
  has.fails = true
  await rounds()
  expect([ring.currentId, rotation.state()]).toEqual([olderId, { lacks: [], toRewrap: 0 }])
  expect(heard('keysUnreadable')).toHaveLength(1)
  has.fails = false
  await rounds()
  // Not there yet.
  expect(ring.currentId).toBe(olderId)
  has.keys = [older, newer]
  await rounds()
  expect([ring.currentId, ring.ids]).toEqual([newerId, [olderId, newerId]])
  expect(await records.filesByMasterKey()).toEqual([{ id: newerId, files: 1203 }])
  const dataKey = await records.dataKey(ids[0]!)
  expect(ring.unwrap(dataKey!, ids[0]!)).toHaveLength(32)
  await rounds()
  expect([heard('keyInUse'), heard('keysRewrapped')]).toEqual([[[newerId]], [[1203, 0]]])
  expect(heard('keysCounted').map(([left]) => left)).toEqual(
    [0, 0, 0, 0, 1203, 703, 203, 0, 0, 0].slice(-heard('keysCounted').length),
  )
  const told = (await records.listAudit({ limit: 2000 })).filter(({ what }) => what === 'key_rewrap')
  expect(told).toMatchObject([{ object: newerId, detail: '{"files":1203}' }])
})

it('leaves a key that does not open as it is, tells of it once, and goes on with the others', async () => {
  const { records, has, rotation, settle, rounds, announce, heard } = await started()
  await settle(3)
  const [damaged] = await settle(1, (id) => keyRing([older]).wrap(randomBytes(32), `${id}x`))
  await settle(3)
  await announce()
  has.keys = [older, newer]
  rotation.start()
  for (let i = 0; i < 3; i++) await rounds()
  expect(rotation.state()).toEqual({ lacks: [], toRewrap: 1 })
  expect((await records.dataKey(damaged!))?.masterKeyId).toBe(olderId)
  expect(heard('fileDamaged').map(([id]) => id)).toEqual([damaged])
})

it('says what it lacks when another process has gone on without it, and takes it up when it comes', async () => {
  const { records, clock, has, ring, rotation, rounds, heard } = await started()
  rotation.start()
  const by = { at: clock.now(), who: 'tests', requestId: null }
  const holder = { process: null, ids: [olderId, newerId], wrapsWith: null }
  await records.holdMasterKeys({ holder, newest: newerId, made: false, by })
  await rounds()
  expect([rotation.state().lacks, ring.currentId]).toEqual([[newerId], olderId])
  has.keys = [older, newer]
  await rounds()
  expect([rotation.state().lacks, ring.currentId]).toEqual([[], newerId])
  expect(heard('rotationFailed')).toEqual([])
})
