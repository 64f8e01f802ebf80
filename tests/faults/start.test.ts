import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataPaths } from '../../src/installation.ts'
import { jpegOfSize } from '../fixtures/files.ts'
import { temporaryFolder } from '../harness.ts'
import { run, servingAt } from '../journeys/process.ts'
import { environment, served } from './served.ts'
import { endTraced, type Fault, failing, hasStrace } from './strace.ts'

/** Every call up to the twentieth: `FAULTS=all` for a long run. */
const everything = process.env.FAULTS === 'all'

/** What fails while a service starts, by its calls in each thread. */
const startTroubles: { calls: string[]; error: Fault['error']; at: number[] }[] = [
  { calls: ['openat'], error: 'EIO', at: [1, 3, 6] },
  { calls: ['fsync', 'fdatasync'], error: 'EIO', at: [1, 3, 6] },
  { calls: ['pwrite64'], error: 'ENOSPC', at: [1, 12] },
  { calls: ['mkdir'], error: 'ENOSPC', at: [2] },
]

describe.skipIf(!hasStrace)(
  'calls to the disk that fail while a service starts (needs strace: apt-get install strace)',
  () => {
    const cases = startTroubles.flatMap(({ calls, error, at }) =>
      (everything ? Array.from({ length: 20 }, (_, i) => i + 1) : at).map((when) => ({ calls, error, when })),
    )
    it.each([
      ['in a fresh folder', true],
      ['in a folder that holds files', false],
    ])('%s end the start or not, and never the next', { timeout: cases.length * 20_000 }, async (_, isFresh) => {
      const holding = await temporaryFolder()
      const before = await served(holding)
      await before.push(await jpegOfSize(100_000))
      await before.kill()
      const ended = new Map<string, number>()
      for (const { calls, error, when } of cases) {
        const about = `${calls}, ${error} at ${when}`
        const dataDir = join(await temporaryFolder(), 'data')
        if (!isFresh) await cp(holding, dataDir, { recursive: true })
        const { database, lock, objects, spool } = dataPaths(dataDir)
        const files = [lock, database].flatMap((path) =>
          ['', '-journal', '-wal', '-shm'].map((suffix) => path + suffix),
        )
        const paths = [dataDir, ...files, objects, spool, join(dataDir, 'keys'), join(objects, 'k')]
        const program = run(['serve'], environment(dataDir), failing({ calls, error, when, paths }))
        const outcome = await Promise.race([
          program.until(servingAt).then(
            () => 'serves',
            () => program.ended,
          ),
          program.ended,
        ])
        expect([about, outcome, ['serves', 1, 2].includes(outcome)]).toEqual([about, outcome, true])
        if (outcome === 'serves') await endTraced(program)
        else {
          expect([about, program.stderr()]).not.toEqual([about, ''])
          // A disk that fails is not taken for another process.
          expect([about, program.stderr()]).not.toEqual([about, expect.stringContaining('Another clipgate process')])
        }
        ended.set(String(outcome), (ended.get(String(outcome)) ?? 0) + 1)

        const next = await served(dataDir, isFresh ? new Map() : new Map(before.acknowledged))
        expect([about, (await next.push(await jpegOfSize(1000))).status]).toEqual([about, 200])
        await next.expectWhole(about)
        await next.kill()
      }
      expect(ended.get('1') ?? 0).toBeGreaterThan(0)
    })
  },
)
