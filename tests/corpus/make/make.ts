import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as archives from './archives.ts'
import * as containers from './containers.ts'
import * as images from './images.ts'
import * as media from './media.ts'
import * as office from './office.ts'
import * as pdf from './pdf.ts'
import type { Bad, Good, Sample } from './sample.ts'
import * as text from './text.ts'

/** Each makes the good and the bad of its kind. Good ones come from the programs that people use, so those must be installed. */
const makers: Record<string, { good(): Promise<Good[]>; bad(): Promise<Bad[]> }> = {
  archives,
  containers,
  images,
  media,
  office,
  pdf,
  text,
}

const folder = process.argv[2]!
const made = await Promise.all(
  Object.entries(makers).map(async ([maker, { good, bad }]) => {
    const samples: Sample[] = [...(await good()).map((sample) => ({ ...sample, code: null })), ...(await bad())]
    return samples.map((sample, i) => ({ maker, number: i + 1, ...sample }))
  }),
)
// What was there is replaced only when all is made.
for (const kind of ['good', 'bad']) rmSync(join(folder, kind), { recursive: true, force: true })
const index: (Omit<Sample, 'bytes'> & { file: string })[] = []
for (const { maker, number, bytes, name, type, origin, code } of made.flat()) {
  // Never by its own name: some of those are there to hurt.
  const ending = /\.[a-z0-9]{1,8}$/i.exec(name)?.[0].toLowerCase() ?? ''
  const file = join(code === null ? 'good' : 'bad', maker, `${String(number).padStart(3, '0')}${ending}`)
  mkdirSync(join(folder, file, '..'), { recursive: true })
  writeFileSync(join(folder, file), bytes)
  index.push({ file, name, type, origin, code })
}
writeFileSync(join(folder, 'index.json'), `${JSON.stringify(index, null, 1)}\n`)
const count = (good: boolean) => index.filter(({ code }) => (code === null) === good).length
process.stdout.write(`${count(true)} good, ${count(false)} bad\n`)
