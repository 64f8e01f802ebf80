import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../src/clock.ts'
import { readConfig } from '../../src/config.ts'
import { defaultLimits } from '../../src/intake/inspect/limits.ts'
import { keyFile as newKeyFile } from '../../src/keys/source.ts'
import { createService } from '../../src/service.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { png, text } from '../fixtures/files.ts'
import { keys, startTestService, temporaryFolder, testEnvironment } from '../harness.ts'
import { rawClient } from './raw.ts'

interface Ready {
  ready: boolean
  checks: Record<string, { ok: boolean; cause?: string; note?: string }>
}

describe('a process that is asked to end', () => {
  it('is unready at once, goes on taking in while that is noticed, and then ends', async () => {
    let noticed = () => {}
    const clock: Clock = {
      ...systemClock,
      // The time that others have to notice is the test's.
      wait: (ms, signal) =>
        ms === 7000 ? new Promise<void>((resolve) => (noticed = resolve)) : systemClock.wait(ms, signal),
    }
    const service = await startTestService({ env: { STOP_DELAY_SECONDS: '7' }, overrides: { clock } })
    expect((await fetch(`${service.url}/health/ready`)).status).toBe(200)
    const stopped = service.service.stop()
    const { status, body } = await service.get<Ready>('/health/ready')
    expect([status, body.ready, body.checks.process]).toEqual([503, false, { ok: false, cause: 'it is stopping' }])
    expect((await fetch(`${service.url}/health/live`)).status).toBe(200)
    expect((await service.push(text())).status).toBe(200)
    noticed()
    await stopped
    await expect(fetch(`${service.url}/health/live`)).rejects.toThrow('fetch failed')
  })
})

describe('readiness', () => {
  it('says that scanning is off, and that all is well', async () => {
    const { get } = await startTestService()
    const { status, body } = await get<Ready>('/health/ready')
    expect([status, body.ready]).toEqual([200, true])
    expect(body.checks).toEqual({
      records: { ok: true },
      storage: { ok: true },
      keys: { ok: true },
      scan: { ok: true, note: 'off: files are taken unscanned' },
      genesys: { ok: true },
      outbox: { ok: true },
    })
  })

  it('names the storage when it fails, and is ready again when it is back', async () => {
    const storage = memoryStorage(() => new Date())
    let now = new Date('2026-11-01T00:00:00Z')
    const clock = { ...systemClock, now: () => now }
    const { get } = await startTestService({ overrides: { storage, clock } })
    storage.failNext('check')
    const { status, body } = await get<Ready>('/health/ready')
    expect([status, body.ready, body.checks.storage?.ok]).toEqual([503, false, false])
    expect(body.checks.storage?.cause).toContain('told to fail')
    now = new Date('2026-11-01T00:00:01Z')
    expect((await get<Ready>('/health/ready')).status).toBe(200)
  })

  it('asks the platform at most twice a minute, however often it is asked', async () => {
    const { get, emulator } = await startTestService()
    await Promise.all(Array.from({ length: 50 }, () => get('/health/ready')))
    expect(emulator.requests().filter(({ path }) => path.startsWith('/api/'))).toHaveLength(1)
  })

  it('is not lost with Genesys Cloud, whose trouble is told', async () => {
    const { get, emulator } = await startTestService()
    emulator.setFaults([{ route: 'POST /oauth/token', status: 401, times: 100 }])
    const { status, body } = await get<Ready>('/health/ready')
    expect([status, body.ready, body.checks.genesys?.ok]).toEqual([200, true, false])
    expect(body.checks.genesys?.cause).toBeTruthy()
  })

  it('is lost with an engine that cannot be reached', async () => {
    const away = fakeEngine({
      say: () => ({ verdict: 'failed' }),
      check: async () => {
        throw new Error('connection refused')
      },
    })
    const { get } = await startTestService({ overrides: { scanners: [away] } })
    const { status, body } = await get<Ready>('/health/ready')
    expect([status, body.checks.scan]).toEqual([503, { ok: false, cause: 'connection refused' }])
  })

  it('a live process says so to everybody', async () => {
    const { url } = await startTestService()
    for (const method of ['GET', 'HEAD'])
      expect((await fetch(`${url}/health/live`, { method })).status, method).toBe(200)
  })
})

