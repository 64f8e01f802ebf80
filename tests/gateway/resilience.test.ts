import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { gatedEngine } from '../fixtures/engines.ts'
import { png } from '../fixtures/files.ts'
import { until } from '../genesys/clock.ts'
import { temporaryFolder } from '../harness.ts'
import { listening } from '../scan/listen.ts'
import { deploymentId, rawGuest, startGateway } from './start.ts'
import { fakePlatform } from './upstream.ts'

describe('a connection that is lost', () => {
  it('on the client’s side while its file is judged: it comes back, hears the outcome, and sends the file', async () => {
    const { scanner, asked, judge } = gatedEngine()
    const { address } = await startGateway({ overrides: { scanners: [scanner] } })
    const token = randomUUID()
    const first = await rawGuest(address, token)
    await first.configure()
    const file = await png()
    const { body } = await first.announce(file)
    const put = first.put(body, file.bytes)
    await until(asked)
    first.socket.terminate()
    judge()
    expect((await put).status).toBe(200)
    const second = await rawGuest(address, token)
    expect((await second.configure()).body.newSession).toBe(false)
    expect(await second.outcomeOf(body.attachmentId)).toMatchObject({ class: 'UploadSuccessEvent' })
    expect(await second.sendFile(body.attachmentId)).toMatchObject({ class: 'StructuredMessage' })
  })

  it('of the upload itself, once its bytes were all there: the file goes on, and the socket tells', async () => {
    const { scanner, asked, judge } = gatedEngine()
    const { address } = await startGateway({ overrides: { scanners: [scanner] } })
    const customer = await rawGuest(address)
    await customer.configure()
    const file = await png()
    const { body } = await customer.announce(file)
    const leaving = new AbortController()
    const put = fetch(body.url, {
      method: 'PUT',
      headers: { 'content-type': file.type, ...body.headers },
      body: new Uint8Array(file.bytes),
      signal: leaving.signal,
    }).catch(() => null)
    await until(asked)
    leaving.abort()
    await put
    judge()
    expect(await customer.outcomeOf(body.attachmentId)).toMatchObject({ class: 'UploadSuccessEvent' })
    expect(await customer.sendFile(body.attachmentId)).toMatchObject({ class: 'StructuredMessage' })
  })

  it('after the outcome was told: it is told again, until the client acts on it', async () => {
    const { address } = await startGateway()
    const token = randomUUID()
    const first = await rawGuest(address, token)
    await first.configure()
    const file = await png()
    const { body } = await first.announce(file)
    await first.put(body, file.bytes)
    await first.outcomeOf(body.attachmentId)
    first.socket.terminate()
    const second = await rawGuest(address, token)
    await second.configure()
    await second.outcomeOf(body.attachmentId)
    await second.sendFile(body.attachmentId)
    second.socket.terminate()
    const third = await rawGuest(address, token)
    await third.configure()
    await third.ask({ action: 'echo', message: { type: 'Text', text: 'ping' } })
    expect(third.heard.some(({ class: name }) => name === 'UploadSuccessEvent')).toBe(false)
  })

  it.each([
    [1006, (socket: { terminate(): void }) => socket.terminate()],
    [1001, (socket: { close(code: number): void }) => socket.close(1001)],
    [4321, (socket: { close(code: number): void }) => socket.close(4321)],
  ])('on the platform’s side with %d ends the client’s the same way', async (code, end) => {
    const platform = await fakePlatform()
    const { address } = await startGateway({ env: { GENESYS_GUEST_URL: platform.url } })
    const customer = await rawGuest(address)
    await until(() => platform.sockets.length === 1)
    end(platform.sockets[0]!)
    expect(await customer.closed()).toBe(code)
  })

  it('on the client’s side ends the platform’s too', async () => {
    const platform = await fakePlatform()
    const { address } = await startGateway({ env: { GENESYS_GUEST_URL: platform.url } })
    const customer = await rawGuest(address)
    await until(() => platform.sockets.length === 1)
    const closed = new Promise<number>((resolve) => platform.sockets[0]!.on('close', resolve))
    customer.socket.close(1000)
    expect(await closed).toBe(1000)
  })

  it('with the service: clients are dropped without a close frame, so that they come back', async () => {
    const { address, service } = await startGateway()
    const customers = await Promise.all([1, 2, 3].map(() => rawGuest(address)))
    await service.stop()
    expect(await Promise.all(customers.map((one) => one.closed()))).toEqual([1006, 1006, 1006])
  })

  it('with the service before a success was told: the next process asks for it, and tells', async () => {
    const dataDir = await temporaryFolder()
    const before = await startGateway({ dataDir })
    before.emulator.setSwitches({ uploadEventDelaySeconds: 60 })
    const first = await rawGuest(before.address)
    await first.configure()
    const file = await png()
    const { body } = await first.announce(file)
    expect((await first.put(body, file.bytes)).status).toBe(200)
    await until(async () => (await before.asked()).some(({ method }) => method === 'PUT'))
    await before.service.stop()
    before.emulator.advance(60)
    const after = await startGateway({ dataDir, env: { GENESYS_GUEST_URL: before.emulator.url } })
    const second = await rawGuest(after.address, first.token)
    await second.configure()
    expect(await second.outcomeOf(body.attachmentId)).toMatchObject({ class: 'UploadSuccessEvent' })
    expect(await second.sendFile(body.attachmentId)).toMatchObject({ class: 'StructuredMessage' })
  })

  it('with the service before a file was handed on: the next process hands it on, or tells why not', async () => {
    const dataDir = await temporaryFolder()
    const path = join(await temporaryFolder(), 'policy.json')
    await writeFile(path, JSON.stringify({ trailingData: 'cut' }))
    const { scanner, asked, judge } = gatedEngine()
    const env = { POLICY_FILE: path }
    const before = await startGateway({ dataDir, env, overrides: { scanners: [scanner] } })
    const first = await rawGuest(before.address)
    await first.configure()
    const whole = await png()
    const [good, bad] = [
      { ...whole, bytes: Buffer.concat([whole.bytes, Buffer.from('behind it')]) },
      { name: 'no.png', type: 'image/png', bytes: Buffer.from('no picture at all') },
    ]
    const refused = (await first.announce(bad)).body
    await first.put(refused, bad.bytes)
    await first.outcomeOf(refused.attachmentId)
    const { body } = await first.announce(good)
    const put = first.put(body, good.bytes)
    await until(asked)
    // Nobody is there in whose session it could be announced anew.
    first.socket.terminate()
    judge()
    expect((await put).status).toBe(200)
    await before.service.stop()
    const after = await startGateway({ dataDir, env: { ...env, GENESYS_GUEST_URL: before.emulator.url } })
    const second = await rawGuest(after.address, first.token)
    await second.configure()
    expect(await second.outcomeOf(body.attachmentId)).toMatchObject({ class: 'UploadSuccessEvent' })
    expect(await second.outcomeOf(refused.attachmentId)).toMatchObject({ class: 'UploadFailureEvent' })
    expect(await second.sendFile(body.attachmentId)).toMatchObject({ class: 'StructuredMessage' })
  })

  it('with the service while a file is uploaded: its link is lost, another id begins anew, and what was cleared can be sent', async () => {
    const dataDir = await temporaryFolder()
    const before = await startGateway({ dataDir })
    const token = randomUUID()
    const first = await rawGuest(before.address, token)
    await first.configure()
    const cleared = await png()
    const one = await first.announce(cleared)
    await first.put(one.body, cleared.bytes)
    await first.outcomeOf(one.body.attachmentId)
    const lost = await png()
    const two = await first.announce(lost)
    await before.service.stop()
    const after = await startGateway({ dataDir, env: { GENESYS_GUEST_URL: before.emulator.url } })
    const second = await rawGuest(after.address, token)
    await second.configure()
    const stale = two.body.url.replace(before.url, after.url)
    expect((await second.put({ ...two.body, url: stale }, lost.bytes)).status).toBe(404)
    const again = await second.announce(lost)
    expect((await second.put(again.body, lost.bytes)).status).toBe(200)
    await second.outcomeOf(again.body.attachmentId)
    for (const id of [again.body.attachmentId, one.body.attachmentId])
      expect(await second.sendFile(id)).toMatchObject({ class: 'StructuredMessage' })
    expect(await second.sendFile(two.body.attachmentId)).toMatchObject({ code: 4010 })
  })
})

