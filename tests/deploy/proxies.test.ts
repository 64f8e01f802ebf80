import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { jpeg, jpegOfSize, png } from '../fixtures/files.ts'
import { freePort } from '../freePort.ts'
import { deploymentId, startGateway } from '../gateway/start.ts'
import { keys, testEnvironment } from '../harness.ts'
import { run } from '../journeys/process.ts'
import { formEnd, formHead } from '../journeys/raw.ts'
import { ask, guestThrough, hasCaddy, hasNginx, type Standing, startCaddy, startNginx, tlsTo } from './proxies.ts'

const path = '/webhook/file-upload'
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const form = (bytes: Buffer) => Buffer.concat([Buffer.from(formHead()), bytes, Buffer.from(formEnd)])
const ofForm = { 'content-type': 'multipart/form-data; boundary=b' }

function push(proxy: Standing, bytes: Buffer, more: { headers?: Record<string, string>; from?: string } = {}) {
  const headers = { ...ofForm, ...bearer(keys.push), ...more.headers }
  return ask(proxy.outside, path, { ...more, method: 'POST', headers, body: form(bytes) })
}

/** What came on a connection, in time. */
function listening(socket: TLSSocket) {
  let received = ''
  let wake: () => void = () => {}
  socket.on('data', (chunk) => {
    received += chunk
    wake()
  })
  socket.on('close', () => wake())
  socket.on('error', () => {})
  return async (pattern: RegExp) => {
    while (!pattern.test(received)) {
      if (socket.closed) throw new Error(`closed after: ${received}`)
      await new Promise<void>((resolve) => (wake = resolve))
    }
    return received
  }
}

/**
 * The answer that comes while a body is on its way. Caddy hands an early answer on when the sender's next piece comes,
 * since it reads on meanwhile; a sender at this pace would take half a minute for 4 MB.
 */
async function answeredWhileSending(socket: TLSSocket, answering: Promise<string>, most: number) {
  let answer: string | undefined
  const answered = answering.then((text) => {
    answer = text
  })
  let sent = 0
  for (; answer === undefined && sent < most; sent += 14_000) {
    socket.write('x'.repeat(14_000))
    await Promise.race([answered, pause(100)])
  }
  return { answer, sent }
}

const head = (headers: Record<string, string>) =>
  `POST ${path} HTTP/1.1\r\n${Object.entries({ host: 'clipgate.example.com', ...ofForm, ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`

