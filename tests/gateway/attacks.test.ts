import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../src/clock.ts'
import { fakeEngine, gatedEngine } from '../fixtures/engines.ts'
import { png } from '../fixtures/files.ts'
import { until } from '../genesys/clock.ts'
import { keys } from '../harness.ts'
import { rawClient } from '../journeys/raw.ts'
import { deploymentId, inMessage, rawGuest, startGateway } from './start.ts'
import { fakePlatform } from './upstream.ts'

async function started(options: Parameters<typeof startGateway>[0] = {}) {
  const gateway = await startGateway(options)
  const customer = await rawGuest(gateway.address)
  await customer.configure()
  return { ...gateway, customer }
}

/** Every attachment that any conversation of the platform has. */
function arrived({ emulator }: Awaited<ReturnType<typeof startGateway>>, ids: string[]) {
  return ids.flatMap((id) => emulator.conversation(id).messages.flatMap(({ attachments }) => attachments))
}

describe('no attachment is sent that was not cleared', () => {
  it('an id that was never announced, was announced only, or was not put whole', async () => {
    const { customer } = await started()
    expect(await customer.sendFile(randomUUID())).toMatchObject({ class: 'string', code: 4009 })
    const file = await png()
    const { body } = await customer.announce(file)
    expect(await customer.sendFile(body.attachmentId)).toMatchObject({ code: 4010 })
    expect((await customer.put(body, file.bytes.subarray(1))).status).toBe(400)
    expect(await customer.sendFile(body.attachmentId)).toMatchObject({ code: 4010 })
  })

  it('one whose bytes are still coming, or are being judged', async () => {
    const { scanner, asked, judge } = gatedEngine()
    const { customer } = await started({ overrides: { scanners: [scanner] } })
    const file = await png()
    const { body } = await customer.announce(file)
    const put = customer.put(body, file.bytes)
    await until(asked)
    expect(await customer.sendFile(body.attachmentId)).toMatchObject({ code: 4010 })
    judge()
    expect((await put).status).toBe(200)
    await customer.outcomeOf(body.attachmentId)
    expect(await customer.sendFile(body.attachmentId)).toMatchObject({ class: 'StructuredMessage' })
  })

  it('one of another session, by either of two sockets', async () => {
    const { customer, address } = await started()
    const file = await png()
    const { body } = await customer.announce(file)
    await customer.put(body, file.bytes)
    await customer.outcomeOf(body.attachmentId)
    const other = await rawGuest(address)
    await other.configure()
    expect(await other.sendFile(body.attachmentId)).toMatchObject({ code: 4009 })
    const same = await rawGuest(address, customer.token)
    await same.configure()
    expect(await same.sendFile(body.attachmentId)).toMatchObject({ class: 'StructuredMessage' })
  })

  it('other bytes under an id that was used: by the same socket, by another, at the same time', async () => {
    const { customer, address } = await started()
    const same = await rawGuest(address, customer.token)
    await same.configure()
    const file = await png()
    const attachmentId = randomUUID()
    const answers = await Promise.all(
      [customer, same, customer, same].map((one) => one.announce(file, { attachmentId })),
    )
    expect(answers.filter(({ class: name }) => name === 'PresignedUrlResponse')).toHaveLength(1)
    const { body } = answers.find(({ class: name }) => name === 'PresignedUrlResponse')!
    await customer.put(body, file.bytes)
    await until(() => [...customer.heard, ...same.heard].some(({ class: name }) => name === 'UploadSuccessEvent'))
    expect(await customer.announce(await png(), { attachmentId })).toMatchObject({
      class: 'GenerateUrlError',
      body: { errorCode: 400 },
    })
    expect((await customer.put(body, (await png()).bytes)).status).toBe(404)
  })

  it.each([
    ['by an address', [{ contentType: 'Attachment', attachment: { url: 'https://evil.example/x.exe' } }]],
    ['beside one that was cleared', [inMessage('cleared'), inMessage(randomUUID())]],
    ['in another case', [{ contenttype: 'attachment', attachment: { id: randomUUID() } }]],
  ])('one that is named %s', async (_, content) => {
    const { customer } = await started()
    const answer = await customer.ask({ action: 'onMessage', message: { type: 'Text', content } })
    expect(answer).toMatchObject({ class: 'string', code: 400 })
  })

  it('what is no frame closes the connection, or is refused, and nobody else’s', async () => {
    const { customer, address } = await started()
    const other = await rawGuest(address)
    await other.configure()
    customer.sendText('{"action":"onMessage","message":{},"message":{}}')
    expect(await customer.take(({ class: name }) => name === 'string')).toMatchObject({ code: 400 })
    customer.socket.send(Buffer.from('{"action":"echo"}'))
    expect(await customer.closed()).toBe(1003)
    expect(await other.ask({ action: 'echo', message: { type: 'Text', text: 'ping' } })).toMatchObject({ code: 200 })
  })

  it('nor in a thousand messages that race with the upload', async () => {
    const gateway = await started()
    const { customer, records } = gateway
    const file = await png()
    const { body } = await customer.announce(file)
    const put = customer.put(body, file.bytes)
    const tries: Promise<{ class: string; code: number }>[] = []
    for (let i = 0; i < 20; i++) tries.push(customer.sendFile(body.attachmentId))
    await put
    await customer.outcomeOf(body.attachmentId)
    tries.push(customer.sendFile(body.attachmentId))
    const answers = await Promise.all(tries)
    for (const answer of answers) expect(answer.class === 'StructuredMessage' || answer.code === 4010).toBe(true)
    await until(async () => (await records()).some(({ conversationId }) => conversationId !== null))
    const [record] = await records()
    for (const one of arrived(gateway, [record!.conversationId!])) expect(one.sha256).toBe(record!.sha256)
  })
})

