import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startEmulator } from '../../emulator/index.ts'
import type { Attachment } from '../../src/attachment.ts'
import { png, text } from '../fixtures/files.ts'
import { freePort } from '../freePort.ts'
import { eventually, keys, pushTo, temporaryFolder, testEnvironment } from '../harness.ts'
import { run, servingAt } from './process.ts'

async function clipgate(args: string[], env: Record<string, string> = {}) {
  const program = run(args, env)
  const code = await program.ended
  return { code, out: program.stdout(), err: program.stderr() }
}

async function serving(env: Record<string, string>) {
  const program = run(['serve'], env)
  const [, url] = await program.until(servingAt)
  return { program, url: url! }
}

describe('every command', () => {
  it('explains itself, and the table of them is complete', async () => {
    const { code, out } = await clipgate(['--help'])
    expect(code).toBe(0)
    for (const command of [
      'serve',
      'demo',
      'emulator',
      'doctor',
      'migrate',
      'keys',
      'outbox',
      'pull',
      'quarantine',
      'policy',
      'genesys',
      'accounts',
      'audit',
      'erase',
      'backup',
      'restore',
      'move',
    ]) {
      expect(out).toContain(`  ${command}`)
      const help = await clipgate([command, '--help'])
      expect([help.code, help.out]).toEqual([0, expect.stringContaining(`Usage: clipgate ${command}`)])
    }
  })

  it.each([
    [['nonsense']],
    [['outbox', 'list', '--state', 'lost']],
    [['emulator', '--port', 'x']],
    [['erase']],
    [['keys', 'create']],
    [['outbox', 'list', '--limit', 'abc']],
    [['keys', 'list']],
    [['pull', 'backfill']],
    [['policy', 'push']],
    [['genesys', 'sign-in', '--port', 'x']],
    [['genesys', 'sign-in']],
    [['accounts', 'add', 'rita']],
    [['accounts', 'add', 'Rita', '--role', 'reader']],
    [['accounts', 'remove']],
    [['backup']],
    [['restore']],
    [['restore', '--from', '/nowhere']],
    [['move']],
    [['move', 'storage']],
    [['move', 'database']],
  ])('exits with 2 on wrong use: %s', async (args) => {
    const { code, err } = await clipgate(args, testEnvironment(await temporaryFolder(), 'http://127.0.0.1:9'))
    expect(code).toBe(2)
    expect(err).not.toMatch(/\n\s+at /)
    expect(err.length).toBeGreaterThan(10)
  })
})

describe('serve', () => {
  it('tells every problem of its configuration at once, and exits with 2', async () => {
    const { code, err } = await clipgate(['serve'], {
      CLIPGATE_PORT: '99999',
      CLIPGATE_MAX_FILE_BITES: '1',
      CLIPGATE_SCAN: 'maybe',
    })
    expect(code).toBe(2)
    expect(err.trim().split('\n')).toHaveLength(4)
    expect(err).toContain('Did you mean CLIPGATE_MAX_FILE_BYTES?')
  })

  it('ends cleanly when asked: what runs is finished, and the exit code is 0', async () => {
    const env = testEnvironment(await temporaryFolder(), 'http://127.0.0.1:9')
    const { program, url } = await serving(env)
    const pushes = Array.from({ length: 20 }, async () => pushTo(url, text()))
    await Promise.race(pushes)
    program.child.kill('SIGTERM')
    const answers = await Promise.allSettled(pushes)
    expect(await program.ended).toBe(0)
    const acknowledged = answers.flatMap((answer) =>
      answer.status === 'fulfilled' && answer.value.status === 200 ? [answer.value.body.attachment] : [],
    )
    const again = await serving(env)
    for (const { id } of acknowledged)
      expect(
        (
          await fetch(`${again.url}/v1/attachments/${id}/content`, {
            headers: { authorization: `Bearer ${keys.read}` },
          })
        ).status,
      ).toBe(200)
  })

  it('goes on without its log when the log cannot be written, and still ends when asked', async () => {
    const port = await freePort()
    const env = { ...testEnvironment(await temporaryFolder(), 'http://127.0.0.1:9'), CLIPGATE_PORT: String(port) }
    const program = run(['serve'], env, ['sh', '-c', 'exec "$0" "$@" > /dev/full'])
    const live = () =>
      fetch(`http://127.0.0.1:${port}/health/live`).then(
        ({ status }) => status,
        () => 0,
      )
    await eventually(live, (status) => status === 200)
    for (let i = 0; i < 500; i++) expect(await live()).toBe(200)
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
  })

  it('says plainly when its port is taken', async () => {
    const { url } = await serving(testEnvironment(await temporaryFolder(), 'http://127.0.0.1:9'))
    const { code, err } = await clipgate(['serve'], {
      ...testEnvironment(await temporaryFolder(), 'http://127.0.0.1:9'),
      CLIPGATE_PORT: new URL(url).port,
    })
    expect([code, err]).toEqual([1, expect.stringContaining('choose another port')])
  })
})

