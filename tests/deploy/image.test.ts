import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { keyFile as newKeyFile } from '../../src/keys/source.ts'
import { jpeg } from '../fixtures/files.ts'
import { freePort } from '../freePort.ts'
import { keys, pushTo } from '../harness.ts'
import { dockerfile, environmentOf, runStage } from './read.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const isRoot = process.getuid?.() === 0
/** What the image's engine does with mounts and users, done by hand. */
const canFence = isRoot && spawnSync('unshare', ['--mount', 'true']).status === 0

/** What the last stage of the Dockerfile has: the packages that its own line installs, and what was built. */
async function imageFolder(folder: string): Promise<void> {
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) await cp(join(root, name), join(folder, name))
  const line = (await dockerfile()).find(({ value }) => value.startsWith('npm ci --omit'))!.value
  const [program, ...args] = line.split(' ')
  await promisify(execFile)(program!, args, { cwd: folder })
  await cp(join(root, 'dist'), join(folder, 'dist'), { recursive: true })
  await promisify(execFile)('chmod', ['-R', 'a+rX,a-w', folder])
}

describe('what the image has', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clipgate-image-'))
    await imageFolder(folder)
  }, 300_000)
  afterAll(async () => {
    await promisify(execFile)('chmod', ['-R', 'u+w', folder])
    await rm(folder, { recursive: true, force: true })
  })

  it('serves with production packages alone, as nobody in particular, where it can write its data folder only', async () => {
    const state = await mkdtemp(join(tmpdir(), 'clipgate-image-state-'))
    onTestFinished(() => rm(state, { recursive: true, force: true }))
    const [secrets, data] = [join(state, 'secrets'), join(state, 'data')]
    for (const path of [secrets, data]) await mkdir(path, { mode: 0o755 })
    await newKeyFile(join(secrets, 'master.key'), null).create()
    await writeFile(join(secrets, 'api-keys'), `all:push+read+admin:${keys.all}\n`)
    await chmod(state, 0o755)
    const [user] = (await runStage())
      .findLast(({ name }) => name === 'USER')!
      .value.split(':')
      .map(Number)
    if (isRoot) {
      await chown(data, user!, user!)
      // As Kubernetes mounts them.
      for (const name of ['master.key', 'api-keys']) {
        await chmod(join(secrets, name), 0o440)
        await chown(join(secrets, name), 0, user!)
      }
    }
    const port = String(await freePort())
    const env = {
      PATH: process.env.PATH ?? '',
      ...environmentOf(await runStage()),
      CLIPGATE_HOST: '127.0.0.1',
      CLIPGATE_PORT: port,
      CLIPGATE_DATA_DIR: join(data, 'data'),
      CLIPGATE_MASTER_KEY_FILE: join(secrets, 'master.key'),
      CLIPGATE_API_KEYS_FILE: join(secrets, 'api-keys'),
      CLIPGATE_SCAN: 'off',
    }
    const rights = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--no-new-privs']
    const without = ['--inh-caps=-all', '--bounding-set=-all']
    const fence = [
      ...['unshare', '--mount', 'sh', '-c'],
      // The root is read-only, what is mounted below is not. One in memory stands for the image's /tmp, in which all of this lies here:
      // SQLite wants some place for what it spills.
      'mount --bind "$0" "$0" && mount -o remount,bind,ro / && mount -t tmpfs tmpfs /var/tmp && exec "$@"',
      data,
      ...rights,
      ...without,
    ]
    const service = spawnLine(
      [...(canFence ? fence : []), process.execPath, join(folder, 'dist/main.js'), 'serve'],
      env,
    )
    await service.until(/"msg":"serving"/)

    const url = `http://127.0.0.1:${port}`
    const { status, body } = await pushTo(url, await jpeg(), { key: keys.all })
    expect([status, body.status]).toEqual([200, 'success'])
    const headers = { authorization: `Bearer ${keys.all}` }
    const { id } = body.attachment
    const read = await fetch(`${url}/v1/attachments/${id}`, { headers })
    expect((await read.json()) as Attachment).toMatchObject({ id, state: 'accepted' })
    // What is made by packages with native code of their own, in a process of its own.
    const copy = await fetch(`${url}/v1/attachments/${id}/safe-copy`, { headers })
    expect([copy.status, (await copy.arrayBuffer()).byteLength > 0]).toEqual([200, true])

    expect(await health(env)).toBe(0)
    expect(await health({ ...env, CLIPGATE_PORT: '1' })).toBe(1)
    service.child.kill('SIGTERM')
    expect(await service.ended).toBe(0)
    expect(await readdir(join(data, 'data'))).toContain('clipgate.db')
  }, 120_000)
})

function spawnLine([program, ...args]: string[], env: Record<string, string>) {
  const child = spawn(program!, args, { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  let wake: () => void = () => {}
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      said += chunk
      wake()
    })
  let over = false
  const ended = new Promise<number | null>((resolve) =>
    child.once('close', (code) => {
      over = true
      wake()
      resolve(code)
    }),
  )
  onTestFinished(async () => {
    if (!over) child.kill('SIGKILL')
    await ended
  })
  return {
    child,
    ended,
    async until(pattern: RegExp) {
      while (!pattern.test(said)) {
        if (over) throw new Error(`ended without ${pattern}: ${said}`)
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}

/** The exit code of the image's own question. */
async function health(env: Record<string, string>): Promise<number> {
  const { value } = (await runStage()).find(({ name }) => name === 'HEALTHCHECK')!
  const [program, ...args] = JSON.parse(value.slice(value.indexOf('['))) as string[]
  const child = spawn(program!, args, { env, stdio: 'ignore' })
  const [code] = await once(child, 'exit')
  return code as number
}
