// Bundles the benchmark into bench/dist/ and runs it: node bench/start.mjs --help
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = fileURLToPath(new URL('.', import.meta.url))

if (!existsSync(`${here}node_modules`) && !process.argv.includes('--no-install')) {
  const { status } = spawnSync('npm', ['ci', '--prefix', here], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

const outdir = `${here}dist.${process.pid}`
await build({
  entryPoints: {
    bench: `${here}bench.ts`,
    load: `${here}load/load.ts`,
    floor: `${here}floors/floor.ts`,
    floorThread: `${here}floors/thread.ts`,
    behindHttp: `${here}floors/behindHttp.ts`,
    behindHttpThread: `${here}floors/behindHttpThread.ts`,
    fill: `${here}fill.ts`,
    guestPlatform: `${here}guestPlatform.ts`,
  },
  outdir,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  logLevel: 'warning',
})
await rm(`${here}dist`, { recursive: true, force: true })
await rename(outdir, `${here}dist`)
await import('./dist/bench.js')
