// Bundles src/ and emulator/ into dist/: one file per process or thread, shared code in chunks, migrations beside it.
import { cp, rm } from 'node:fs/promises'
import { build } from 'esbuild'

await rm('dist', { recursive: true, force: true })
await build({
  entryPoints: {
    main: 'src/main.ts',
    'threads/spool': 'src/intake/spool/thread.ts',
    'threads/records': 'src/records/sqlite/thread.ts',
    emulator: 'emulator/index.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  sourcemap: true,
})
await cp('src/records/migrations', 'dist/migrations', { recursive: true })
await cp('src/outbox/texts', 'dist/texts', { recursive: true })
