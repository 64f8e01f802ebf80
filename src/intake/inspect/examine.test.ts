import { expect, it } from 'vitest'
import { png } from '../../../tests/fixtures/files.ts'
import { Refused } from '../../errors.ts'
import { examine } from './examine.ts'
import { defaultLimits } from './limits.ts'
import { bufferSource } from './source.ts'

const examined = (bytes: Buffer, trailingData: 'refuse' | 'cut' = 'refuse', type = 'image/png') =>
  examine(bufferSource(bytes), type, { limits: defaultLimits, trailingData }).catch((error: unknown) =>
    error instanceof Refused ? error.code : error,
  )

it('keeps padding after the end, and refuses or cuts anything else', async () => {
  const { bytes } = await png()
  const padded = Buffer.concat([bytes, Buffer.from('\0\0\r\n')])
  expect(await examined(padded)).toMatchObject({ type: 'image/png', end: padded.length })
  const followed = Buffer.concat([bytes, Buffer.from('more')])
  expect(await examined(followed)).toBe('polyglot')
  expect(await examined(followed, 'cut')).toMatchObject({ end: bytes.length })
})

it('refuses what is another type than it is read as', async () => {
  const { bytes } = await png()
  expect(await examined(bytes, 'refuse', 'image/jpeg')).not.toMatchObject({ type: 'image/jpeg' })
})

it('looks at a type that nobody reads for other formats alone', async () => {
  expect(await examined(Buffer.from('solid cube\nendsolid'), 'refuse', 'model/stl')).toMatchObject({
    type: 'model/stl',
  })
})
