import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { forgetPeak, usageOf } from '../child.ts'
import { authorization, startService } from '../contenders/service.ts'
import { makeTemplates } from '../files.ts'
import type { Part } from '../report.ts'
import { mebibytes, number, table } from '../table.ts'
import { figure, type PartOptions } from './part.ts'

const mebibyte = 1024 * 1024
const largest = 10 * mebibyte
const small = 10_000

/** What the process holds: with 200 of the largest files at once, and after very many small ones. */
export async function memory({ checkout, folder, stage, uploads }: PartOptions): Promise<Part> {
  const dataDir = join(folder, 'memory')
  await mkdir(dataDir, { mode: 0o700 })
  for (const size of [largest, small]) await makeTemplates(stage.templates, size)
  const service = await startService(checkout, dataDir, stage.emulator.url)
  const { conversations } = stage.emulator
  const target = { protocol: 'form', url: `${service.url}/webhook/file-upload`, authorization, conversations }
  const send = (size: number, atOnce: number, count: number) =>
    stage.load({ kind: 'upload', target, templates: stage.templates, size, atOnce, uploads: count })
  try {
    await send(largest, 32, 32)
    await forgetPeak(service.pid)
    const warm = (await usageOf(service.pid)).residentBytes
    await send(largest, 200, 200)
    const peak = (await usageOf(service.pid)).peakBytes
    await send(small, 64, Math.ceil(uploads / 10))
    const early = (await usageOf(service.pid)).residentBytes
    await send(small, 64, uploads - Math.ceil(uploads / 10))
    const late = (await usageOf(service.pid)).residentBytes
    const over = (peak - warm) / mebibyte
    return {
      title: 'Memory',
      markdown: table(
        ['', 'MiB'],
        [
          ['warm, after 32 uploads of 10 MiB at once', mebibytes(warm)],
          ['peak during 200 uploads of 10 MiB at once', mebibytes(peak)],
          [`after ${number(uploads / 10)} further uploads of 10 KB`, mebibytes(early)],
          [`after ${number(uploads)} of them`, mebibytes(late)],
        ],
      ),
      figures: [
        figure('memory, 200 uploads of 10 MiB: peak over warm', 'MiB', 'less', [over]),
        figure(`memory, after ${uploads} uploads`, 'MiB', 'less', [late / mebibyte]),
      ],
      aims: [
        {
          aim: '200 uploads of 10 MiB at once: peak under 128 MiB over a warm process',
          measured: `${number(over)} MiB`,
          met: over < 128,
        },
      ],
    }
  } finally {
    await service.stop()
  }
}
