// Makes tests/corpus/{good,bad} and their index anew: node scripts/corpus.mjs. Which programs it needs: tests/corpus/README.md.
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const folder = fileURLToPath(new URL('../tests/corpus/', import.meta.url))
const outfile = `${folder}make.${process.pid}.mjs`
await build({
  entryPoints: [`${folder}make/make.ts`],
  outfile,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  logLevel: 'warning',
})
try {
  process.argv[2] = folder
  await import(outfile)
} finally {
  await rm(outfile)
}