describe('demo --once', () => {
  it('ends with 0 after the confirmation was seen, and leaves nothing behind', async () => {
    const { code, out } = await clipgate(['demo', '--once', '--port', '0', '--emulator-port', '0'])
    expect([code, out]).toEqual([0, expect.stringMatching(/The conversation got: .*photo\.jpg.*#[0-9A-Z]{8}/)])
    expect(out).toMatch(/receipt\.jpg was pulled[\s\S]*The conversation got: .*receipt\.jpg.*#[0-9A-Z]{8}/)
    expect(existsSync(/^Data +(\S+)/m.exec(out)![1]!)).toBe(false)
  })

  it('stays up without --once, and the curl line that it prints works as pasted', async () => {
    const program = run(['demo', '--port', '0', '--emulator-port', '0'], {})
    const [, line] = await program.until(/^(curl .* -F file=.*)$/m)
    const { spawnSync } = await import('node:child_process')
    const pasted = spawnSync('bash', ['-c', `${line} -s`], { encoding: 'utf8' })
    expect(JSON.parse(pasted.stdout)).toMatchObject({ status: 'success' })
    // And whoever opens the console can sign in there.
    const [console] = /http:\S+\/console/.exec(program.stdout())!
    expect((await fetch(console)).status).toBe(200)
    const ways = await (await fetch(new URL('/v1/sign-in', console))).json()
    expect(ways).toMatchObject({ genesys: { authorizeUrl: expect.stringMatching(/^http:.*\/oauth\/authorize$/) } })
    program.child.kill('SIGINT')
    expect(await program.ended).toBe(0)
  })
})

describe('emulator', () => {
  it('listens where it is told', async () => {
    const program = run(['emulator', '--port', '0'], {})
    const [, url] = await program.until(/emulator on (\S+)/)
    expect((await fetch(`${url}/_emulator/conversations`, { method: 'POST' })).status).toBe(200)
    program.child.kill('SIGTERM')
    expect(await program.ended).toBe(0)
  })
})

describe('keys', () => {
  it('create makes a key file for its owner only, once; serve takes it, list knows it, export copies it', async () => {
    const folder = await temporaryFolder()
    const keyFile = join(folder, 'my.key')
    const env = { ...testEnvironment(join(folder, 'data'), 'http://127.0.0.1:9'), CLIPGATE_MASTER_KEY_FILE: keyFile }
    const made = await clipgate(['keys', 'create', '--out', keyFile])
    expect([made.code, (await stat(keyFile)).mode & 0o777]).toEqual([0, 0o600])
    expect((await clipgate(['keys', 'create', '--out', keyFile])).code).toBe(2)
    const { program, url } = await serving(env)
    await pushTo(url, text())
    const id = /mk_[0-9a-f]{16}/.exec(made.out)![0]
    expect((await clipgate(['keys', 'list'], env)).out).toMatch(new RegExp(`${id} +current .* 1 files`))
    program.child.kill('SIGTERM')
    await program.ended
    const copy = join(folder, 'copy.key')
    expect((await clipgate(['keys', 'export', '--out', copy], env)).code).toBe(0)
    expect(await readFile(copy, 'utf8')).toBe(await readFile(keyFile, 'utf8'))
    expect(
      (await clipgate(['keys', 'list'], { ...env, CLIPGATE_MASTER_KEY_FILE: join(folder, 'none') })).out,
    ).toContain('MISSING')
  })
})

describe('outbox', () => {
  it('shows what is parked and why, and retries or drops it while the service runs', async () => {
    const emulator = await startEmulator({ port: 0 })
    onTestFinished(() => emulator.close())
    const env = testEnvironment(await temporaryFolder(), emulator.url)
    const { url } = await serving(env)
    const unknown = '00000000-0000-4000-8000-000000000000'
    const [a, b] = [
      await pushTo(url, await png(), { conversationId: unknown }),
      await pushTo(url, await png(), { conversationId: 'nobody' }),
    ]
    const confirmation = async (id: string) => {
      const answer = await fetch(`${url}/v1/attachments/${id}`, { headers: { authorization: `Bearer ${keys.read}` } })
      return ((await answer.json()) as Attachment).confirmation?.state
    }
    for (const { body } of [a, b])
      await eventually(
        () => confirmation(body.attachment.id),
        (state) => state === 'parked',
      )
    const list = await clipgate(['outbox', 'list', '--state', 'parked'], env)
    expect(list.out.trim().split('\n')).toHaveLength(2)
    expect(list.out).toMatch(/404|not found/i)
    expect((await clipgate(['outbox', 'drop', a.body.attachment.id], env)).code).toBe(0)
    expect(await confirmation(a.body.attachment.id)).toBe('dropped')
    const retried = await clipgate(['outbox', 'retry'], env)
    expect([retried.code, retried.out.trim()]).toEqual([0, '1 due again.'])
    await eventually(
      () => confirmation(b.body.attachment.id),
      (state) => state === 'parked',
    )
    expect((await clipgate(['outbox', 'retry', a.body.attachment.id], env)).code).toBe(1)
  })
})

describe('erase', () => {
  it('erases one, or a whole conversation, beside a running service, and prints receipts', async () => {
    const env = testEnvironment(await temporaryFolder(), 'http://127.0.0.1:9')
    const { url } = await serving(env)
    const ids: string[] = []
    for (let i = 0; i < 3; i++) ids.push((await pushTo(url, text(), { conversationId: 'c-1' })).body.attachment.id)
    const one = await clipgate(['erase', '--attachment', ids[0]!], env)
    expect([one.code, JSON.parse(one.out)]).toEqual([
      0,
      expect.objectContaining({ attachmentId: ids[0], key: 'destroyed', bytes: 'removed' }),
    ])
    const rest = await clipgate(['erase', '--conversation', 'c-1'], env)
    expect(
      rest.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).attachmentId)
        .sort(),
    ).toEqual(ids.slice(1).sort())
    for (const id of ids) {
      const answer = await fetch(`${url}/v1/attachments/${id}/content`, {
        headers: { authorization: `Bearer ${keys.read}` },
      })
      expect(answer.status).toBe(410)
    }
    expect((await clipgate(['erase', '--attachment', 'att_0'], env)).code).toBe(1)
  })
})

describe('migrate and doctor', () => {
  it('migrate brings a new folder up to date, and again changes nothing', async () => {
    const env = testEnvironment(await temporaryFolder(), 'http://127.0.0.1:9')
    expect((await clipgate(['serve'], { ...env, CLIPGATE_MIGRATE: 'off' })).err).toContain('clipgate migrate')
    expect((await clipgate(['migrate'], env)).out).toContain('made 0001_attachments')
    expect((await clipgate(['migrate'], env)).out.trim()).toBe('The schema is up to date.')
  })

  it('doctor finds nothing to mend in a good installation but what it must warn of, and says it as JSON too', async () => {
    const emulator = await startEmulator({ port: 0 })
    onTestFinished(() => emulator.close())
    const dataDir = await temporaryFolder()
    const env = testEnvironment(dataDir, emulator.url)
    const { program } = await serving(env)
    program.child.kill('SIGTERM')
    await program.ended
    const plain = await clipgate(['doctor'], env)
    expect([plain.code, plain.out]).toEqual([
      0,
      expect.stringMatching(/warning +master key: .*lies in the data folder/),
    ])
    expect(plain.out).toMatch(/ok +genesys: .* gives a token/)
    const { findings } = JSON.parse((await clipgate(['doctor', '--json'], env)).out)
    expect(findings).toContainEqual({ what: 'scan', state: 'warning', says: expect.stringContaining('unscanned') })
  })

  it('doctor looks at each deployment that the gateway relays', async () => {
    const emulator = await startEmulator({ port: 0 })
    onTestFinished(() => emulator.close())
    const known = '00000000-0000-4000-8000-00000000d001'
    const unknown = '00000000-0000-4000-8000-00000000d009'
    const env = {
      ...testEnvironment(await temporaryFolder(), emulator.url),
      CLIPGATE_GATEWAY_DEPLOYMENTS: `${known},${unknown}`,
      CLIPGATE_GENESYS_GUEST_URL: emulator.url,
      CLIPGATE_GENESYS_CDN_URL: emulator.url,
    }
    const { code, out } = await clipgate(['doctor'], env)
    expect(code).toBe(1)
    expect(out).toMatch(new RegExp(`ok +gateway: deployment ${known} is relayed`))
    expect(out).toMatch(new RegExp(`failed +gateway: deployment ${unknown}: Genesys Cloud knows no such deployment`))
    expect(out).toMatch(/warning +gateway: clients are sent to http:/)
    emulator.setSwitches({ attachments: 'disabled' })
    expect((await clipgate(['doctor'], env)).out).toMatch(/warning +gateway: .* does not let customers send files/)
  })

  it('doctor waits for a platform that cannot be reached, and says so in the end', async () => {
    const env = testEnvironment(await temporaryFolder(), 'http://127.0.0.1:9')
    const { code, out } = await clipgate(['doctor'], env)
    expect([code, out]).toEqual([1, expect.stringMatching(/failed +genesys: /)])
  })

  it('doctor fails for wrong credentials, a folder open to others is a warning, bad settings are all told', async () => {
    const emulator = await startEmulator({ port: 0 })
    onTestFinished(() => emulator.close())
    const dataDir = await temporaryFolder()
    await mkdir(dataDir, { recursive: true })
    await chmod(dataDir, 0o755)
    const bad = await clipgate(['doctor'], {
      ...testEnvironment(dataDir, emulator.url),
      CLIPGATE_GENESYS_CLIENT_SECRET: 'wrong',
    })
    expect([bad.code, bad.out]).toEqual([1, expect.stringMatching(/failed +genesys/)])
    expect(bad.out).toMatch(/warning +data folder: .* can be read by others/)
    expect(
      (await clipgate(['doctor'], { CLIPGATE_PORT: 'x', CLIPGATE_SCAN: 'y' })).out.match(/failed +configuration/g),
    ).toHaveLength(3)
  })
})

describe('policy', () => {
  const builtIn = 'webMessagingDefault'

  async function atAnInstallation() {
    const emulator = await startEmulator({ port: 0 })
    onTestFinished(() => emulator.close())
    const env = testEnvironment(await temporaryFolder(), emulator.url)
    await clipgate(['migrate'], env)
    return { env, emulator }
  }

  it('diff tells each difference, and doctor warns of it', async () => {
    const { env } = await atAnInstallation()
    const { code, out } = await clipgate(['policy', 'diff'], env)
    expect([code, out]).toEqual([0, expect.stringMatching(/^only_there +profile "Default" .*every type/)])
    const { differences } = JSON.parse((await clipgate(['policy', 'diff', '--json'], env)).out)
    expect(differences).toMatchObject([{ kind: 'only_there' }])
    expect((await clipgate(['doctor'], env)).out).toMatch(/warning +platform: profile "Default"/)
  })

  it('push changes nothing without --yes, and with it the profile and the audit trail', async () => {
    const { env, emulator } = await atAnInstallation()
    const changes = () => emulator.requests().filter(({ method }) => method === 'PATCH').length
    const push = ['policy', 'push', '--profile', builtIn]
    const shown = await clipgate(push, env)
    expect([shown.code, shown.out]).toEqual([0, expect.stringContaining('Add --yes')])
    expect(changes()).toBe(0)
    expect((await clipgate([...push, '--yes'], env)).out).toContain('Changed.')
    expect(changes()).toBe(1)
    expect((await clipgate(['policy', 'diff'], env)).out).toContain('and nothing else')
    expect((await clipgate([...push, '--yes'], env)).out).toContain('Nothing was changed')
    expect(changes()).toBe(1)
    expect((await clipgate(['audit', 'list', '--what', 'policy_push'], env)).out).toContain(builtIn)
  })

  it('push says plainly what is wrong: no such profile, no permission, no credentials', async () => {
    const { env, emulator } = await atAnInstallation()
    const unknown = await clipgate(['policy', 'push', '--profile', 'unknown', '--yes'], env)
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('404')])
    emulator.setFaults([{ route: 'PATCH /api/v2/conversations/messaging/supportedcontent/*', status: 403, times: 1 }])
    const denied = await clipgate(['policy', 'push', '--profile', builtIn, '--yes'], env)
    expect([denied.code, denied.err]).toEqual([1, expect.stringContaining('403')])
    const {
      CLIPGATE_GENESYS_CLIENT_ID: _,
      CLIPGATE_GENESYS_CLIENT_SECRET: __,
      ...without
    } = env as Record<string, string>
    expect((await clipgate(['policy', 'diff'], without)).code).toBe(2)
  })
})

