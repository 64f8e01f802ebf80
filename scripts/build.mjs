// Bundles src/ and emulator/ into dist/: one file per process or thread, shared code in chunks, migrations and pages beside them.
import { execFileSync } from 'node:child_process'
import { cp, rename, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { buildPages } from './pages.mjs'

const outdir = `dist.${process.pid}`
await build({
  entryPoints: {
    main: 'src/main.ts',
    'threads/spool': 'src/intake/spool/thread.ts',
    'threads/inspect': 'src/intake/inspect/thread.ts',
    'processes/copy': 'src/copies/process/main.ts',
    'threads/storage': 'src/storage/thread.ts',
    'threads/records': 'src/records/sqlite/thread.ts',
    emulator: 'emulator/index.ts',
  },
  outdir,
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // Packages are bundled too, since loading hundreds of small files is most of a start: but what carries a native file,
  // files that it serves, or a thread of its own.
  external: [
    '@photostructure/sqlite',
    '@fastify/swagger-ui',
    '@node-rs/argon2',
    'pino',
    'sharp',
    '@hyzyla/pdfium',
    'pdfkit',
  ],
  banner: { js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);" },
  sourcemap: true,
})
for (const database of ['sqlite', 'postgres'])
  await cp(`src/records/${database}/migrations`, `${outdir}/migrations/${database}`, { recursive: true })
await buildPages(outdir)
// Only for who takes the emulator as a package: it costs seconds.
if (process.argv.includes('--types')) {
  const tsc = fileURLToPath(new URL('bin/tsc', import.meta.resolve('typescript/package.json')))
  execFileSync(process.execPath, [tsc, '-p', 'emulator', '--outDir', `${outdir}/emulator`], { stdio: 'inherit' })
  await cp('emulator/platform.d.ts', `${outdir}/emulator/platform.d.ts`)
}
// What runs from dist/ meanwhile goes on: the new one takes its place at once.
await rm('dist', { recursive: true, force: true })
await rename(outdir, 'dist')
