import { expect, it } from 'vitest'
import { tooSmall } from './clamdConfig.ts'

const budgets = { maxFileBytes: 10_485_760, unpackedEntry: 20_971_520, unpacked: 83_886_080, entries: 1000, depth: 3 }

it('limits that reach as far as ours are no problem, nor are none', () => {
  expect(tooSmall('MaxFileSize 25M\nMaxScanSize 100M\nStreamMaxLength 25M\nAlertExceedsMax yes\n', budgets)).toEqual([])
  expect(tooSmall('# MaxFileSize 1M\nMaxFileSize 0\nMaxScanSize 0\nAlertExceedsMax true\n', budgets)).toEqual([])
  expect(tooSmall('AlertExceedsMax 1', budgets)).toEqual([])
})

it('each that is too small is told', () => {
  const text = 'MaxFileSize 5M\nMaxScanSize 20m\nStreamMaxLength 1024k\nMaxFiles 10\nMaxRecursion 2\n'
  expect(tooSmall(text, budgets)).toEqual([
    'StreamMaxLength is 1024k, and files may need 10485760',
    'MaxFileSize is 5M, and files may need 20971520',
    'MaxScanSize is 20m, and files may need 94371840',
    'MaxFiles is 10, and files may need 1000',
    'MaxRecursion is 2, and files may need 4',
    'AlertExceedsMax is not set: what it does not look into, it calls OK',
  ])
})
