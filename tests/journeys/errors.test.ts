import { describe, expect, it } from 'vitest'
import type { Attachment, Verdict } from '../../src/attachment.ts'
import { type RefusalCode, Refused } from '../../src/errors.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { jpeg, jpegOfSize, png, text } from '../fixtures/files.ts'
import { eventually, keys, startTestService, type TestService } from '../harness.ts'
import { formEnd, formHead, pushHead, rawClient } from './raw.ts'

async function records({ get }: TestService): Promise<Attachment[]> {
  return (await get<{ items: Attachment[] }>('/v1/attachments')).body.items
}

/** What a refusal that leaves a record must leave. */
async function expectRefusal(
  service: TestService,
  file: Awaited<ReturnType<typeof jpeg>>,
  status: number,
  code: RefusalCode,
) {
  const conversationId = service.conversation()
  const answer = await service.push(file, { conversationId })
  expect([answer.status, answer.body.code]).toEqual([status, code])
  expect(answer.headers.get('content-type')).toContain('application/problem+json')
  expect(answer.body).toMatchObject({ status, requestId: answer.headers.get('x-request-id') })
  const [record] = await records(service)
  expect(record).toMatchObject({ id: answer.body.attachmentId, state: 'refused', code })
  expect((await service.confirmations(conversationId))[0]).toContain(file.name)
  return answer
}

/** What an answer that leaves nothing must leave. */
async function expectNothing(service: TestService) {
  expect(await records(service)).toEqual([])
  expect(service.emulator.requests().filter(({ path }) => path.startsWith('/api/'))).toEqual([])
}

