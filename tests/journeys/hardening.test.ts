import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jpegOfSize, png } from '../fixtures/files.ts'
import { mutated, numbers } from '../fixtures/mutations.ts'
import { eventually, keys, pushTo, testEnvironment } from '../harness.ts'
import { mainFile, servingAt } from './process.ts'
import { formEnd, formHead, pushHead, rawClient } from './raw.ts'

/** One process for all of this: whatever is sent to it, it is the same one that answers in the end. */
let url = ''
let dataDir = ''
let process_: ReturnType<typeof spawn>

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'clipgate-test-'))
  process_ = spawn(process.execPath, [mainFile, 'serve'], {
    env: { PATH: process.env.PATH ?? '', ...testEnvironment(dataDir, 'http://127.0.0.1:9') },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  for await (const chunk of process_.stdout!) {
    out += chunk
    const found = servingAt.exec(out)
    if (found) {
      url = found[1]!
      break
    }
  }
})

afterAll(async () => {
  process_.kill('SIGTERM')
  if (process_.exitCode === null) await once(process_, 'exit')
  await rm(dataDir, { recursive: true, force: true })
})

const small = Buffer.from(`${formHead('a.txt', 'text/plain')}hello${formEnd}`)

/** Sends exactly this, and gives what came back until the other side closed. */
async function exchange(bytes: string | Buffer): Promise<string> {
  const client = await rawClient(url)
  client.socket.write(bytes)
  client.socket.end()
  return client.closed()
}

