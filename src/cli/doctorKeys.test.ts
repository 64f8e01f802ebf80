import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryRecords } from '../../tests/database.ts'
import { epoch, later, settlement } from '../../tests/fixtures/settlements.ts'
import { examineMasterKeys } from './doctorKeys.ts'

const hour = 60 * 60
const day = 24 * hour

/** Records whose process has these keys, at the time of the last that it took up. */
async function opened() {
  const { records, close } = await temporaryRecords()
  onTestFinished(close)
  const by = (seconds: number) => ({ at: later(seconds), who: 'tests', requestId: null })
  return {
    records,
    by,
    hold: (ids: string[], seconds = 0, process: string | null = null) =>
      records.holdMasterKeys({
        holder: { process, ids, wrapsWith: null },
        newest: ids.at(-1)!,
        made: false,
        by: by(seconds),
      }),
    said: async (ids: string[], seconds: number) => {
      const findings: string[] = []
      const find = (_what: string, state: string, says: string) => void findings.push(`${state}: ${says}`)
      await examineMasterKeys(records, ids, find, { now: () => later(seconds) })
      return findings
    },
  }
}

describe('the doctor, of the master keys that the records name', () => {
  it('has nothing to say when each is here, also right after another took its place', async () => {
    const { hold, said } = await opened()
    await hold(['mk_a'])
    expect(await said(['mk_a'], day)).toEqual([])
    await hold(['mk_a', 'mk_b'], day)
    expect(await said(['mk_a', 'mk_b'], 2 * day - 1)).toEqual([])
  })

  it('fails where one is missing', async () => {
    const { hold, said } = await opened()
    await hold(['mk_a'])
    await hold(['mk_a', 'mk_b'], 1)
    expect(await said(['mk_b'], 2)).toEqual(['failed: the records name mk_a, which is not here'])
  })

  it('warns of one that was replaced a day ago: while files are under it, and when none needs it', async () => {
    const { records, hold, said } = await opened()
    await hold(['mk_a'])
    const one = settlement({}, { key: { masterKeyId: 'mk_a', wrapped: Buffer.alloc(61) } })
    await records.settle(one)
    await hold(['mk_a', 'mk_b'], 1)
    const replaced = later(1).toISOString()
    expect(await said(['mk_a', 'mk_b'], day + 1)).toEqual([
      `warning: 1 files are still under mk_a, which was replaced at ${replaced}`,
    ])
    const erased = { what: 'erase', object: one.attachment.id, outcome: 'erased', detail: null } as const
    await records.erase({
      id: one.attachment.id,
      at: epoch,
      audit: { at: epoch, who: 'tests', requestId: null, ...erased },
    })
    expect(await said(['mk_a', 'mk_b'], day + 1)).toEqual([
      `warning: mk_a was replaced at ${replaced}, and no file needs it. Run: clipgate keys retire mk_a`,
    ])
  })

  it('warns of one that waits for an hour, and of one that is retired and still here', async () => {
    const { records, by, hold, said } = await opened()
    await hold(['mk_a'], 0, 'p1')
    await hold(['mk_a'], 0, 'p2')
    await records.announceMasterKey({ id: 'mk_b', by: by(1) })
    expect(await said(['mk_a', 'mk_b'], hour)).toEqual([])
    expect(await said(['mk_a', 'mk_b'], hour + 2)).toEqual([
      `warning: mk_b waits since ${later(1).toISOString()} for a process that has it not. See: clipgate keys list`,
    ])
    await records.leaveMasterKeys({ process: 'p2' })
    await hold(['mk_a', 'mk_b'], 2, 'p1')
    expect(await records.retireMasterKey({ id: 'mk_a', by: by(3 * day) })).toMatchObject({ kind: 'retired' })
    expect(await said(['mk_a', 'mk_b'], 3 * day)).toEqual(['warning: mk_a is retired, and still here. Take it out'])
    expect(await said(['mk_b'], 3 * day)).toEqual([])
  })
})