it('a token that is not the connection’s opens nothing: what comes back could not be told apart', async () => {
  const { address } = await startGateway()
  const customer = await rawGuest(address)
  const file = await png()
  expect(await customer.announce(file, { errorsAsJson: undefined })).toMatchObject({ class: 'string', code: 4007 })
  await customer.configure()
  const other = randomUUID()
  for (const frame of [
    { action: 'onAttachment', fileName: file.name, fileType: file.type, fileSize: file.bytes.length },
    { action: 'getAttachment', attachmentId: randomUUID() },
    { action: 'onMessage', message: { content: [inMessage(randomUUID())] } },
  ])
    expect(await customer.ask({ ...frame, token: other })).toMatchObject({ class: 'string', code: 4007 })
  expect(await customer.announce(file)).toMatchObject({ class: 'PresignedUrlResponse' })
})

it.each([
  ['held', (id: string) => ({ method: 'POST', path: `${id}/hold`, body: { reason: 'a test' } })],
  ['erased', (id: string) => ({ method: 'DELETE', path: id, body: undefined })],
])('a file that was cleared and is %s since is not sent', async (_, by) => {
  const { customer, records, url } = await started()
  const file = await png()
  const { body } = await customer.announce(file)
  await customer.put(body, file.bytes)
  await customer.outcomeOf(body.attachmentId)
  const [record] = await records()
  const { method, path, body: asked } = by(record!.id)
  const answer = await fetch(`${url}/v1/attachments/${path}`, {
    method,
    headers: { authorization: `Bearer ${keys.all}`, ...(asked && { 'content-type': 'application/json' }) },
    ...(asked && { body: JSON.stringify(asked) }),
  })
  expect(answer.status).toBe(200)
  expect(await customer.sendFile(body.attachmentId)).toMatchObject({ class: 'string', code: 4010 })
})

it('a session of another deployment than the connection’s is not begun', async () => {
  const { address } = await startGateway()
  const customer = await rawGuest(address)
  expect(await customer.configure({ deploymentId: randomUUID() })).toMatchObject({ class: 'string', code: 404 })
  expect(await customer.configure()).toMatchObject({ class: 'SessionResponse' })
})

