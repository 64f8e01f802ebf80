import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { usageOf } from '../child.ts'
import { authorization, type Service, startService } from '../contenders/service.ts'
import { makeTemplates } from '../files.ts'
import type { Part } from '../report.ts'
import { spreadOf } from '../stats.ts'
import { number, spread, table } from '../table.ts'
import { fileOf, marks, readTemplates, type Template } from '../templates.ts'
import { figure, type PartOptions } from './part.ts'

/** Bytes a turn and door, in files of each size. The emulator holds them in memory. */
const rows = [
  { name: '1 MB', size: 1_000_000, files: 90 },
  { name: '10 MB', size: 10_000_000, files: 15 },
]
const atOnce = 4
const mostSeconds = 60

/** What the work of our process costs through the pull door and through the push door: the same kind of files, in turn. */
export async function pull({ checkout, folder, stage, rounds, told }: PartOptions): Promise<Part> {
  const dataDir = join(folder, 'pull')
  await mkdir(dataDir, { mode: 0o700 })
  const service = await startService(checkout, dataDir, stage.emulator.url, { GENESYS_REQUESTS_PER_MINUTE: '100000' })
  const mark = marks()
  const results = []
  try {
    for (const { name, size, files } of rows) {
      await makeTemplates(stage.templates, size)
      const templates = await readTemplates(stage.templates, size)
      const gigabytes = (files * size) / 1e9
      const [pushed, pulled]: [number[], number[]] = [[], []]
      for (let round = 0; round < rounds; round++) {
        const ids = await customerSends(stage.emulator.url, templates, files, mark)
        const turns = [
          async () => pushed.push((await cpuOf(service, () => push(service, stage, size, files))) / gigabytes),
          async () => pulled.push((await cpuOf(service, () => pullAll(service, ids, files))) / gigabytes),
        ]
        for (const turn of round % 2 ? turns.reverse() : turns) await turn()
        told(`pull, ${name}: round ${round + 1} of ${rounds}`)
      }
      results.push({ name, pushed, pulled, ratio: pulled.map((value, round) => value / pushed[round]!) })
    }
  } finally {
    await service.stop()
  }
  return {
    title: 'Pull',
    markdown: table(
      ['files', 'push, CPU s/GB', 'pull, CPU s/GB', 'pull ÷ push'],
      results.map(({ name, pushed, pulled, ratio }) => [
        name,
        spread(spreadOf(pushed)),
        spread(spreadOf(pulled)),
        spread(spreadOf(ratio)),
      ]),
    ),
    figures: results.map(({ name, pulled }) => figure(`pull ${name}, CPU`, 's/GB', 'less', pulled)),
    aims: results.map(({ name, ratio }) => {
      const { median } = spreadOf(ratio)
      return {
        aim: `pull of ${name}: at most 1.7 times the push door's CPU`,
        measured: number(median),
        met: median <= 1.7,
      }
    }),
  }
}

async function cpuOf(service: Service, work: () => Promise<unknown>): Promise<number> {
  const before = await usageOf(service.pid)
  await work()
  return (await usageOf(service.pid)).cpuSeconds - before.cpuSeconds
}

async function push(service: Service, stage: PartOptions['stage'], size: number, uploads: number): Promise<void> {
  const { conversations } = stage.emulator
  const target = { protocol: 'form' as const, url: `${service.url}/webhook/file-upload`, authorization, conversations }
  await stage.load({ kind: 'upload', target, templates: stage.templates, size, atOnce, uploads })
}

/** A conversation with so many files in it, as a customer of the stock Messenger sends them. */
async function customerSends(url: string, templates: Template[], files: number, mark: () => string): Promise<string> {
  const begun = await fetch(`${url}/_emulator/conversations`, { method: 'POST' })
  const { id } = (await begun.json()) as { id: string }
  for (let n = 0; n < files; n++) {
    const template = templates[n % templates.length]!
    const form = new FormData()
    const bytes = new Uint8Array(fileOf(template, mark()))
    form.append('file', new Blob([bytes], { type: template.type }), `${n}.${template.ending}`)
    const sent = await fetch(`${url}/_emulator/conversations/${id}/messages`, { method: 'POST', body: form })
    if (!sent.ok) throw new Error(`the emulator does not take a file: ${sent.status} ${await sent.text()}`)
  }
  return id
}

/** Until all files of the conversation are accepted. */
async function pullAll(service: Service, conversationId: string, files: number): Promise<void> {
  const until = performance.now() + mostSeconds * 1000
  const headers = { authorization, 'content-type': 'application/json' }
  const asked = await fetch(`${service.url}/webhook/message?wait=0`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ conversationId }),
  })
  if (asked.status !== 202) throw new Error(`the pull door answers ${asked.status}: ${await asked.text()}`)
  await asked.body?.cancel()
  for (;;) {
    const query = new URLSearchParams({ conversationId, state: 'accepted', limit: '200' })
    const answer = await fetch(`${service.url}/v1/attachments?${query}`, { headers })
    const { items } = (await answer.json()) as { items: unknown[] }
    if (items.length === files) return
    if (performance.now() > until) throw new Error(`${items.length} of ${files} files were pulled`)
    await sleep(100)
  }
}