it('upgrades that came to nothing, and one that the platform does not answer, do not hold the service up', async () => {
  const silent = createServer(() => {})
  const port = await listening(silent)
  onTestFinished(() => void silent.close())
  const { url, service } = await startGateway({ env: { GENESYS_GUEST_URL: `http://127.0.0.1:${port}` } })
  const upgrade = async (id: string) => {
    // Never closes its side by itself.
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true })
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    socket.resume()
    await new Promise((resolve) => socket.once('connect', resolve))
    socket.write(
      `GET /v1?deploymentId=${id} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    return socket
  }
  const refused = await upgrade(randomUUID())
  await new Promise((resolve) => refused.once('end', resolve))
  const reached = new Promise((resolve) => silent.once('connection', resolve))
  await upgrade(deploymentId)
  await reached
  await service.stop()
})

it('an upgrade that is no good leaves nothing open towards the platform', async () => {
  const platform = await fakePlatform()
  const { url } = await startGateway({ env: { GENESYS_GUEST_URL: platform.url } })
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(
    `GET /v1?deploymentId=${deploymentId} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: no\r\n\r\n',
  )
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk
  })
  await until(() => answer.startsWith('HTTP/1.1 400'))
  socket.destroy()
  await until(() => platform.sockets.length === 1 && platform.sockets[0]!.readyState === 3)
})

