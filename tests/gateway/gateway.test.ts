import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Attachment, reference } from '../../src/attachment.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { finding, gatedEngine, marker } from '../fixtures/engines.ts'
import { jpeg, png, text } from '../fixtures/files.ts'
import { until } from '../genesys/clock.ts'
import { keys, temporaryFolder } from '../harness.ts'
import { deploymentId, rawGuest, startGateway } from './start.ts'
import { fakePlatform } from './upstream.ts'

const fileOf = ({ name, type, bytes }: { name: string; type: string; bytes: Buffer }) => ({ name, mime: type, bytes })

describe('a file through the gateway', () => {
  it('is judged and kept before the platform has it, reaches the conversation as it is, and its record is completed', async () => {
    const { guest, emulator, recordOf, get, url } = await startGateway({ overrides: { scanners: [finding] } })
    const customer = await guest()
    const file = await png()
    const echo = await customer.sendsFile(fileOf(file), 'my passport')
    expect(echo).toMatchObject({ class: 'StructuredMessage', body: { direction: 'Inbound', text: 'my passport' } })
    const record = await recordOf(file.name)
    expect(record).toMatchObject({ door: 'gateway', state: 'accepted', verdicts: [{ verdict: 'clean' }] })
    const completed = async () => (await get<Attachment>(`/v1/attachments/${record.id}`)).body
    await until(async () => (await completed()).conversationId !== null)
    const { conversationId, messageId } = await completed()
    expect(messageId).toBe((echo.body as { id: string }).id)
    const conversation = emulator.conversation(conversationId!)
    expect(conversation.messages[0]?.attachments).toEqual([expect.objectContaining({ sha256: record.sha256 })])
    const content = await fetch(`${url}/v1/attachments/${record.id}/content`, {
      headers: { authorization: `Bearer ${keys.read}` },
    })
    expect(Buffer.from(await content.arrayBuffer())).toEqual(file.bytes)
  })

  it('is confirmed in its conversation', async () => {
    const { guest, emulator, recordOf, get } = await startGateway()
    const customer = await guest()
    const file = await jpeg()
    await customer.sendsFile(fileOf(file))
    const { id } = await recordOf(file.name)
    const record = async () => (await get<Attachment>(`/v1/attachments/${id}`)).body
    await until(async () => (await record()).conversationId !== null)
    const { conversationId } = await record()
    await until(async () => (await record()).confirmation?.state === 'delivered')
    expect(emulator.conversation(conversationId!).messages.at(-1)).toMatchObject({
      direction: 'outbound',
      text: expect.stringContaining(reference(id)),
    })
  })

  it('that is refused never reaches the platform, and the customer hears why in his language', async () => {
    const { address, records, asked } = await startGateway({ overrides: { scanners: [finding] } })
    const customer = await rawGuest(address)
    await customer.configure()
    const file = { ...text('letter.txt', `Dear Sir, ${marker}`), type: 'text/plain' }
    const { body } = await customer.announce(file)
    expect((await customer.put(body, file.bytes)).status).toBe(200)
    const outcome = await customer.outcomeOf(body.attachmentId)
    expect(outcome).toMatchObject({
      type: 'message',
      class: 'UploadFailureEvent',
      code: 200,
      body: { attachmentId: body.attachmentId, errorCode: 4003, timestamp: expect.any(String) },
    })
    expect(outcome.body.errorMessage).toContain('something harmful was found in it')
    expect((await asked()).filter(({ method }) => method === 'PUT')).toEqual([])
    expect(await records()).toMatchObject([{ door: 'gateway', state: 'refused', code: 'malware', confirmation: null }])
    expect(await customer.sendFile(body.attachmentId)).toMatchObject({ class: 'string', code: 4010 })
  })

  it.each([
    ['too large', { fileSize: 10_485_761 }, 4002],
    ['empty', { fileSize: 0 }, 4102],
    ['of a type that is not allowed', { fileType: 'image/tiff', fileName: 'scan.tiff' }, 4001],
    ['under another name', { fileName: 'scan.exe' }, 4004],
  ])(
    'that is announced as %s is refused at once, in both forms, and the platform is not asked',
    async (_, about, code) => {
      const { address } = await startGateway()
      const customer = await rawGuest(address)
      await customer.configure()
      const file = await png()
      const attachmentId = randomUUID()
      expect(await customer.announce(file, { attachmentId, ...about })).toMatchObject({
        type: 'response',
        class: 'GenerateUrlError',
        body: { attachmentId, errorCode: code, errorMessage: expect.any(String) },
      })
      expect(await customer.announce(file, { ...about, errorsAsJson: undefined })).toMatchObject({
        class: 'string',
        code,
      })
    },
  )

  it('is held against the policy of its deployment, where that has one', async () => {
    const policyFile = join(await temporaryFolder(), 'policy.json')
    const own = { maxFileBytes: 20_000_000, allowedTypes: ['text/plain'] }
    await writeFile(policyFile, JSON.stringify({ maxFileBytes: 1000, deployments: { [deploymentId]: own } }))
    const { address, get, push } = await startGateway({ env: { POLICY_FILE: policyFile } })
    const customer = await rawGuest(address)
    await customer.configure()
    expect(await customer.announce(await png())).toMatchObject({ body: { errorCode: 4001 } })
    const file = text('letter.txt', 'Dear Sir. '.repeat(1000))
    const { body } = await customer.announce(file)
    expect((await customer.put(body, file.bytes)).status).toBe(200)
    expect(await customer.outcomeOf(body.attachmentId)).toMatchObject({ class: 'UploadSuccessEvent' })
    expect((await push(file)).status).toBe(413)
    expect((await get<{ deployments: unknown }>('/v1/policy')).body.deployments).toMatchObject({ [deploymentId]: own })
  })

  it('gets an address of ours in the shape of the platform’s, and the platform’s own never', async () => {
    const { address, url, emulator } = await startGateway()
    const customer = await rawGuest(address)
    await customer.configure()
    const { body, ...frame } = await customer.announce(await png())
    expect(frame).toMatchObject({ type: 'response', class: 'PresignedUrlResponse', code: 200 })
    expect(body.url.startsWith(`${url}/gateway/uploads/`)).toBe(true)
    expect(Object.keys(body.headers)).toEqual(['x-clipgate-upload'])
    expect(body.fileSize).toBeUndefined()
    expect(customer.texts.join()).not.toContain(emulator.url)
  })

  it('announced without an id gets one', async () => {
    const { address } = await startGateway()
    const customer = await rawGuest(address)
    await customer.configure()
    const file = await png()
    const { body } = await customer.announce(file, { attachmentId: undefined })
    expect((await customer.put(body, file.bytes)).status).toBe(200)
    expect(await customer.outcomeOf(body.attachmentId)).toMatchObject({ class: 'UploadSuccessEvent' })
    expect(await customer.sendFile(body.attachmentId)).toMatchObject({ class: 'StructuredMessage' })
  })

  it('may be put by a page on any origin', async () => {
    const { address } = await startGateway()
    const customer = await rawGuest(address)
    await customer.configure()
    const { body } = await customer.announce(await png())
    const preflight = await fetch(body.url, {
      method: 'OPTIONS',
      headers: { origin: 'https://shop.example', 'access-control-request-method': 'PUT' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
    expect(preflight.headers.get('access-control-allow-headers')).toContain('x-clipgate-upload')
  })

  it('cleared and never sent, or deleted, is erased after a day and owes nothing; one that was sent stays', async () => {
    let now = new Date()
    const clock: Clock = { ...systemClock, now: () => now }
    const { address, records, service } = await startGateway({ overrides: { clock } })
    const customer = await rawGuest(address)
    await customer.configure()
    const upload = async () => {
      const file = await png()
      const { body } = await customer.announce(file)
      await customer.put(body, file.bytes)
      await customer.outcomeOf(body.attachmentId)
      return body.attachmentId as string
    }
    await upload()
    const deleted = await upload()
    customer.say({ action: 'deleteAttachment', attachmentId: deleted })
    await customer.take(({ class: name }) => name === 'AttachmentDeletedResponse')
    expect(await customer.sendFile(deleted)).toMatchObject({ code: 4010 })
    await customer.sendFile(await upload())
    await until(async () => (await records()).some(({ conversationId }) => conversationId !== null))
    now = new Date(now.getTime() + 86_400_000 - 1000)
    await service.sweep()
    expect((await records()).filter(({ state }) => state === 'accepted')).toHaveLength(3)
    now = new Date(now.getTime() + 2000)
    await service.sweep()
    expect((await records()).map(({ state, conversationId }) => [state, conversationId !== null]).sort()).toEqual([
      ['accepted', true],
      ['erased', false],
      ['erased', false],
    ])
  })

  it('deleted while it is being judged, or cut off by the end of the process before it was handed on, is erased after a day too', async () => {
    let now = new Date()
    const clock: Clock = { ...systemClock, now: () => now }
    const { scanner, asked, judge } = gatedEngine()
    const platform = await fakePlatform()
    const { address, records, service } = await startGateway({
      env: { GENESYS_GUEST_URL: platform.url },
      overrides: { clock, scanners: [scanner] },
    })
    const customer = await rawGuest(address)
    customer.say({ action: 'configureSession', deploymentId })
    const file = await png()
    const attachmentId = randomUUID()
    customer.say({
      action: 'onAttachment',
      attachmentId,
      fileName: file.name,
      fileType: file.type,
      fileSize: file.bytes.length,
    })
    await until(() => platform.heard.length === 2)
    platform.presigned(attachmentId)
    const { body } = await customer.take(({ class: name }) => name === 'PresignedUrlResponse')
    const put = customer.put(body, file.bytes)
    await until(asked)
    platform.say({ type: 'message', class: 'AttachmentDeletedResponse', code: 200, body: { attachmentId } })
    await customer.take(({ class: name }) => name === 'AttachmentDeletedResponse')
    judge()
    expect((await put).status).toBe(200)
    expect(await records()).toMatchObject([{ state: 'accepted', conversationId: null }])
    now = new Date(now.getTime() + 86_400_000 + 1000)
    await service.sweep()
    expect(await records()).toMatchObject([{ state: 'erased' }])
    expect([platform.puts, customer.heard.map(({ class: name }) => name)]).toEqual([[], []])
  })
})

describe('everything else', () => {
  it('passes byte for byte, both ways, known or unknown', async () => {
    const { address, emulator } = await startGateway()
    const direct = await rawGuest(`${emulator.url.replace('http', 'ws')}/v1`)
    const relayed = await rawGuest(address)
    const script = [
      { action: 'configureSession', deploymentId, tracingId: 't1' },
      { action: 'getConfiguration', deploymentId, tracingId: 't2' },
      { action: 'echo', tracingId: 't3', message: { type: 'Text', text: 'ping' } },
      { action: 'unheardOf', tracingId: 't4', more: { of: ['it', null, 1.5] } },
      { action: 'onMessage', tracingId: 't5', message: { type: 'Text', text: 'x'.repeat(5000) } },
      { action: 'closeSession', tracingId: 't6', closeAllConnections: false },
    ]
    const answers = async (guest: typeof direct) => {
      for (const frame of script) await guest.ask(frame)
      // What is another in each session.
      return guest.texts.map((one) => one.replace(/"expirationDate":"?\d+"?/g, ''))
    }
    expect(await answers(relayed)).toEqual(await answers(direct))
  })

  it('a session with a file and an agent’s answer is told as it is without us, but for where the file is put', async () => {
    const { address, emulator } = await startGateway()
    const file = await png()
    const session = async (at: string) => {
      const attachmentId = randomUUID()
      const guest = await rawGuest(at)
      await guest.configure({ tracingId: 't1' })
      await guest.ask({ action: 'onMessage', tracingId: 't2', message: { type: 'Text', text: 'Grüße 今日は \u0000' } })
      const { body } = await guest.announce(file, { attachmentId, tracingId: 't3' })
      await guest.put(body, file.bytes)
      await guest.outcomeOf(attachmentId)
      await guest.ask({ action: 'getAttachment', attachmentId, tracingId: 't4' })
      await guest.sendFile(attachmentId, { tracingId: 't5', metadata: { mine: '1' } })
      const { id } = emulator.conversations().at(-1)!
      emulator.agentSends(id, 'Thank you', { name: file.name, mime: file.type, bytes: file.bytes })
      await guest.take(({ body: said }) => said.direction === 'Outbound' && said.text === 'Thank you')
      emulator.endConversation(id)
      await guest.take(({ body: said }) => said.type === 'Event')
      return { texts: guest.texts.map((one) => one.replaceAll(attachmentId, 'attachment')), put: body.url as string }
    }
    const [direct, relayed] = [await session(`${emulator.url.replace('http', 'ws')}/v1`), await session(address)]
    const given = (texts: string[]) =>
      texts.find((one) => one.includes('"PresignedUrlResponse"') && one.includes('"t3"'))
    const [theirs, ours] = [JSON.parse(given(direct.texts)!), JSON.parse(given(relayed.texts)!)]
    expect(Object.keys(ours)).toEqual(Object.keys(theirs))
    expect({ ...ours, body: { ...ours.body, url: '', headers: {} } }).toEqual({
      ...theirs,
      body: { ...theirs.body, url: '', headers: {} },
    })
    expect(relayed.put).not.toContain(emulator.url)
    // What is another in each session: times, ids that the platform makes, and addresses signed for a while.
    const masked = (texts: string[]) =>
      texts
        .filter((one) => one !== given(texts))
        .map((one) =>
          one
            .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
            .replace(/"expirationDate":"?\d+"?/g, '')
            .replace(new RegExp(`${emulator.url}[^"]+`, 'g'), 'address')
            .replace(/"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"/g, '"made"'),
        )
    expect(masked(relayed.texts)).toEqual(masked(direct.texts))
    expect(relayed.texts.length).toBeGreaterThan(7)
  })

  it('a session that is taken up again is the same, and hears of the agent', async () => {
    const { address } = await startGateway()
    const token = randomUUID()
    const first = await rawGuest(address, token)
    expect((await first.configure()).body.newSession).toBe(true)
    first.socket.terminate()
    const second = await rawGuest(address, token)
    expect((await second.configure()).body.newSession).toBe(false)
  })

  it('a customer who proves who he is does so at the platform, sends a file, and is logged out', async () => {
    const { address, url, emulator, records } = await startGateway()
    const json = (body: unknown) => ({
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'https://www.example.com' },
      body: JSON.stringify(body),
    })
    const token = (path: string) => `${url}/api/v2/webdeployments/token/${path}`
    const proof = json({ deploymentId, oauth: { code: 'c', redirectUri: 'https://www.example.com' } })
    const given = await fetch(token('oauthcodegrantjwtexchange'), proof)
    const { refreshToken } = (await given.json()) as { refreshToken: string }
    const { jwt } = (await (await fetch(token('refresh'), json({ refreshToken, deploymentId }))).json()) as {
      jwt: string
    }
    const customer = await rawGuest(address)
    const open = { action: 'configureAuthenticatedSession', deploymentId, data: { code: jwt } }
    expect(await customer.ask(open)).toMatchObject({ class: 'SessionResponse', body: { connected: true } })
    const file = await jpeg()
    const { body } = await customer.announce(file)
    await customer.put(body, file.bytes)
    await customer.outcomeOf(body.attachmentId)
    expect(await customer.sendFile(body.attachmentId)).toMatchObject({ class: 'StructuredMessage' })
    await until(async () => (await records())[0]?.conversationId === emulator.conversations()[0]!.id)
    const revoked = await fetch(token('revoke'), { method: 'DELETE', headers: { authorization: `bearer ${jwt}` } })
    expect(revoked.status).toBe(200)
    expect(await customer.take(({ class: name }) => name === 'LogoutEvent')).toBeDefined()
  })

  it('config, domains and history come from the platform, of configured deployments alone', async () => {
    const { url, emulator, address } = await startGateway()
    for (const file of ['config.json', 'domains.json']) {
      const path = `/webdeployments/v1/deployments/${deploymentId}/${file}`
      const [ours, theirs] = await Promise.all([fetch(url + path), fetch(emulator.url + path)])
      expect([ours.status, await ours.text()]).toEqual([theirs.status, await theirs.text()])
      expect(ours.headers.get('access-control-allow-origin')).toBe(theirs.headers.get('access-control-allow-origin'))
    }
    expect((await fetch(`${url}/webdeployments/v1/deployments/${randomUUID()}/config.json`)).status).toBe(404)
    const exchange = (id: string, base: string) =>
      fetch(`${base}/api/v2/webdeployments/token/oauthcodegrantjwtexchange`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: 'https://www.example.com' },
        body: JSON.stringify({
          deploymentId: id,
          oauth: { code: 'no', redirectUri: 'https://x.example', codeVerifier: 'v' },
        }),
      })
    expect((await exchange(randomUUID(), url)).status).toBe(404)
    expect((await exchange(deploymentId, url)).status).toBe((await exchange(deploymentId, emulator.url)).status)
    const customer = await rawGuest(address)
    await customer.configure()
    await customer.ask({ action: 'onMessage', message: { type: 'Text', text: 'hello' } })
    const { body } = await customer.ask({ action: 'getJwt' })
    const history = await fetch(`${url}/api/v2/webmessaging/messages?pageNumber=1&pageSize=25`, {
      headers: { authorization: `bearer ${body.jwt}`, origin: 'https://www.example.com' },
    })
    expect(((await history.json()) as { entities: unknown[] }).entities).toHaveLength(1)
  })

  it('another deployment, another path and another page are refused as the platform would', async () => {
    const { address, url } = await startGateway()
    const refused = (target: string, origin?: string) =>
      import('../../emulator/client/guest.ts').then(({ openGuest }) =>
        openGuest(target, {
          deploymentId: origin === undefined ? randomUUID() : deploymentId,
          ...(origin && { origin }),
        }).then(
          () => 'open',
          (error: Error) => error.message,
        ),
      )
    expect(await refused(address)).toContain('403')
    expect(await refused(`${url.replace('http', 'ws')}/v2`)).toContain('404')
  })

  it('an offer of HTTP/2 is passed over, and the request is served', async () => {
    const { url } = await startGateway()
    const { port } = new URL(url)
    const { connect } = await import('node:net')
    const socket = connect(Number(port), '127.0.0.1')
    const body = JSON.stringify({ conversationId: 'c-1' })
    socket.write(
      `POST /v1/tickets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keys.push}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n\r\n${body}`,
    )
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    await until(() => answer.includes('"ticket"'))
    socket.destroy()
    expect(answer).toMatch(/^HTTP\/1.1 201 /)
  })
})
