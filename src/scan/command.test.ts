import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { scannable, unreadable } from '../../tests/fixtures/engines.ts'
import { temporaryFolder } from '../../tests/folder.ts'
import { manualClock, until } from '../../tests/genesys/clock.ts'
import { Unavailable } from '../errors.ts'
import { command } from './command.ts'
import { scannerOf } from './engine.ts'

const small = scannable(Buffer.from('hello'), Buffer.from(' world'))
const large = scannable(...Array.from({ length: 400 }, () => Buffer.alloc(65_536, 1)))

/** An engine that is a script of sh. */
async function script(text: string, atOnce?: number) {
  const folder = await temporaryFolder()
  const path = join(folder, 'engine.sh')
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
  const clock = manualClock()
  const engine = scannerOf(command({ command: [path, 'one argument'], clock, ...(atOnce && { atOnce }) }), clock)
  return { clock, engine, folder }
}

it('reads the file on its standard input, with PATH alone in its environment', async () => {
  process.env.CLIPGATE_TEST_SECRET = 'secret'
  const { engine, folder } = await script(
    `here=$(dirname "$0"); cat > "$here/got"; env > "$here/env"; echo "$@" > "$here/args"`,
  )
  expect(await engine.scan(large)).toEqual({ engine: 'command', verdict: 'clean', at: '2026-10-02T09:10:00.000Z' })
  delete process.env.CLIPGATE_TEST_SECRET
  expect((await readFile(join(folder, 'got'))).length).toBe(large.size)
  expect(await readFile(join(folder, 'args'), 'utf8')).toBe('one argument\n')
  expect(await readFile(join(folder, 'env'), 'utf8')).not.toContain('CLIPGATE')
})

it.each([
  ['cat > /dev/null', { verdict: 'clean' }],
  ['cat > /dev/null; echo ok; echo "signatures: 27400"', { verdict: 'clean', signatures: '27400' }],
  [
    'cat > /dev/null; echo "signatures: 27400"; echo Eicar-Test; exit 1',
    { verdict: 'infected', detail: 'Eicar-Test', signatures: '27400' },
  ],
  ['echo Eicar-Test; exit 1', { verdict: 'infected', detail: 'Eicar-Test' }],
  ['cat > /dev/null; echo too deep; exit 3', { verdict: 'unscannable', detail: 'too deep' }],
  ['cat > /dev/null; echo no database; exit 2', { verdict: 'failed', detail: 'it ended with 2: no database' }],
  ['exit 127', { verdict: 'failed' }],
  ['cat > /dev/null; kill -9 $$', { verdict: 'failed', detail: 'it was ended' }],
  ['cat > /dev/null; yes', { verdict: 'failed', detail: 'it says too much' }],
])('%j', async (text, verdict) => {
  const { engine } = await script(text)
  const { at: _, engine: __, ...said } = await engine.scan(large)
  expect(said).toMatchObject(verdict)
})

it('that ends well before it had the file is no verdict', async () => {
  const { engine } = await script('head -c 1000 > /dev/null; exit 0')
  expect(await engine.scan(large)).toMatchObject({ verdict: 'failed', detail: 'it ended before it had the file' })
})

it('that never ends is ended with all that it started when its time is over', async () => {
  const { engine, clock, folder } = await script(
    `sleep 1000 & echo $! > "$(dirname "$0")/child"; cat > /dev/null; wait`,
  )
  const scanned = engine.scan(small)
  const child = async () => Number(await readFile(join(folder, 'child'), 'utf8').catch(() => ''))
  await until(async () => (await child()) > 0)
  clock.jump(150_000)
  expect(await scanned).toMatchObject({ verdict: 'failed', detail: 'it did not end within 150 s' })
  const pid = await child()
  await until(async () => /^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State: Z')))
})

it('that is not there, or may not be run, has no verdict, and says so when asked', async () => {
  const clock = manualClock()
  const text = join(await temporaryFolder(), 'engine.txt')
  await writeFile(text, '')
  for (const program of ['/nowhere/engine', 'no-such-engine', text]) {
    const engine = scannerOf(command({ command: [program], clock }), clock)
    expect(await engine.scan(small)).toMatchObject({ verdict: 'failed' })
    await expect(engine.check()).rejects.toThrow(Unavailable)
  }
  expect(await scannerOf(command({ command: ['sh', '-c', 'cat > /dev/null'], clock }), clock).check()).toBeNull()
})

it('a file that cannot be read passes that on, and its turn too', async () => {
  const { engine } = await script('cat > /dev/null', 2)
  for (let i = 0; i < 4; i++) await expect(engine.scan(unreadable)).rejects.toThrow('damaged')
  expect(await engine.scan(small)).toMatchObject({ verdict: 'clean' })
})