async function post(url: string, body: string | Buffer, contentType?: string, path = '/webhook/file-upload') {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${keys.push}`,
      ...(contentType !== undefined && { 'content-type': contentType }),
    },
    body,
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as { code: string } }
}

const form = 'multipart/form-data; boundary=b'

describe('400 bad_multipart', () => {
  it.each([
    ['no multipart at all', '{}', 'application/json'],
    ['no content type', 'x', undefined],
    ['no boundary', `${formHead()}x${formEnd}`, 'multipart/form-data'],
    ['a boundary of 71 characters', `x`, `multipart/form-data; boundary=${'b'.repeat(71)}`],
    ['an empty body', '', form],
    ['a body that is cut off', `${formHead()}x`, form],
    ['two files', `${formHead()}x\r\n${formHead('b.jpg')}y${formEnd}`, form],
    [
      'a part that is encoded',
      `--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Transfer-Encoding: base64\r\n\r\neA==${formEnd}`,
      form,
    ],
    [
      'a header that is folded',
      `--b\r\nContent-Disposition: form-data; name="file";\r\n filename="a.txt"\r\n\r\nx${formEnd}`,
      form,
    ],
    [
      'ten thousand parts',
      `${'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n'.repeat(10_000)}--b--`,
      form,
    ],
    ['ten thousand headers in a part', `--b\r\n${'X-A: b\r\n'.repeat(10_000)}\r\nx${formEnd}`, form],
  ])('%s leaves nothing, and the service goes on', async (_, body, contentType) => {
    const service = await startTestService()
    const answer = await post(service.url, body, contentType)
    expect([answer.status, answer.body.code]).toEqual([400, 'bad_multipart'])
    await expectNothing(service)
    expect((await service.push(await png())).status).toBe(200)
  })

  it('ids that could not stand in a path are a bad request', async () => {
    const service = await startTestService()
    const answer = await post(
      service.url,
      `${formHead()}x${formEnd}`,
      form,
      '/webhook/file-upload?conversation_id=../x',
    )
    expect([answer.status, answer.body.code]).toEqual([400, 'bad_request'])
    await expectNothing(service)
  })
})

describe('401 and 403', () => {
  it.each([
    ['no credentials', null],
    ['a wrong key', 'wrong-key-0123456789-0123'],
  ])('%s: 401, nothing is left, and the operator sees it', async (_, key) => {
    const service = await startTestService()
    const { status, body, headers } = await service.push(await png(), { key })
    expect([status, body.code, headers.get('www-authenticate')]).toEqual([401, 'unauthorized', 'Bearer'])
    await expectNothing(service)
    expect(service.logged.some(({ msg }) => msg === 'credential refused')).toBe(true)
  })

  it('a valid key without the scope is 403', async () => {
    const service = await startTestService()
    const { status, body } = await service.push(await png(), { key: keys.read })
    expect([status, body.code]).toEqual([403, 'forbidden'])
    await expectNothing(service)
  })

  it('are said before 100 Continue, so that no byte of the body is sent', async () => {
    const { url } = await startTestService()
    const client = await rawClient(url)
    client.socket.write(pushHead('wrong-key-0123456789-0123', { 'Content-Length': '1000000', Expect: '100-continue' }))
    const answer = await client.until(/"requestId":"[^"]+"/)
    expect(answer).toMatch(/^HTTP\/1\.1 401 /)
    expect(answer).toMatch(/connection: close/i)
    client.socket.destroy()
  })

  it('valid credentials get 100 Continue and then their answer', async () => {
    const { url } = await startTestService()
    const client = await rawClient(url)
    const { bytes } = await jpeg()
    const body = Buffer.concat([Buffer.from(formHead()), bytes, Buffer.from(formEnd)])
    client.socket.write(pushHead(keys.push, { 'Content-Length': String(body.length), Expect: '100-continue' }))
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/)
    client.socket.write(body)
    expect(await client.until(/"receivedAt"/)).toContain('HTTP/1.1 200 OK')
    client.socket.destroy()
  })
})

describe('404, 405 and 406', () => {
  it('an unknown path is 404, a malformed or unknown id too', async () => {
    const { get } = await startTestService()
    for (const path of [
      '/nothing',
      '/v1/attachments/att_1',
      `/v1/attachments/att_${'0'.repeat(26)}`,
      '/v1/attachments/..%2f..',
    ])
      expect((await get<{ code: string }>(path)).body.code).toBe('not_found')
  })

  it('a method that a path does not have is 405 and says which it has', async () => {
    const { url } = await startTestService()
    for (const [method, path, allowed] of [
      ['GET', '/webhook/file-upload', 'POST'],
      ['PUT', '/v1/attachments', 'GET'],
      ['POST', '/health/live', 'GET, HEAD'],
      ['PATCH', `/v1/attachments/att_${'0'.repeat(26)}`, 'GET, DELETE'],
    ] as const) {
      const response = await fetch(url + path, { method })
      expect([response.status, response.headers.get('allow')], path).toEqual([405, allowed])
      expect(((await response.json()) as { code: string }).code).toBe('method_not_allowed')
    }
  })

  it('a caller that asks with parameters, ranks, blanks or for anything gets its answer', async () => {
    const { url } = await startTestService()
    for (const accept of ['application/json; charset=utf-8', 'text/html, */*;q=0.1', '', 'application/*;q=0.5'])
      expect((await fetch(`${url}/v1/policy`, { headers: { accept } })).status, accept).toBe(200)
    expect((await fetch(`${url}/docs/`, { headers: { accept: 'text/html' } })).status).toBe(200)
    const metrics = { accept: 'text/plain;version=0.0.4', authorization: `Bearer ${keys.read}` }
    expect((await fetch(`${url}/metrics`, { headers: metrics })).status).toBe(200)
  })

  it('a path that is no path is a problem like any other', async () => {
    const { url } = await startTestService()
    for (const path of ['/v1/attachments/%zz', `/v1/attachments/${'a'.repeat(5000)}`]) {
      const answer = await fetch(url + path, { headers: { authorization: `Bearer ${keys.read}` } })
      expect([answer.status, ((await answer.json()) as { code: string }).code], path).toEqual([404, 'not_found'])
    }
    const client = await rawClient(url)
    client.socket.write('GET /docs/static/../../package.json HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 404 /)
  })

  it.each([
    '/v1/attachments?limit=1&limit=2',
    '/v1/attachments?state=accepted&state=refused',
    '/v1/attachments?__proto__[state]=accepted&limit=0',
  ])('a question that says two things at once, or what it may not, is 400: %s', async (path) => {
    const { get } = await startTestService()
    const { status, body } = await get<{ code: string }>(path)
    expect([status, body.code]).toEqual([400, 'bad_request'])
  })

  it('a caller that takes no JSON is 406', async () => {
    const { url } = await startTestService()
    const response = await fetch(`${url}/v1/policy`, { headers: { accept: 'image/png' } })
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([406, 'not_acceptable'])
  })
})

describe('408 too_slow', () => {
  it.each([
    ['nothing at all', ''],
    ['headers without an end', 'GET /v1/policy HTTP/1.1\r\nHost: test\r\nX-Slow: '],
  ])('a connection on which comes %s is closed, with an answer where something was asked', async (_, begun) => {
    const service = await startTestService({ overrides: { times: { headersMs: 30 } } })
    const client = await rawClient(service.url)
    client.socket.write(begun)
    const answer = await client.closed()
    if (begun !== '') expect(answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"too_slow"/)
  })

  it('headers that come byte by byte are held to the same time', async () => {
    const service = await startTestService({ overrides: { times: { headersMs: 60 } } })
    const client = await rawClient(service.url)
    client.socket.write('GET /v1/policy HTTP/1.1\r\nHost: test\r\nX-Slow: ')
    const trickle = setInterval(() => client.socket.write('x'), 5)
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 408 /)
    clearInterval(trickle)
    expect((await service.push(text())).status).toBe(200)
  })

  it('a sender that stalls is told so, and nothing is left', async () => {
    const service = await startTestService({
      overrides: { times: { uploads: { idleMs: 30, leastBytesPerSecond: 1, totalMs: 60_000 } } },
    })
    const client = await rawClient(service.url)
    client.socket.write(`${pushHead(keys.push, { 'Content-Length': '1000' })}${formHead()}abc`)
    const answer = await client.until(/"requestId":"[^"]+"/)
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    expect(answer).toContain('"code":"too_slow"')
    client.socket.destroy()
    await expectNothing(service)
  })
})

describe('409', () => {
  it('another file under the same Idempotency-Key is a conflict', async () => {
    const service = await startTestService()
    await service.push(await png(), { idempotencyKey: 'delivery-1' })
    const { status, body } = await service.push(await png(), { idempotencyKey: 'delivery-1' })
    expect([status, body.code]).toEqual([409, 'conflict'])
    expect(await records(service)).toHaveLength(1)
  })

  it('a delivery whose first one still runs is in progress: try again in a second', async () => {
    const service = await startTestService()
    const client = await rawClient(service.url)
    client.socket.write(
      `${pushHead(keys.all, { 'Content-Length': '1000', 'Idempotency-Key': 'slow' })}${formHead()}abc`,
    )
    const { status, body, headers } = await eventually(
      async () => service.push(await png(), { idempotencyKey: 'slow', key: keys.all }),
      ({ status }) => status !== 200,
    )
    expect([status, body.code, headers.get('retry-after')]).toEqual([409, 'in_progress', '1'])
    client.socket.destroy()
  })
})

describe('413 too_large', () => {
  it('one byte over the limit is refused, whatever Content-Length says, and the customer is told', async () => {
    const service = await startTestService({ env: { MAX_FILE_BYTES: '100000' } })
    const { body } = await expectRefusal(service, await jpegOfSize(100_001), 413, 'too_large')
    expect(body.detail).toBe('File size exceeds maximum allowed size of 100000 bytes.')
    expect((await records(service))[0]).toMatchObject({ size: null, sha256: null })
  })

  it('is said at once, in the middle of the body, with the connection closed after it', async () => {
    const service = await startTestService({ env: { MAX_FILE_BYTES: '100000' } })
    const client = await rawClient(service.url)
    client.socket.write(pushHead(keys.push, { 'Transfer-Encoding': 'chunked' }))
    const chunk = (data: string) => `${data.length.toString(16)}\r\n${data}\r\n`
    client.socket.write(chunk(formHead()))
    client.socket.write(chunk('x'.repeat(100_001)))
    const answer = await client.until(/"attachmentId":"[^"]+"/)
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toMatch(/connection: close/i)
    // It reads on for 1 MiB at most, and then it hangs up.
    for (let sent = 0; sent < 3_000_000 && !client.socket.destroyed; sent += 100_000)
      client.socket.write(chunk('x'.repeat(100_000)))
    await client.closed()
  })
})

describe('415', () => {
  it('a type that is not allowed is refused with the list of those that are', async () => {
    const service = await startTestService()
    const { body } = await expectRefusal(
      service,
      { name: 'a.zip', type: 'application/zip', bytes: Buffer.from('PK\x03\x04') },
      415,
      'type_not_allowed',
    )
    expect(body.detail).toBe(
      "MIME type 'application/zip' is not allowed. Allowed types: image/jpeg, image/png, image/gif, application/pdf, text/plain",
    )
  })

  it('a name, a declared type and a content that do not agree are a mismatch', async () => {
    const { bytes } = await png()
    for (const file of [
      { name: 'a.jpg', type: 'image/jpeg', bytes },
      { name: 'a.jpg', type: 'image/png', bytes },
      { name: 'a.png.exe', type: 'image/png', bytes },
      { name: 'a', type: 'image/png', bytes },
      text('a.txt', '<!DOCTYPE html><script>'),
    ])
      await expectRefusal(await startTestService(), file, 415, 'type_mismatch')
  })
})

describe('422', () => {
  it('a form without a file leaves no record', async () => {
    const service = await startTestService()
    for (const body of [
      `--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx${formEnd}`,
      `--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n${formEnd}`,
      `--b\r\nContent-Disposition: form-data; name="upload"; filename="a.txt"\r\n\r\nx${formEnd}`,
      '--b--\r\n',
    ]) {
      const answer = await post(service.url, body, form)
      expect([answer.status, answer.body.code]).toEqual([422, 'missing_file'])
    }
    await expectNothing(service)
  })

  it('an empty file is refused', async () => {
    await expectRefusal(
      await startTestService(),
      { name: 'a.txt', type: 'text/plain', bytes: Buffer.alloc(0) },
      422,
      'empty',
    )
  })

  it.each<[Verdict['verdict'], RefusalCode]>([
    ['infected', 'malware'],
    ['unscannable', 'unscannable'],
  ])('what an engine calls %s is refused as %s, and the engine is not named to the sender', async (verdict, code) => {
    const service = await startTestService({
      overrides: { scanners: [fakeEngine({ say: () => ({ verdict, detail: 'Eicar-Test' }) })] },
    })
    const { body } = await expectRefusal(service, text(), 422, code)
    expect(JSON.stringify(body)).not.toContain('Eicar')
    expect((await records(service))[0]?.detail).toContain('Eicar-Test')
  })

  it.each<RefusalCode>(['encrypted', 'bomb', 'corrupt', 'active_content', 'polyglot'])(
    'what an inspection calls %s is refused',
    async (code) => {
      const inspect = async () => {
        throw new Refused(code, 'found by a test')
      }
      const service = await startTestService({ overrides: { inspector: { inspect, close: async () => {} } } })
      await expectRefusal(service, text(), 422, code)
    },
  )
})

describe('503 unavailable', () => {
  it('an engine that has no verdict never means clean: nothing is kept, and it is safe to send again', async () => {
    const failing = fakeEngine({ say: () => ({ verdict: 'failed', detail: 'connection refused' }) })
    const service = await startTestService({ overrides: { scanners: [failing] } })
    const { status, body, headers } = await service.push(text(), { conversationId: 'c-1' })
    expect([status, body.code]).toEqual([503, 'unavailable'])
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    await expectNothing(service)
  })

  it('a storage that fails keeps nothing, and the same push goes through when it is back', async () => {
    const storage = memoryStorage(() => new Date())
    const service = await startTestService({ overrides: { storage } })
    storage.failNext('adopt')
    const file = text()
    const first = await service.push(file, { idempotencyKey: 'k1' })
    expect([first.status, first.body.code]).toEqual([503, 'unavailable'])
    await expectNothing(service)
    expect((await service.push(file, { idempotencyKey: 'k1' })).status).toBe(200)
    expect(storage.keys()).toHaveLength(1)
  })

  it('more uploads than places wait, and then are told to come back', async () => {
    const service = await startTestService({ env: { MAX_UPLOADS: '1' } })
    const holding = await rawClient(service.url)
    holding.socket.write(`${pushHead(keys.push, { 'Content-Length': '1000' })}${formHead()}abc`)
    await eventually(
      () => running(service),
      (count) => count === 1,
    )
    const pushes = [text(), text(), text()].map((file) => service.push(file))
    await eventually(
      () => service.logged.filter(({ msg, status }) => msg === 'request served' && status === 503).length,
      (count) => count === 2,
    )
    holding.socket.destroy()
    expect((await Promise.all(pushes)).map(({ status }) => status).sort()).toEqual([200, 503, 503])
  })

  it('one that leaves while it waits keeps nobody else from waiting', async () => {
    const service = await startTestService({ env: { MAX_UPLOADS: '1' } })
    const begin = async () => {
      const client = await rawClient(service.url)
      client.socket.write(`${pushHead(keys.push, { 'Content-Length': '1000' })}${formHead()}abc`)
      return client
    }
    const holding = await begin()
    await eventually(
      () => running(service),
      (count) => count === 1,
    )
    // Of two more, one waits and the other is sent away.
    const two = [await begin(), await begin()]
    await Promise.any(two.map(({ until }) => until(/^HTTP\/1\.1 503 [\s\S]*requestId/)))
    const aborted = () => service.logged.filter(({ msg }) => msg === 'request aborted by its sender').length
    two.find(({ received }) => received() === '')!.socket.destroy()
    await eventually(aborted, (count) => count > 0)
    const pushed = service.push(text())
    holding.socket.destroy()
    expect((await pushed).status).toBe(200)
  })
})

async function running({ url }: TestService): Promise<number> {
  const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${keys.read}` } })
  return Number(/^clipgate_uploads_running (\d+)$/m.exec(await response.text())?.[1])
}

describe('500 internal', () => {
  it('says nothing of the inside', async () => {
    const broken = fakeEngine({
      say: () => {
        throw new Error('a secret path /var/lib/clipgate')
      },
    })
    const service = await startTestService({ overrides: { scanners: [broken] } })
    const { status, body } = await service.push(text())
    expect([status, body.code]).toEqual([500, 'internal'])
    expect(JSON.stringify(body)).not.toMatch(/secret|\/var|at |stack/)
    expect(JSON.stringify(service.logged)).toContain('a secret path')
    await expectNothing(service)
  })
})