describe('metrics', () => {
  it('count files, confirmations and requests, and need the scope read', async () => {
    const { url, push, conversation, confirmations } = await startTestService()
    const conversationId = conversation()
    await push(await png(), { conversationId })
    await push(text('a.txt', '<html>'))
    await confirmations(conversationId)
    const metrics = (key: string) => fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${key}` } })
    expect((await metrics(keys.push)).status).toBe(403)
    const lines = await (await metrics(keys.read)).text()
    expect(lines).toContain('clipgate_files_total{door="push",state="accepted",code=""} 1')
    expect(lines).toContain('clipgate_files_total{door="push",state="refused",code="type_mismatch"} 1')
    expect(lines).toContain('clipgate_genesys_tokens_total{outcome="given"} 1')
    expect(lines).toMatch(
      /clipgate_http_request_seconds_count\{method="POST",route="\/webhook\/file-upload",status="200"\} 1/,
    )
    for (const line of lines.split('\n').filter((line) => line && !line.startsWith('#')))
      expect(line).toMatch(/^clipgate_/)
  })
})

describe('the policy', () => {
  it('is open, and is the one in force', async () => {
    const { url } = await startTestService({ env: { MAX_FILE_BYTES: '1234', ALLOWED_TYPES: 'image/png, model/obj' } })
    expect(await (await fetch(`${url}/v1/policy`)).json()).toEqual({
      maxFileBytes: 1234,
      allowedTypes: ['image/png', 'model/obj'],
      scan: 'off',
      types: [
        { type: 'image/png', endings: ['png', 'apng'], inspected: true },
        { type: 'model/obj', endings: ['obj'], inspected: false },
      ],
      trailingData: 'refuse',
      limits: defaultLimits,
      keep: 'original',
      quarantine: { codes: [], engineDown: false, days: 30, secondPerson: false },
      rescanDays: 7,
      agentFiles: 'ignore',
      deployments: {},
    })
  })
})

describe('the description of the HTTP API', () => {
  it('has every route, and its page needs nothing from outside', async () => {
    const { url } = await startTestService()
    const description = (await (await fetch(`${url}/openapi.json`)).json()) as {
      openapi: string
      paths: Record<string, object>
    }
    expect(description.openapi).toBe('3.1.0')
    expect(
      Object.entries(description.paths)
        .map(([path, methods]) => `${path} ${Object.keys(methods).join()}`)
        .sort(),
    ).toEqual([
      '/files/{secret} get,head',
      '/health/live get',
      '/health/ready get',
      '/metrics get',
      '/v1/attachments get',
      '/v1/attachments/{id} get,delete',
      '/v1/attachments/{id}/content get',
      '/v1/attachments/{id}/destroy post',
      '/v1/attachments/{id}/hold post',
      '/v1/attachments/{id}/links post,get',
      '/v1/attachments/{id}/links/{linkId} delete',
      '/v1/attachments/{id}/preview get',
      '/v1/attachments/{id}/release post',
      '/v1/attachments/{id}/safe-copy get',
      '/v1/attachments/{id}/story get',
      '/v1/audit get',
      '/v1/events get',
      '/v1/keys get',
      '/v1/outbox get',
      '/v1/outbox/{attachmentId}/drop post',
      '/v1/outbox/{attachmentId}/retry post',
      '/v1/overview get',
      '/v1/policy get',
      '/v1/policy/differences get',
      '/v1/quarantine get',
      '/v1/session post,get,delete',
      '/v1/sign-in get',
      '/v1/tickets post',
      '/webhook/file-upload post',
    ])
    const page = await fetch(`${url}/docs/`)
    const html = await page.text()
    expect(page.status).toBe(200)
    expect(html).not.toMatch(/(src|href)="https?:/)
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'self'/)
  })

  it('is for readers only when DOCS says so', async () => {
    const { url, get } = await startTestService({ env: { DOCS: 'read' } })
    expect((await fetch(`${url}/openapi.json`)).status).toBe(401)
    expect((await fetch(`${url}/docs/`)).status).toBe(401)
    expect((await get('/openapi.json', keys.read)).status).toBe(200)
  })
})

describe('the log', () => {
  it('has a line for each request with its id, and no secret, name or content', async () => {
    const { push, conversation, confirmations, logged } = await startTestService()
    const conversationId = conversation()
    const { headers } = await push(text('private-name.txt', 'private content'), { conversationId })
    await confirmations(conversationId)
    expect(
      logged.find(({ msg, requestId }) => msg === 'request served' && requestId === headers.get('x-request-id')),
    ).toMatchObject({
      method: 'POST',
      route: '/webhook/file-upload',
      status: 200,
      who: 'all',
    })
    const all = JSON.stringify(logged)
    for (const secret of ['private-name', 'private content', keys.all, 'demo-secret', 'Bearer'])
      expect(all.includes(secret), secret).toBe(false)
  })
})

describe('a start', () => {
  const config = (dataDir: string, env: Record<string, string> = {}) =>
    readConfig({ ...testEnvironment(dataDir, 'http://127.0.0.1:9'), ...env })

  it('is refused when the key file that the records name is lost, damaged or another, and leaves the folder free for the next', async () => {
    const dataDir = await temporaryFolder()
    const { push, service } = await startTestService({ dataDir })
    await push(text())
    await service.stop()
    const keyFile = join(dataDir, 'keys', 'master.key')
    await rm(keyFile)
    const { config: settings, secrets } = config(dataDir)
    await expect(createService(settings, secrets)).rejects.toThrow(/key file .* is missing/)
    await writeFile(keyFile, 'mk_0 AAAA\n', { mode: 0o600 })
    await expect(createService(settings, secrets)).rejects.toThrow(/damaged/)
    await rm(keyFile)
    await newKeyFile(keyFile, null).create()
    await expect(createService(settings, secrets)).rejects.toThrow(/has not the key mk_/)
  })

  it('is refused when the database is lost and files are there, so that no sweep takes them for orphans', async () => {
    const dataDir = await temporaryFolder()
    const { push, service } = await startTestService({ dataDir })
    await push(text())
    await service.stop()
    for (const file of ['clipgate.db', 'clipgate.db-wal', 'clipgate.db-shm'])
      await rm(join(dataDir, file), { force: true })
    const { config: settings, secrets } = config(dataDir)
    await expect(createService(settings, secrets)).rejects.toThrow(/Put back the database/)
  })

  it('is refused when another process serves from the folder', async () => {
    const dataDir = await temporaryFolder()
    await startTestService({ dataDir })
    const { config: settings, secrets } = config(dataDir)
    await expect(createService(settings, secrets)).rejects.toThrow(/Another clipgate process/)
  })

  it('is refused without an engine unless scanning is switched off, and names both ways out', async () => {
    const { config: settings, secrets } = config(await temporaryFolder(), { CLIPGATE_SCAN: 'required' })
    await expect(createService(settings, secrets)).rejects.toThrow(/CLIPGATE_CLAMD[\s\S]*CLIPGATE_SCAN=off/)
  })

  it('is refused without a door', async () => {
    const { config: settings, secrets } = config(await temporaryFolder(), { CLIPGATE_API_KEYS: `r:read:${keys.read}` })
    await expect(createService(settings, secrets)).rejects.toThrow(/No door/)
  })

  it('empties the spool of what a process that died has left', async () => {
    const dataDir = await temporaryFolder()
    await mkdir(join(dataDir, 'spool'), { recursive: true })
    await writeFile(join(dataDir, 'spool', 'left-behind'), 'x')
    const { push, get } = await startTestService({ dataDir })
    expect((await push(text())).status).toBe(200)
    expect((await get<Ready>('/health/ready')).body.ready).toBe(true)
    await expect(rm(join(dataDir, 'spool', 'left-behind'))).rejects.toThrow(/ENOENT/)
  })
})

describe('a host that is a name', () => {
  it('is listened on at one address, by the one server that is set up', async () => {
    const service = await startTestService({ env: { HOST: 'localhost' } })
    expect(service.url).toMatch(/^http:\/\/(127\.0\.0\.1|\[::1\]):\d+$/)
    const client = await rawClient(service.url)
    client.socket.write('nonsense\r\n\r\n')
    expect(await client.closed()).toContain('application/problem+json')
  })
})

describe('what is no HTTP', () => {
  it('is answered as a problem, and the service goes on', async () => {
    const { url, push } = await startTestService()
    for (const nonsense of [
      'nonsense\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n',
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    ]) {
      const client = await rawClient(url)
      client.socket.write(nonsense)
      expect(await client.closed()).toMatch(/^HTTP\/1\.1 4\d\d [\s\S]*"code":"bad_request"/)
    }
    expect((await push(await png())).status).toBe(200)
  })
})
