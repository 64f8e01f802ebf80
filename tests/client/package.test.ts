import { execFileSync } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../harness.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const tsc = join(root, 'node_modules/typescript/bin/tsc')

it('clipgate/client is one file without dependencies, under 10 KB compressed', async () => {
  const code = await readFile(fileURLToPath(import.meta.resolve('clipgate/client')))
  expect(gzipSync(code, { level: 9 }).length).toBeLessThan(10_000)
  expect(code.toString()).not.toMatch(/\bimport\b/)
})

it('clipgate/client has types that tell outcomes apart, for whoever has it as a package', async () => {
  const folder = await temporaryFolder()
  // As `npm run build:types` lays it out, in a package of its own.
  const installed = join(folder, 'node_modules/clipgate')
  await mkdir(installed, { recursive: true })
  const emit = [tsc, '-p', join(root, 'web/client'), '--outDir', join(installed, 'dist/client')]
  execFileSync(process.execPath, emit, { stdio: 'inherit' })
  await symlink(join(root, 'package.json'), join(installed, 'package.json'))
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await writeFile(
    join(folder, 'page.ts'),
    `import { AttachError, attach, fetchPolicy, type Outcome } from 'clipgate/client'
const outcome: Outcome = await attach(new File([], 'a.txt'), { url: '/', ticket: async () => 'tkt_', checkFirst: await fetchPolicy('/') })
if (outcome.kind === 'refused') outcome.code satisfies string
// @ts-expect-error: nothing was stored that could be named
if (outcome.kind === 'erased') outcome.attachment
// @ts-expect-error: a ticket must be given
await attach(new Blob(), { url: '/' })
const waits = (error: unknown): number | null => (error instanceof AttachError ? error.retryAfterSeconds : null)
export { waits }
`,
  )
  const use = [
    tsc,
    '--noEmit',
    '--strict',
    '--target',
    'es2022',
    '--module',
    'nodenext',
    '--lib',
    'es2022,dom',
    'page.ts',
  ]
  execFileSync(process.execPath, use, { cwd: folder, stdio: 'inherit' })
})
