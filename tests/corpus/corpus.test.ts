import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { RefusalCode } from '../../src/errors.ts'
import { readableTypes } from '../../src/intake/inspect/readers.ts'
import { judged } from './judged.ts'

interface Listed {
  file: string
  name: string
  type: string
  origin: string
  code: RefusalCode | null
}

const folder = import.meta.dirname
const listed = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as Listed[]
const good = listed.filter(({ code }) => code === null)
const bad = listed.filter(({ code }) => code !== null)
/** Everything that we can read is allowed here, so that what stops a file is what is found in it. */
const allowed = [...readableTypes]

const judge = ({ file, name, type }: Listed) => judged({ name, type, bytes: readFileSync(join(folder, file)) }, allowed)

describe('nothing good is turned away', () => {
  it.each(good)('$file: $origin', async (sample) => {
    expect(await judge(sample)).toBeNull()
  })
})

describe('nothing nasty gets through', () => {
  it.each(bad)('$file: $origin', async (sample) => {
    expect(await judge(sample)).toMatchObject({ code: sample.code, detail: expect.any(String) })
  })
})

it('the corpus is large enough to say something, and small enough to keep', () => {
  expect(good.length).toBeGreaterThanOrEqual(150)
  expect(bad.length).toBeGreaterThanOrEqual(150)
  const sizes = listed.map(({ file }) => statSync(join(folder, file)).size)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(20 * 1024 * 1024)
})
