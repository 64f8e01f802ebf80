import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { png } from '../fixtures/files.ts'
import { eventually, keys, temporaryFolder, testEnvironment } from '../harness.ts'
import { run } from './process.ts'
import { startPull } from './pulling.ts'

const bad = { name: 'photo.jpg', type: 'image/jpeg', bytes: Buffer.from('<html></html>') }
const unknown = '7d5e2b1c-0c3a-4c53-9f8a-2e4d5a6b7c81'

async function start() {
  const dataDir = await temporaryFolder()
  const started = await startPull({ dataDir })
  const env = testEnvironment(dataDir, started.emulator.url)
  const file = join(await temporaryFolder(), 'ids.csv')
  return {
    ...started,
    /** Runs the command over a file of these lines. */
    async backfill(lines: string[], more: string[] = []) {
      await writeFile(file, lines.join('\r\n'))
      const program = run(['pull', 'backfill', '--conversations', file, ...more], env)
      return { code: await program.ended, out: program.stdout(), err: program.stderr() }
    },
    env,
    file,
  }
}

describe('a backfill', () => {
  it('has every file of old conversations fetched, and sums up', async () => {
    const { backfill, conversation, customerSends, list } = await start()
    const ids = [conversation(), conversation(), conversation()]
    for (const [i, id] of ids.entries()) customerSends(id, await png(`old-${i}.png`))
    customerSends(ids[0]!, bad)
    const { code, out, err } = await backfill(['conversationId', ...ids.map((id) => `"${id}"`), '', ids[0]!, unknown])
    expect([code, out.trim().split('\n')]).toEqual([
      0,
      [
        '4 conversations: 3 looked at, 1 unknown to the platform, 0 given up.',
        'Files: 3 accepted, 1 refused, 0 unfetched.',
      ],
    ])
    expect(err).toContain('1 lines are no id of a conversation')
    expect(err).toMatch(/\d of 4 conversations looked at/)
    expect(await list()).toHaveLength(4)
  })

  it('that is run again asks nothing of what was done', async () => {
    const { backfill, conversation, customerSends, asked } = await start()
    const ids = [conversation(), conversation()]
    for (const id of ids) customerSends(id, await png())
    const first = await backfill(ids)
    const looked = asked('GET', '/api/v2/conversations/')
    expect(await backfill([...ids].reverse())).toMatchObject({ code: 0, out: first.out })
    expect(asked('GET', '/api/v2/conversations/')).toBe(looked)
  })

  it('goes on in the service when the command ends, and is taken up by the next service when that ends', async () => {
    const { backfill, conversation, customerSends, service, emulator, env } = await start()
    const ids = [conversation(), conversation(), conversation()]
    for (const id of ids) customerSends(id, await png())
    await service.stop()
    expect(await backfill(ids, ['--no-wait'])).toMatchObject({ code: 0, out: '3 conversations are asked for.\n' })
    const { list } = await startPull({ dataDir: env.CLIPGATE_DATA_DIR!, emulator })
    await eventually(
      () => list(),
      (files) => files.length === 3 && files.every(({ state }) => state === 'accepted'),
    )
  })

  it('tells what could not be fetched, and so do the metrics', async () => {
    const { backfill, conversation, customerSends, emulator, url } = await start()
    const id = conversation()
    customerSends(id, await png('gone.png'))
    emulator.setSwitches({ downloads: 'redirect', redirectDownloadsTo: 'http://169.254.169.254/' })
    const { code, out } = await backfill([id])
    expect([code, out]).toEqual([0, expect.stringContaining('0 accepted, 0 refused, 1 unfetched')])
    const headers = { authorization: `Bearer ${keys.read}` }
    expect(await (await fetch(`${url}/metrics`, { headers })).text()).toContain('clipgate_pull_unfetched 1')
  })

  it.each([
    ['names nothing', ['', 'conversationId'], 'names no conversation'],
    ['is not there', null, 'cannot be read'],
  ])('of a file that %s is wrong use', async (_, lines, says) => {
    const { backfill, env } = await start()
    const ended = lines
      ? await backfill(lines)
      : await (async () => {
          const program = run(['pull', 'backfill', '--conversations', '/nowhere/ids'], env)
          return { code: await program.ended, err: program.stderr() }
        })()
    expect([ended.code, ended.err]).toEqual([2, expect.stringContaining(says)])
  })
})

describe('clipgate pull retry', () => {
  it('makes what could not be fetched due again, and it is fetched by the running service', async () => {
    const { conversation, customerSends, pull, emulator, env, settled } = await start()
    const conversationId = conversation()
    emulator.setSwitches({ downloads: 'redirect', redirectDownloadsTo: 'http://169.254.169.254/' })
    customerSends(conversationId, await png())
    const { body } = await pull({ conversationId })
    expect(body.attachments).toMatchObject([{ state: 'unfetched', detail: expect.stringContaining('only https') }])
    emulator.setSwitches({ redirectDownloadsTo: 'self' })
    const retry = run(['pull', 'retry', body.attachments[0]!.id], env)
    expect([await retry.ended, retry.stdout()]).toEqual([0, '1 due again.\n'])
    await eventually(
      () => settled(conversationId, 1),
      ([one]) => one?.state === 'accepted',
    )
    const none = run(['pull', 'retry', body.attachments[0]!.id], env)
    expect([await none.ended, none.stderr()]).toEqual([1, 'There is no such unfetched attachment.\n'])
  })
})