describe('a link to upload to', () => {
  it('is of no use without its secret, a second time, or after ten minutes', async () => {
    let ahead = 0
    const clock = { ...systemClock, now: () => new Date(Date.now() + ahead) }
    const { customer } = await started({ overrides: { clock } })
    const file = await png()
    const { body } = await customer.announce(file)
    for (const headers of [{ 'x-clipgate-upload': '' }, { 'x-clipgate-upload': 'A'.repeat(32) }])
      expect((await customer.put(body, file.bytes, headers)).status).toBe(404)
    expect((await customer.put({ ...body, url: `${body.url}x` }, file.bytes)).status).toBe(404)
    expect((await customer.put(body, file.bytes)).status).toBe(200)
    expect((await customer.put(body, file.bytes)).status).toBe(404)
    const late = await customer.announce(await png())
    ahead = 10 * 60_000
    expect((await customer.put(late.body, file.bytes)).status).toBe(404)
  })

  it('takes exactly the bytes that were announced, and may be tried again after anything else', async () => {
    const { customer, records } = await started()
    const file = await png()
    const { body } = await customer.announce(file)
    for (const bytes of [Buffer.concat([file.bytes, Buffer.alloc(1)]), file.bytes.subarray(0, -1), Buffer.alloc(0)])
      expect((await customer.put(body, bytes)).status).toBe(400)
    // Without a length that is told beforehand.
    const streamed = (bytes: Buffer) =>
      fetch(body.url, {
        method: 'PUT',
        headers: { 'content-type': 'image/png', ...body.headers },
        body: new ReadableStream({
          start(controller) {
            controller.enqueue(new Uint8Array(bytes))
            controller.close()
          },
        }),
        duplex: 'half',
      } as RequestInit)
    expect((await streamed(Buffer.concat([file.bytes, Buffer.alloc(9)]))).status).toBe(400)
    expect(await records()).toEqual([])
    expect((await streamed(file.bytes)).status).toBe(200)
    expect(await customer.outcomeOf(body.attachmentId)).toMatchObject({ class: 'UploadSuccessEvent' })
  })

  it('takes them as what they were announced as: the platform shows a file as the type that it is put under', async () => {
    const { customer, emulator } = await started()
    const file = await png()
    const { body } = await customer.announce(file)
    for (const type of [
      'text/html',
      'image/jpeg',
      'image/svg+xml; charset=utf-8',
      'image/png;,text/html',
      'application/octet-stream;,text/html',
    ])
      expect((await customer.put(body, file.bytes, { 'content-type': type })).status).toBe(400)
    expect((await emulator.requests()).filter(({ method }) => method === 'PUT')).toEqual([])
    expect((await customer.put(body, file.bytes, { 'content-type': 'application/octet-stream' })).status).toBe(200)
    expect(await customer.outcomeOf(body.attachmentId)).toMatchObject({ class: 'UploadSuccessEvent' })
  })

  it('that is not one is said before the sender may go on', async () => {
    const { url } = await startGateway()
    const client = await rawClient(url)
    client.socket.write(
      'PUT /gateway/uploads/nothing HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
    )
    const answer = await client.until(/\r\n\r\n/)
    expect(answer).toMatch(/^HTTP\/1.1 404 /)
  })

  it('is used by one of two at once', async () => {
    const { customer } = await started()
    const file = await png()
    const { body } = await customer.announce(file)
    const answers = await Promise.all([customer.put(body, file.bytes), customer.put(body, file.bytes)])
    expect(answers.map(({ status }) => status).sort()).not.toEqual([200, 200])
    expect(answers.some(({ status }) => status === 200)).toBe(true)
  })

  it('survives an engine that has no verdict: 503, and the same link again', async () => {
    let verdict: 'failed' | 'clean' = 'failed'
    const { customer, records } = await started({ overrides: { scanners: [fakeEngine({ say: () => ({ verdict }) })] } })
    const file = await png()
    const { body } = await customer.announce(file)
    const answer = await customer.put(body, file.bytes)
    expect([answer.status, Number(answer.headers.get('retry-after')) > 0]).toEqual([503, true])
    expect(await records()).toEqual([])
    verdict = 'clean'
    expect((await customer.put(body, file.bytes)).status).toBe(200)
    expect(await customer.outcomeOf(body.attachmentId)).toMatchObject({ class: 'UploadSuccessEvent' })
  })
})

describe('secrets', () => {
  it('of a session, a link and the platform’s addresses are in no log, record or metric', async () => {
    const { customer, logged, get, emulator } = await started()
    const file = await png()
    const { body } = await customer.announce(file)
    await customer.put(body, file.bytes)
    await customer.outcomeOf(body.attachmentId)
    await customer.sendFile(body.attachmentId)
    const puts = (await emulator.requests()).filter(({ method }) => method === 'PUT')
    const told = JSON.stringify([logged, (await get('/v1/attachments')).body])
    for (const secret of [
      customer.token,
      body.url.split('/').at(-1)!,
      body.headers['x-clipgate-upload'],
      puts[0]!.path,
    ])
      expect(told).not.toContain(secret)
  })
})

it('a session may send so much on a day, whatever its connections', async () => {
  const { address } = await startGateway({ env: { QUOTA_FILES_PER_CONVERSATION_DAY: '2' } })
  const token = randomUUID()
  const statuses: number[] = []
  for (const _ of [1, 2, 3]) {
    const customer = await rawGuest(address, token)
    await customer.configure()
    const file = await png()
    const { body } = await customer.announce(file)
    statuses.push((await customer.put(body, file.bytes)).status)
    customer.socket.terminate()
  }
  expect(statuses).toEqual([200, 200, 429])
})

