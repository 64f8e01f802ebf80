import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Inflation, inflate } from './inflate.ts'
import { beginWork, defaultLimits } from './limits.ts'

const packers = { raw: deflateRawSync, zlib: deflateSync, gzip: gzipSync }

/** Noise of 64 letters: it packs to three quarters. */
function noise(bytes: number): Buffer {
  let state = 1
  const letters = Uint8Array.from({ length: bytes }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return 0x30 + (state >>> 26)
  })
  return Buffer.from(letters)
}

async function unpacked(packed: Buffer[], asked: Partial<Inflation> = {}): Promise<Buffer> {
  const pieces: Buffer[] = []
  const work = beginWork(defaultLimits)
  for await (const piece of inflate({ format: 'zlib', packed, most: 1e6, what: 'it', work, ...asked }))
    pieces.push(piece)
  return Buffer.concat(pieces)
}

/** One that is unpacked in one go, and one that is not. */
describe.each([
  ['small', noise(10_000)],
  ['large', noise(200_000)],
])('what is packed and %s', (_, plain) => {
  it.each(['raw', 'zlib', 'gzip'] as const)('%s: comes out as it was, however it is cut', async (format) => {
    const packed = packers[format](plain)
    expect(await unpacked([packed], { format })).toEqual(plain)
    const cut = Array.from({ length: Math.ceil(packed.length / 999) }, (_, i) =>
      packed.subarray(999 * i, 999 * (i + 1)),
    )
    expect(await unpacked(cut, { format })).toEqual(plain)
  })

  it('may be as much as it may, and no byte more', async () => {
    const packed = [deflateSync(plain)]
    expect(await unpacked(packed, { most: plain.length })).toEqual(plain)
    await expect(unpacked(packed, { most: plain.length - 1 })).rejects.toThrow('it expands to more than')
    await expect(unpacked(packed, { most: 0 })).rejects.toMatchObject({ code: 'bomb' })
  })

  it('is corrupt when it is cut off or changed', async () => {
    const packed = deflateSync(plain)
    await expect(unpacked([packed.subarray(0, -20)])).rejects.toMatchObject({ code: 'corrupt' })
    await expect(unpacked([Buffer.alloc(packed.length, 0x55)])).rejects.toMatchObject({ code: 'corrupt' })
  })

  it('is corrupt when bytes are left over, unless they may be', async () => {
    const packed = [deflateSync(plain), Buffer.from('more')]
    await expect(unpacked(packed)).rejects.toMatchObject({ code: 'corrupt' })
    expect(await unpacked(packed, { leftOver: true })).toEqual(plain)
  })
})

it('nothing packed is corrupt, and nothing unpacked is nothing', async () => {
  await expect(unpacked([])).rejects.toMatchObject({ code: 'corrupt' })
  expect(await unpacked([deflateSync(Buffer.alloc(0))])).toHaveLength(0)
})
