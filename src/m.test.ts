import { readdirSync, readFileSync } from 'node:fs'
import { it } from 'vitest'
import { pdf } from '../tests/fixtures/files.ts'
import { examine } from './intake/inspect/examine.ts'
import { defaultLimits } from './intake/inspect/limits.ts'
import { bufferSource } from './intake/inspect/source.ts'

it('x', async () => {
  const files: [string, Buffer][] = [['pdfkit', (await pdf()).bytes]]
  for (const f of readdirSync('/tmp/pdfs')) files.push([f, readFileSync(`/tmp/pdfs/${f}`)])
  for (const [n, b] of files) {
    const c = process.cpuUsage()
    const r = await examine(bufferSource(b), 'application/pdf', {
      limits: defaultLimits,
      trailingData: 'refuse',
    }).catch((e) => e.stack.split('\n').slice(0, 4).join('|'))
    const d = process.cpuUsage(c)
    console.log(n, b.length, JSON.stringify(r), ((d.user + d.system) / 1e6 / (b.length / 1e9)).toFixed(2), 's/GB')
  }
}, 60000)