describe('a platform that', () => {
  it('refuses the upgrade, or cannot be reached, is told to the client as it is', async () => {
    const { address, emulator } = await startGateway()
    await fetch(`${emulator.url}/_emulator/faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([{ route: 'GET /v1', status: 429, times: 1 }]),
    })
    await expect(rawGuest(address)).rejects.toThrow('429')
    const away = await startGateway({ env: { GENESYS_GUEST_URL: 'http://127.0.0.1:9' } })
    await expect(rawGuest(away.address)).rejects.toThrow('502')
    expect(await (await fetch(`${away.url}/health/live`)).status).toBe(200)
  })

  it('does not know a message yet is asked again for its conversation', async () => {
    const { address, emulator, records } = await startGateway()
    await fetch(`${emulator.url}/_emulator/faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([{ route: 'GET /api/v2/conversations/messages/*', status: 404, times: 1 }]),
    })
    const customer = await rawGuest(address)
    await customer.configure()
    const file = await png()
    const { body } = await customer.announce(file)
    await customer.put(body, file.bytes)
    await customer.outcomeOf(body.attachmentId)
    await customer.sendFile(body.attachmentId)
    await until(async () => (await records())[0]?.conversationId !== null)
  })

  it('says more than a client takes waits for it', async () => {
    const platform = await fakePlatform()
    const { address } = await startGateway({ env: { GENESYS_GUEST_URL: platform.url } })
    const customer = await rawGuest(address)
    await until(() => platform.sockets.length === 1)
    customer.socket.pause()
    const frame = JSON.stringify({ type: 'message', class: 'Unknown', code: 200, body: 'x'.repeat(65_536) })
    const [socket] = platform.sockets
    for (let i = 0; i < 600; i++) socket!.send(frame)
    // The systems' own buffers hold a few megabytes; the rest must wait where it comes from, for as long as nobody reads.
    let waits = 0
    let turns = 0
    await until(() => {
      const now = socket!.bufferedAmount
      turns = now === waits ? turns + 1 : 0
      waits = now
      return turns > 20_000
    })
    expect(waits).toBeGreaterThan(20_000_000)
    customer.socket.resume()
    await until(() => customer.heard.length === 600)
  })
})

it('other sessions go on while one floods', async () => {
  const { address } = await startGateway()
  const [flooding, other] = await Promise.all([rawGuest(address), rawGuest(address)])
  await Promise.all([flooding.configure(), other.configure()])
  for (let i = 0; i < 500; i++) flooding.say({ action: 'getConfiguration', deploymentId })
  for (let i = 0; i < 20; i++)
    expect(await other.ask({ action: 'getConfiguration', deploymentId })).toMatchObject({ code: 200 })
  expect(flooding.heard.length).toBeLessThan(100)
})