describe('what the platform says', () => {
  async function faked(options: Parameters<typeof startGateway>[0] = {}) {
    const platform = await fakePlatform()
    const gateway = await startGateway({
      ...options,
      env: { GENESYS_GUEST_URL: platform.url, GENESYS_CDN_URL: platform.url, ...options?.env },
    })
    const customer = await rawGuest(gateway.address)
    customer.say({ action: 'configureSession', deploymentId })
    await until(() => platform.heard.length === 1)
    return { ...gateway, platform, customer }
  }

  const announceTo = async (
    { customer, platform }: Awaited<ReturnType<typeof faked>>,
    file: { name: string; type: string; bytes: Buffer },
  ) => {
    const attachmentId = randomUUID()
    const before = platform.heard.length
    customer.say({
      action: 'onAttachment',
      attachmentId,
      fileName: file.name,
      fileType: file.type,
      fileSize: file.bytes.length,
    })
    await until(() => platform.heard.length > before)
    return attachmentId
  }

  /** Announces a file and puts it, as far as the platform's own word that it has it. */
  async function putTo(all: Awaited<ReturnType<typeof faked>>): Promise<string> {
    const file = await png()
    const id = await announceTo(all, file)
    all.platform.presigned(id)
    const { body } = await all.customer.take(
      ({ class: name, body }) => name === 'PresignedUrlResponse' && body.attachmentId === id,
    )
    await all.customer.put(body, file.bytes)
    return id
  }

  it('of an address that nobody asked for, or that only looks like a download, is held back', async () => {
    const { platform, customer } = await faked()
    platform.presigned(randomUUID())
    platform.presigned(randomUUID(), { headers: {}, fileSize: 3, fileName: 'a', fileType: 'b' })
    await until(() => customer.heard.filter(({ class: name }) => name === 'UploadFailureEvent').length === 2)
    expect(customer.texts.join()).not.toContain(platform.url)
  })

  it('of a download that was asked for passes, once', async () => {
    const { platform, customer } = await faked()
    const id = randomUUID()
    customer.say({ action: 'getAttachment', attachmentId: id })
    await until(() => platform.heard.length === 2)
    const download = { headers: {}, fileSize: 3, fileName: 'a', fileType: 'b', url: 'https://download.example/1' }
    platform.presigned(id, download)
    await customer.take(({ body }) => body.url === 'https://download.example/1')
    platform.presigned(id, { ...download, url: 'https://download.example/2' })
    await customer.outcomeOf(id)
    expect(customer.texts.join()).not.toContain('https://download.example/2')
  })

  it('is no way to the bucket under an id that is announced and asked for as a download', async () => {
    const all = await faked()
    const { platform, customer } = all
    const file = await png()
    const id = await announceTo(all, file)
    customer.say({ action: 'getAttachment', attachmentId: id })
    expect(await customer.take(({ code }) => code === 4009)).toMatchObject({ class: 'string' })
    platform.presigned(id, { headers: {}, fileSize: 3 })
    const { body } = await customer.take(({ class: name }) => name === 'PresignedUrlResponse')
    expect(body.url).toContain('/gateway/uploads/')
    expect(customer.texts.join()).not.toContain(platform.url)
  })

  it('of a host that is not in UPLOAD_HOSTS leads nowhere: the client hears of a failure', async () => {
    const all = await faked()
    const id = await announceTo(all, await png())
    all.platform.presigned(id, { url: 'https://evil.example/bucket' })
    expect(await all.customer.outcomeOf(id)).toMatchObject({ class: 'UploadFailureEvent', body: { errorCode: 5000 } })
    expect(all.logged).toContainEqual(expect.objectContaining({ host: 'evil.example' }))
  })

  it('of a success that came before ours, or without any, is held until the file is cleared', async () => {
    const all = await faked()
    const { platform, customer } = all
    const file = await png()
    const id = await announceTo(all, file)
    platform.presigned(id)
    const { body } = await customer.take(({ class: name }) => name === 'PresignedUrlResponse')
    platform.success(id)
    platform.success(randomUUID())
    platform.say({ type: 'message', class: 'ConnectionClosedEvent', code: 200, body: {} })
    await customer.take(({ class: name }) => name === 'ConnectionClosedEvent')
    expect(customer.heard.some(({ class: name }) => name === 'UploadSuccessEvent')).toBe(false)
    customer.say({ action: 'onMessage', message: { content: [inMessage(id)] } })
    expect(await customer.take(({ class: name }) => name === 'string')).toMatchObject({ code: 4010 })
    expect((await customer.put(body, file.bytes, { 'content-type': 'image/png' })).status).toBe(200)
    await until(() => platform.puts.length === 1)
    expect(platform.puts[0]).toMatchObject({
      url: `/bucket/${id}`,
      headers: { 'x-amz-tagging': 'a=b', 'content-type': 'image/png', 'content-length': String(file.bytes.length) },
    })
    platform.success(id)
    expect(await customer.outcomeOf(id)).toMatchObject({ class: 'UploadSuccessEvent' })
  })

  it('of a file that it took and does not know afterwards is a failure, in the end', async () => {
    const pauses = [2000, 4000, 8000, 16_000, 32_000, 60_000]
    const wait: Clock['wait'] = (ms, signal) => systemClock.wait(pauses.includes(ms) ? 1 : ms, signal)
    const all = await faked({ overrides: { clock: { ...systemClock, wait } } })
    const { platform, customer } = all
    platform.configured()
    const id = await putTo(all)
    const answered = new Set<string>()
    await until(() => {
      for (const { action, tracingId } of platform.frames())
        if (action === 'getAttachment' && !answered.has(String(tracingId))) {
          answered.add(String(tracingId))
          platform.say({ type: 'response', class: 'string', code: 4009, body: 'Attachment not found', tracingId })
        }
      return customer.heard.some(({ class: name }) => name === 'UploadFailureEvent')
    })
    expect(await customer.outcomeOf(id)).toMatchObject({ body: { errorCode: 5000 } })
    expect(answered.size).toBe(6)
    customer.say({ action: 'onMessage', message: { content: [inMessage(id)] } })
    expect(await customer.take(({ class: name }) => name === 'string')).toMatchObject({ code: 4010 })
  })

  it('to the upload is asked again where it may be, and else told as a failure', async () => {
    const all = await faked()
    const { platform, customer } = all
    const upload = (statuses: number[]) => {
      platform.statuses.push(...statuses)
      return putTo(all)
    }
    const refused = await upload([400])
    expect(await customer.outcomeOf(refused)).toMatchObject({ class: 'UploadFailureEvent', body: { errorCode: 5000 } })
    const puts = platform.puts.length
    const retried = await upload([503, 200])
    await until(() => platform.puts.length === puts + 2)
    platform.success(retried)
    expect(await customer.outcomeOf(retried)).toMatchObject({ class: 'UploadSuccessEvent' })
  })

  it('is told with the page that the client is on, and what it said of itself', async () => {
    const { platform } = await faked()
    expect(platform.asked[0]).toMatchObject({
      origin: 'https://www.example.com',
      url: `/v1?deploymentId=${deploymentId}`,
    })
  })

  it.each([
    ['that it took too long', { class: 'string', code: 408, body: 'timeout' }],
    ['that something went wrong', { class: 'Error', code: 200, body: { errorCode: 5000, errorMessage: 'unexpected' } }],
    ['no to another frame of the same name', { class: 'string', code: 4011, body: 'too long' }],
  ])('of a message with a file, %s: it may be in the conversation, and stays', async (about, answer) => {
    let now = new Date()
    const all = await faked({ overrides: { clock: { ...systemClock, now: () => now } } })
    const { platform, customer, records, service } = all
    const id = await putTo(all)
    await until(() => platform.puts.length === 1)
    platform.success(id)
    await customer.outcomeOf(id)
    const before = platform.heard.length
    const tracingId = customer.say({ action: 'onMessage', message: { content: [inMessage(id)] } })
    if (about.includes('another')) customer.say({ action: 'onMessage', message: { text: 'x' }, tracingId })
    await until(() => platform.heard.length > before + (about.includes('another') ? 1 : 0))
    platform.say({ type: 'response', tracingId, ...answer })
    await customer.take((frame) => frame.tracingId === tracingId)
    now = new Date(now.getTime() + 2 * 86_400_000)
    await service.sweep()
    expect(await records()).toMatchObject([{ state: 'accepted' }])
  })

  it('to a message with a file that it refuses leaves the file to be sent', async () => {
    const all = await faked()
    const { platform, customer } = all
    const id = await putTo(all)
    await until(() => platform.puts.length === 1)
    platform.success(id)
    await customer.outcomeOf(id)
    const before = platform.heard.length
    const tracingId = customer.say({ action: 'onMessage', message: { content: [inMessage(id)] } })
    await until(() => platform.heard.length > before)
    platform.say({ type: 'response', class: 'string', code: 429, body: 'slow down', tracingId })
    await customer.take((frame) => frame.tracingId === tracingId)
    customer.say({ action: 'onMessage', message: { content: [inMessage(id)] } })
    await until(() => platform.heard.length > before + 1)
  })
})