describe('a service user', () => {
  async function configured() {
    const emulator = await startEmulator({ port: 0 })
    onTestFinished(() => emulator.close())
    const dataDir = await temporaryFolder()
    const env = { ...testEnvironment(dataDir, emulator.url), CLIPGATE_GENESYS_USER_CLIENT_ID: 'demo-page' }
    await clipgate(['migrate'], env)
    return { env, emulator, file: join(dataDir, 'keys', 'genesys-user.json') }
  }

  it('is signed in by a browser, sends the message, and is signed out', async () => {
    const { env, emulator, file } = await configured()
    expect((await clipgate(['doctor'], env)).out).toMatch(/failed +service user: no service user has signed in/)
    const program = run(['genesys', 'sign-in', '--port', '0'], env)
    const [address] = await program.until(/http\S+authorize\S+/)
    const { headers } = await fetch(address, { redirect: 'manual' })
    const back = new URL(headers.get('location')!)
    const forged = new URL(back)
    forged.searchParams.set('state', 'another')
    expect((await fetch(forged)).status).toBe(400)
    expect((await fetch(new URL('/other', back))).status).toBe(404)
    const page = await fetch(back)
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('Signed in')])
    expect(await program.ended).toBe(0)
    expect(program.stdout()).toContain('Maria Agent')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await clipgate(['doctor'], env)).out).toMatch(/ok +service user/)

    emulator.setSwitches({ sendWithClientCredentials: 'userContextRequired' })
    const { url } = await serving(env)
    const { id } = emulator.createConversation()
    await pushTo(url, text(), { conversationId: id })
    await eventually(
      async () => emulator.conversation(id).messages.length,
      (count) => count === 1,
    )

    expect((await clipgate(['genesys', 'sign-out'], env)).out).toContain('signed out')
    expect(existsSync(file)).toBe(false)
    const trail = (await clipgate(['audit', 'list', '--json'], env)).out
    expect(trail).toContain('user_sign_in')
    expect(trail).toContain('user_sign_out')
  })

  it('who says no at the login leaves nothing behind', async () => {
    const { env, emulator, file } = await configured()
    emulator.setSwitches({ signIn: 'denied' })
    const program = run(['genesys', 'sign-in', '--port', '0'], env)
    const [address] = await program.until(/http\S+authorize\S+/)
    expect((await fetch(address)).status).toBe(400)
    expect(await program.ended).toBe(1)
    expect(program.stderr()).toContain('access_denied')
    expect(existsSync(file)).toBe(false)
  })
})
