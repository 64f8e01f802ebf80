import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import mime from 'mime'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { readableTypes } from '../../src/intake/inspect/readers.ts'
import { canonicalType } from '../../src/intake/types.ts'
import { clamd } from '../../src/scan/clamd.ts'
import { scannerOf } from '../../src/scan/engine.ts'
import { judged } from '../corpus/judged.ts'
import { scannableOf } from '../fixtures/engines.ts'
import { hasClamd, startClamd } from './clamd.ts'

const folder = '/usr/share/clamav-testfiles'
const bring = 'apt-get install --no-install-recommends clamav-daemon clamav-testfiles'
const hasFiles = hasClamd && existsSync(folder)
if (!hasFiles && process.env.TEST_REQUIRE === 'all') throw new Error(`ClamAV's test files are missing: ${bring}`)

describe.skipIf(!hasFiles)(`ClamAV's own test files (${bring})`, () => {
  const names = hasFiles ? readdirSync(folder).sort() : []
  /** A line of the program that all of them hold, packed in every way. */
  const told = hasFiles ? readFileSync(join(folder, 'clam.exe')) : Buffer.alloc(0)

  it('are found by the engine, or refused by our own reading: none is ever accepted, whatever is allowed', async () => {
    const { socket } = await startClamd({
      signatures: [`Clipgate.Test.Program:0:*:${told.subarray(0x40, 0x80).toString('hex')}`],
    })
    const engine = scannerOf(clamd({ address: { path: socket }, clock: systemClock }), systemClock)
    const outcomes = new Map<string, string[]>()
    for (const name of names) {
      const bytes = readFileSync(join(folder, name))
      const type = canonicalType(mime.getType(name) ?? 'application/octet-stream')
      const refusal = await judged({ name, type, bytes }, [...readableTypes, type])
      const { verdict } = await engine.scan(scannableOf(bytes))
      const outcome = refusal ? 'refused' : verdict
      outcomes.set(outcome, [...(outcomes.get(outcome) ?? []), name])
    }
    console.log([...outcomes].map(([outcome, files]) => `${files.length} ${outcome}`).join(', '))
    expect(outcomes.get('clean')).toBeUndefined()
    expect(outcomes.get('failed')).toBeUndefined()
  })
})