describe.each([
  ['nginx', 'nginx-light', hasNginx, startNginx] as const,
  ['Caddy', 'caddy', hasCaddy, startCaddy] as const,
])('behind %s (apt-get install --no-install-recommends %s)', (_name, _package, isThere, start) => {
  const started = async (env: Record<string, string> = {}) => {
    const port = await freePort()
    const proxy = await start(`http://127.0.0.1:${port}`)
    const service = await startGateway({
      env: {
        PORT: String(port),
        PUBLIC_URL: `https://clipgate.example.com:${proxy.outside.port}`,
        TRUSTED_PROXIES: '127.0.0.1',
        ...env,
      },
    })
    return { proxy, service }
  }

  it.skipIf(!isThere)('its configuration is one that it takes', async () => {
    const proxy = await start('http://127.0.0.1:1')
    const { status, said } = proxy.check()
    // Of the certificate and the ports that are the test's own, Caddy has something to say.
    expect(said).not.toMatch(/\[warn\]|"logger":"caddyfile"|deprecated/)
    expect(status).toBe(0)
  })

  it.skipIf(!isThere)('a file is pushed from outside, and read from inside as it came', async () => {
    const { proxy } = await started()
    const { bytes } = await jpegOfSize(10 * 1024 * 1024)
    const pushed = await push(proxy, bytes)
    expect([pushed.status, pushed.body.slice(0, 19)]).toEqual([200, '{"status":"success"'])
    const { attachment } = JSON.parse(pushed.body) as { attachment: Attachment }
    const read = await ask(proxy.inside, `/v1/attachments/${attachment.id}`, { headers: bearer(keys.read) })
    expect(JSON.parse(read.body)).toMatchObject({ id: attachment.id, size: bytes.length })
    const content = await ask(proxy.inside, `/v1/attachments/${attachment.id}/content`, { headers: bearer(keys.read) })
    expect([content.status, content.headers['content-length']]).toEqual([200, String(bytes.length)])
  })

  it.skipIf(!isThere)('a body goes through as it comes, and who may not is told before it has sent it', async () => {
    const { proxy } = await started()
    const socket = tlsTo(proxy.outside)
    const until = listening(socket)
    socket.write(head({ 'content-length': '5000000' }))
    socket.write(formHead())
    const { answer, sent } = await answeredWhileSending(socket, until(/"code":"unauthorized"/), 4_000_000)
    expect(answer).toMatch(/^HTTP\/1\.1 401 /)
    expect(sent).toBeLessThan(4_000_000)
    socket.destroy()
  })

  it.skipIf(!isThere)('a refusal in the middle of a body arrives, and goes with a record', async () => {
    const { proxy, service } = await started({ MAX_FILE_BYTES: '100000' })
    const socket = tlsTo(proxy.outside)
    const until = listening(socket)
    socket.write(head({ ...bearer(keys.push), 'content-length': '3000000' }))
    socket.write(formHead())
    socket.write('x'.repeat(100_001))
    const { answer } = await answeredWhileSending(socket, until(/"attachmentId":"[^"]+"/), 2_800_000)
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(await service.records()).toMatchObject([{ state: 'refused', code: 'too_large' }])
    socket.destroy()
    // And the other way: all is sent, whatever is said meanwhile.
    expect((await push(proxy, (await jpegOfSize(3_000_000)).bytes)).status).toBe(413)
  })

  it.skipIf(!isThere)(
    'a body over 11 MiB is 413 in the shape that senders know, and Clipgate has not seen it',
    async () => {
      const { proxy, service } = await started()
      const large = await push(proxy, Buffer.alloc(11 * 1024 * 1024 + 1))
      expect([large.status, JSON.parse(large.body).code]).toEqual([413, 'too_large'])
      expect(large.headers['content-type']).toMatch(/^application\/problem\+json/)
      expect(await service.records()).toEqual([])
    },
  )

  it.skipIf(!isThere)(
    'who sends is known by the address that the proxy sees, not by one that he makes up',
    async () => {
      const { proxy, service } = await started()
      const refused = await push(proxy, Buffer.from('x'), {
        headers: { authorization: 'Bearer no-such-key-0123456789', 'x-forwarded-for': '203.0.113.1' },
        from: '127.0.0.2',
      })
      expect(refused.status).toBe(401)
      await service.service.stop()
      const program = run(
        ['audit', 'list', '--what', 'credential_refuse', '--json'],
        testEnvironment(service.dataDir, 'http://127.0.0.1:9'),
      )
      expect(await program.ended).toBe(0)
      expect(program.stdout()).toContain('127.0.0.2')
      expect(program.stdout()).not.toContain('203.0.113.1')
    },
  )

  it.skipIf(!isThere)(
    'a customer’s socket is relayed, and its file goes by a link that leads through the proxy',
    async () => {
      const { proxy, service } = await started()
      const guest = await guestThrough(proxy.outside, deploymentId)
      const token = randomUUID()
      guest.say({ action: 'configureSession', deploymentId, token, tracingId: 'a' })
      expect(await guest.next(({ tracingId }) => tracingId === 'a')).toMatchObject({ class: 'SessionResponse' })
      const file = await png()
      const attachmentId = randomUUID()
      guest.say({
        action: 'onAttachment',
        token,
        tracingId: 'b',
        attachmentId,
        fileName: file.name,
        fileType: file.type,
        fileSize: file.bytes.length,
      })
      const { body } = await guest.next(({ tracingId }) => tracingId === 'b')
      const link = new URL(body.url)
      expect(link.origin).toBe(`https://clipgate.example.com:${proxy.outside.port}`)
      const put = await ask(proxy.outside, link.pathname + link.search, {
        method: 'PUT',
        headers: { 'content-type': file.type, ...body.headers },
        body: file.bytes,
      })
      expect(put.status).toBe(200)
      expect(await guest.next(({ class: name }) => name === 'UploadSuccessEvent')).toMatchObject({
        body: { attachmentId },
      })
      expect(await service.recordOf(file.name)).toMatchObject({ door: 'gateway', state: 'accepted' })

      // Neither the link nor the session is in what the proxy logs, also of what goes wrong.
      await service.service.stop()
      expect((await ask(proxy.outside, link.pathname, { method: 'PUT', body: file.bytes })).status).toBe(503)
      await proxy.stop()
      const logged = await proxy.logged()
      expect(logged).toContain('/gateway/uploads')
      for (const secret of [link.pathname.split('/').at(-1)!, token, ...(Object.values(body.headers) as string[])])
        if (secret.length > 12) expect(logged).not.toContain(secret)
    },
  )

  it.skipIf(!isThere)('a socket closes when the service stops, and the proxy says 503 while it is away', async () => {
    const { proxy, service } = await started()
    const guest = await guestThrough(proxy.outside, deploymentId)
    const closed = once(guest.socket, 'close')
    await service.service.stop()
    // Without a close frame, from which clients come back.
    expect((await closed)[0]).toBe(1006)
    const away = await push(proxy, (await jpeg()).bytes, { headers: { 'x-ticket': 'secret-ticket' } })
    expect([away.status, away.headers['retry-after'], JSON.parse(away.body).code]).toEqual([503, '5', 'unavailable'])
    const asked = await ask(proxy.outside, `${path}?conversation_id=conversation-in-a-query`, { method: 'POST' })
    expect(asked.status).toBe(503)
    await proxy.stop()
    expect(await proxy.logged()).not.toMatch(/secret-ticket|push-only-key/)
  })

  it.skipIf(!isThere)('from outside nothing is to be had that is for inside', async () => {
    const { proxy } = await started()
    for (const asked of [
      '/v1/attachments',
      '/v1/tickets',
      '/v1/',
      '/health/ready',
      '/metrics',
      '/docs',
      '/gateway/uploads/../../v1/attachments',
      '/gateway/uploads/%2e%2e/%2e%2e/v1/attachments',
      '/gateway/uploads/..%2f..%2fv1/attachments',
      '//v1/attachments',
    ]) {
      const { status } = await ask(proxy.outside, asked, { headers: bearer(keys.all) })
      expect([asked, status === 404 || status === 400 || status === 308]).toEqual([asked, true])
    }
    expect((await ask(proxy.inside, '/health/ready')).status).toBe(200)
    expect((await ask(proxy.inside, '/metrics', { headers: bearer(keys.read) })).status).toBe(200)
  })
})