async function running(): Promise<number> {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${keys.read}` } })
  return Number(/^clipgate_uploads_running (\d+)$/m.exec(await answer.text())?.[1])
}

async function attachments(): Promise<number> {
  const answer = await fetch(`${url}/v1/attachments?limit=200`, { headers: { authorization: `Bearer ${keys.read}` } })
  return ((await answer.json()) as { items: [] }).items.length
}

async function expectAlive(): Promise<void> {
  expect(process_.exitCode).toBeNull()
  expect((await pushTo(url, await png())).status).toBe(200)
}

describe('a request with doubtful framing is refused, and nothing hidden in it is obeyed', () => {
  const chunked = (body: Buffer) => `${body.length.toString(16)}\r\n${body.toString('latin1')}\r\n0\r\n\r\n`
  const hidden = 'GET /hidden HTTP/1.1\r\nHost: test\r\n\r\n'

  it.each<[string, Record<string, string>]>([
    ['both Content-Length and Transfer-Encoding', { 'Content-Length': '6', 'Transfer-Encoding': 'chunked' }],
    ['Transfer-Encoding that is not chunked', { 'Transfer-Encoding': 'gzip' }],
    ['Transfer-Encoding with chunked not last', { 'Transfer-Encoding': 'chunked, identity' }],
    ['Transfer-Encoding with a strange chunked', { 'Transfer-Encoding': 'xchunked' }],
    ['a Content-Length with a sign', { 'Content-Length': '+5' }],
    ['a Content-Length in hex', { 'Content-Length': '0x5' }],
    ['a Content-Length list', { 'Content-Length': '5, 6' }],
    ['a negative Content-Length', { 'Content-Length': '-1' }],
    ['a Content-Length that is no number that fits', { 'Content-Length': '99999999999999999999999' }],
    ['a blank before the colon', { 'Content-Length ': '5' }],
    ['a folded header', { 'X-Folded': 'a\r\n b' }],
    ['a NUL in a header', { 'X-Nul': 'a\0b' }],
    ['a bare CR in a header', { 'X-Cr': 'a\rb' }],
    ['a header with a bare LF inside', { 'X-Lf': 'a\nContent-Length: 5' }],
  ])('%s', async (_, headers) => {
    const before = await attachments()
    const answers = await exchange(`${pushHead(keys.push, headers)}${chunked(small)}${hidden}`)
    const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)
    expect(statuses).toEqual([expect.stringMatching(/^4/)])
    expect(await attachments()).toBe(before)
    await expectAlive()
  })

  it('two Content-Lengths that differ', async () => {
    const head = pushHead(keys.push, { 'Content-Length': '5' }).replace('\r\n\r\n', '\r\nContent-Length: 6\r\n\r\n')
    expect(await exchange(`${head}${hidden}`)).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('a chunk that lies about its size, and one with an endless extension', async () => {
    const head = pushHead(keys.push, { 'Transfer-Encoding': 'chunked' })
    for (const body of [
      'zz\r\nabc\r\n',
      '5\r\nabcdefgh\r\n',
      `5;${'x'.repeat(40_000)}\r\nabcde\r\n`,
      '-5\r\nabcde\r\n',
    ])
      expect(await exchange(head + body)).toMatch(/^HTTP\/1\.1 4\d\d |^$/)
    await expectAlive()
  })

  it('too many bytes of headers', async () => {
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`X-${i}`, 'y']))
    expect(await exchange(pushHead(keys.push, many))).toMatch(/^HTTP\/1\.1 431 /)
  })

  it('a body that says it is compressed is not read as anything else', async () => {
    const answer = await exchange(
      `${pushHead(keys.push, { 'Content-Length': '5', 'Content-Encoding': 'gzip', Connection: 'close' })}abcde`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*bad_multipart/)
  })

  it('an expectation that we do not know', async () => {
    const answer = await exchange(pushHead(keys.push, { Expect: 'a miracle', 'Content-Length': '5' }))
    expect(answer).toMatch(/^HTTP\/1\.1 417 [\s\S]*"code":"expectation_failed"/)
  })

  it.each([
    ['no Host', ''],
    ['two Hosts', 'Host: test\r\nHost: other\r\n'],
  ])('%s', async (_, host) => {
    const answer = await exchange(`GET /v1/policy HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*one Host header[\s\S]*"code":"bad_request"/)
  })

  it('but no Host in HTTP/1.0, which has none', async () => {
    expect(await exchange('GET /v1/policy HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('several requests on one connection', () => {
  it('two uploads in a row are answered in order', async () => {
    const one = Buffer.concat([Buffer.from(pushHead(keys.push, { 'Content-Length': String(small.length) })), small])
    const client = await rawClient(url)
    client.socket.write(Buffer.concat([one, one]))
    const answers = await client.until(/"receivedAt"[\s\S]*"receivedAt"/)
    client.socket.destroy()
    expect([...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)).toEqual(['200', '200'])
  })

  it('what follows a refused body on its connection is thrown away, not obeyed', async () => {
    const smuggled = Buffer.concat([
      Buffer.from(pushHead(keys.push, { 'Content-Length': String(small.length) })),
      small,
    ])
    const body = Buffer.concat([smuggled, Buffer.alloc(300_000, 0x20), smuggled])
    const refused = pushHead('wrong-key-0123456789-0123', { 'Content-Length': String(body.length) })
    const before = await attachments()
    const answers = await exchange(Buffer.concat([Buffer.from(refused), body]))
    expect([...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)).toEqual(['401'])
    expect(await attachments()).toBe(before)
  })
})

describe('a sender that is done', () => {
  const request = (body: Buffer, length = body.length) =>
    Buffer.concat([Buffer.from(pushHead(keys.push, { 'Content-Length': String(length) })), body])

  it('may close its half of the connection and still get its answer', async () => {
    const before = await attachments()
    expect(await exchange(request(small))).toMatch(/^HTTP\/1\.1 200 /)
    expect(await attachments()).toBe(before + 1)
  })

  it('and then sends nonsense gets the answer to what it sent whole, and nothing else', async () => {
    const answers = await exchange(Buffer.concat([request(small), Buffer.from('XX garbage\r\n\r\n')]))
    expect([...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)).toEqual(['200'])
  })

  it('before its form was whole is told that the form is cut', async () => {
    const before = await attachments()
    expect(await exchange(request(small.subarray(0, -5), small.length))).toMatch(/^HTTP\/1\.1 400 [\s\S]*bad_multipart/)
    expect(await attachments()).toBe(before)
  })
})

describe('a sender that goes away at any stage', () => {
  it('leaves no place taken, no file open, nothing in the spool and no record', async () => {
    const { bytes } = await jpegOfSize(150_000)
    const body = Buffer.concat([Buffer.from(formHead()), bytes, Buffer.from(formEnd)])
    const request = Buffer.concat([Buffer.from(pushHead(keys.push, { 'Content-Length': String(body.length) })), body])
    const before = await attachments()
    const open = async () => (await readdir(`/proc/${process_.pid}/fd`)).length
    const openBefore = await open()
    const stages = [1, 10, 100, 200, 300, 400, 1000, 20_000, 70_000, 140_000, request.length - 30, request.length - 3]
    for (const stage of stages)
      await Promise.all(
        Array.from({ length: 8 }, async (_, i) => {
          const client = await rawClient(url)
          await new Promise<void>((resolve) => client.socket.write(request.subarray(0, stage), () => resolve()))
          if (i % 2 === 0) client.socket.destroy()
          else client.socket.resetAndDestroy()
        }),
      )
    await eventually(running, (count) => count === 0)
    await eventually(open, (count) => count <= openBefore + 5)
    expect(await attachments()).toBe(before)
    await eventually(
      () => readdir(join(dataDir, 'spool')),
      (names) => names.length === 0,
    )
    await expectAlive()
  })

  it('in the middle of a download, or before it begins, leaves no file open', async () => {
    const { body } = await pushTo(url, await jpegOfSize(5_000_000))
    const request = `GET /v1/attachments/${body.attachment.id}/content HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ${keys.read}\r\n\r\n`
    const openAtFirst = (await readdir(`/proc/${process_.pid}/fd`)).length
    for (let i = 0; i < 200; i++) {
      const client = await rawClient(url)
      await new Promise<void>((resolve) => client.socket.write(request, () => resolve()))
      client.socket.resetAndDestroy()
    }
    await eventually(
      async () => (await readdir(`/proc/${process_.pid}/fd`)).length,
      (count) => count <= openAtFirst + 5,
    )
    const open = async () => (await readdir(`/proc/${process_.pid}/fd`)).length
    const openBefore = await open()
    for (let i = 0; i < 20; i++) {
      const client = await rawClient(url)
      client.socket.write(
        `GET /v1/attachments/${body.attachment.id}/content HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ${keys.read}\r\n\r\n`,
      )
      await client.until(/HTTP\/1\.1 200/)
      client.socket.destroy()
    }
    await eventually(open, (count) => count <= openBefore + 5)
    await expectAlive()
  })
})

describe('any bytes at all', () => {
  it('ten thousand mutations of good requests are each answered or cut off, and the process goes on', async () => {
    const random = numbers(20_261_125)
    const body = small.toString('latin1')
    const chunk = `${small.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    const good = [
      pushHead(keys.push, { 'Content-Length': String(small.length) }) + body,
      pushHead(keys.push, { 'Transfer-Encoding': 'chunked', 'Idempotency-Key': 'k' }) + chunk,
      pushHead('wrong-key-0123456789-0123', { 'Content-Length': String(small.length) }) + body,
      `GET /v1/attachments?limit=1 HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ${keys.read}\r\n\r\n`,
    ]
    const fragments = [
      '\r\n',
      '\n',
      '\r',
      '\0',
      ' ',
      ':',
      ';',
      '"',
      '--b',
      '\r\n--b',
      '--b--',
      '%',
      '0\r\n\r\n',
      'ffff\r\n',
    ]
    fragments.push('Content-Length: 3\r\n', 'Transfer-Encoding: chunked\r\n', 'Host: x\r\n', 'Expect: 100-continue\r\n')
    const statuses = new Map<string, number>()
    const mutations = Array.from({ length: 10_000 }, () => mutated(good[random(good.length)]!, fragments, random))
    const send = async () => {
      for (let next = mutations.pop(); next !== undefined; next = mutations.pop()) {
        const answer = await exchange(Buffer.from(next, 'latin1'))
        const status = /^HTTP\/1\.1 (?:100 Continue\r\n\r\nHTTP\/1\.1 )?(\d)\d\d /.exec(answer)?.[1] ?? 'none'
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: 32 }, send))
    // Taken, refused, or cut off without a word; never a fault of ours.
    expect([...statuses.keys()].sort()).toEqual(expect.arrayContaining(['2', '4']))
    expect(statuses.get('5')).toBeUndefined()
    await expectAlive()
  }, 120_000)
})

describe('methods', () => {
  it('that a path does not have, TRACE among them, are refused everywhere', async () => {
    for (const path of [
      '/webhook/file-upload',
      '/v1/tickets',
      '/v1/attachments',
      '/health/ready',
      '/metrics',
      '/v1/policy',
    ])
      for (const method of ['TRACE', 'PUT', 'PATCH', 'PROPFIND', 'M-SEARCH', 'QUERY'])
        expect(
          await exchange(`${method} ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`),
          `${method} ${path}`,
        ).toMatch(/^HTTP\/1\.1 405 /)
    await expectAlive()
  })

  it('that are no HTTP, and CONNECT, get no further than the parser', async () => {
    expect(await exchange('INVENTED /v1/policy HTTP/1.1\r\nHost: test\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await exchange('CONNECT test:443 HTTP/1.1\r\nHost: test\r\n\r\n')).not.toMatch(/^HTTP\/1\.1 2/)
    await expectAlive()
  })
})
