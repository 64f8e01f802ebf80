import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../tests/folder.ts'
import { manualClock, until } from '../../tests/genesys/clock.ts'
import { ConfigError } from '../errors.ts'
import { keyFile, keySource } from './source.ts'

/** Keys that a script of sh prints. */
async function script(text: string) {
  const folder = await temporaryFolder()
  const path = join(folder, 'keys.sh')
  await writeFile(path, `#!/bin/sh\nhere=$(dirname "$0")\n${text}\n`)
  await chmod(path, 0o755)
  const clock = manualClock()
  return { folder, clock, source: keySource({ from: 'command', command: [path, 'one argument'] }, null, clock) }
}

async function failureOf({ source }: Awaited<ReturnType<typeof script>>): Promise<string> {
  const failure = await source.read().then(
    () => null,
    (error: unknown) => error,
  )
  expect(failure).toBeInstanceOf(ConfigError)
  return (failure as ConfigError).message
}

it('prints the text of a key file; it has our environment without our settings, and is asked again when there is a new key', async () => {
  process.env.CLIPGATE_TEST_SECRET = 'secret'
  process.env.VAULT_ADDR = 'https://vault.example'
  const started = await script('env > "$here/env"; echo "$@" > "$here/args"; cat "$here/master.key"')
  const { folder, source } = started
  const file = keyFile(join(folder, 'master.key'), null)
  const first = await file.create()
  expect(await source.read()).toEqual([first])
  delete process.env.CLIPGATE_TEST_SECRET
  delete process.env.VAULT_ADDR
  const env = await readFile(join(folder, 'env'), 'utf8')
  expect([env.includes('CLIPGATE_'), env.includes('VAULT_ADDR=https://vault.example')]).toEqual([false, true])
  expect(await readFile(join(folder, 'args'), 'utf8')).toBe('one argument\n')
  const second = await file.add()
  expect(await source.read()).toEqual([first, second])
  expect([source.changes, source.file]).toEqual([true, null])
})

const secret = `${'k'.repeat(43)}=`

it.each([
  [
    `echo mk_1 ${secret}; echo "code 2: * permission denied" >&2; exit 2`,
    'it ended with 2: code 2: * permission denied',
  ],
  ['kill -9 $$', 'it ended with SIGKILL'],
  ['yes', 'it says too much'],
  [`echo "was: ${secret}" >&2; exit 1`, 'it ended with 1, and what it says may hold a key'],
  ['printf "first\\n\\033[31mlast" >&2; exit 1', 'it ended with 1: [31mlast'],
  ['exit 0', 'has no key'],
  [`echo mk_0123456789abcdef ${secret}`, 'is damaged: line 1'],
])('%j', async (text, says) => {
  const told = await failureOf(await script(text))
  expect(told).toContain(says)
  expect(told).not.toContain(secret)
})

it('that is not there, or does not end, gives no keys', async () => {
  const away = keySource({ from: 'command', command: ['/no/such/program'] }, null, manualClock())
  await expect(away.read()).rejects.toThrow('/no/such/program gives no keys')
  const { folder, clock, source } = await script('echo $$ > "$here/pid"; sleep 1000')
  const reading = source.read()
  await until(() =>
    readFile(join(folder, 'pid'), 'utf8').then(
      (pid) => pid !== '',
      () => false,
    ),
  )
  await Promise.all([expect(reading).rejects.toThrow('it did not end within 30 s'), clock.pass(30_000)])
})
