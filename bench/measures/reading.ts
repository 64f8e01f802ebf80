import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { authorization, startService } from '../contenders/service.ts'
import { makeTemplates } from '../files.ts'
import type { Part } from '../report.ts'
import { spreadOf } from '../stats.ts'
import { spread, table } from '../table.ts'
import { fileOf, readTemplates } from '../templates.ts'
import { figure, inTurn, type PartOptions } from './part.ts'

const size = 10_000_000
const atOnce = 4
const kinds: { name: string; range: [number, number] | null }[] = [
  { name: 'whole files of 10 MB', range: null },
  // Not at the border of a segment.
  { name: 'ranges of 1 MB in them', range: [4_200_001, 5_200_000] },
]

/** How fast stored files are read back, through the door for readers. */
export async function reading({ checkout, folder, stage, rounds, seconds }: PartOptions): Promise<Part> {
  const dataDir = join(folder, 'reading')
  await mkdir(dataDir, { mode: 0o700 })
  await makeTemplates(stage.templates, size)
  const service = await startService(checkout, dataDir, stage.emulator.url)
  try {
    const target = { protocol: 'form', url: `${service.url}/webhook/file-upload`, authorization }
    const { samples } = await stage.load({
      kind: 'upload',
      target,
      templates: stage.templates,
      size,
      atOnce: 2,
      uploads: 2,
    })
    const templates = await readTemplates(stage.templates, size)
    const stored = samples.map(({ ending, mark, body }) => ({
      path: `/v1/attachments/${(JSON.parse(body) as { attachment: { id: string } }).attachment.id}/content`,
      bytes: fileOf(templates.find((template) => template.ending === ending)!, mark),
    }))
    for (const { path, bytes } of stored)
      for (const { range } of kinds) {
        const headers = { authorization, ...(range && { range: `bytes=${range.join('-')}` }) }
        const read = Buffer.from(await (await fetch(service.url + path, { headers })).arrayBuffer())
        if (digest(read) !== digest(range ? bytes.subarray(range[0], range[1] + 1) : bytes))
          throw new Error('other bytes were read than sent')
      }
    const paths = stored.map(({ path }) => path)
    const read = async (range: [number, number] | null) => {
      const load = await stage.load({ kind: 'read', url: service.url, paths, authorization, range, atOnce, seconds })
      return load.bytes / 1e6 / load.seconds
    }
    for (const { range } of kinds) await read(range)
    const rates = await inTurn(rounds, async () => inTurn(kinds.length, (kind) => read(kinds[kind]!.range)))
    const each = kinds.map(({ name }, kind) => ({ name, values: rates.map((rate) => rate[kind]!) }))
    return {
      title: 'Reading',
      markdown: table(
        [`${atOnce} at once`, 'MB/s'],
        each.map(({ name, values }) => [name, spread(spreadOf(values))]),
      ),
      figures: each.map(({ name, values }) => figure(`reading, ${name}`, 'MB/s', 'more', values)),
      aims: [],
    }
  } finally {
    await service.stop()
  }
}

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
