import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { gatedEngine } from '../fixtures/engines.ts'
import { type Fixture, jpeg, noise, png } from '../fixtures/files.ts'
import { temporaryFolder } from '../folder.ts'
import { until } from '../genesys/clock.ts'
import { deploymentId, rawGuest, startGateway } from './start.ts'
import { fakePlatform } from './upstream.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

async function policy(content: Record<string, unknown>): Promise<Record<string, string>> {
  const path = join(await temporaryFolder(), 'policy.json')
  await writeFile(path, JSON.stringify(content))
  return { POLICY_FILE: path }
}

/** With something behind its end, which is cut off. */
const followed = (file: Fixture): Fixture => ({ ...file, bytes: Buffer.concat([file.bytes, Buffer.from('hidden')]) })

describe('a file that is changed by the policy is announced anew', () => {
  it.each([
    ['the safe copy in its place', { keep: 'safe_copy' }, async () => jpeg()],
    ['what follows its end cut off', { trailingData: 'cut' }, async () => followed(await jpeg())],
  ])('%s: the platform gets what is kept, and the client hears of the file that it sent', async (_, content, make) => {
    const { address, records, get, emulator } = await startGateway({ env: await policy(content) })
    emulator.setSwitches({ uploadSizeChecked: true, uploadContentChecked: true })
    const customer = await rawGuest(address)
    await customer.configure()
    const file = await make()
    const { body } = await customer.announce(file)
    const id = body.attachmentId as string
    expect((await customer.put(body, file.bytes)).status).toBe(200)
    expect(await customer.outcomeOf(id)).toMatchObject({ class: 'UploadSuccessEvent' })
    const download = await customer.ask({ action: 'getAttachment', attachmentId: id })
    expect(download.body).toMatchObject({ attachmentId: id, headers: {} })
    expect(await customer.sendFile(id)).toMatchObject({
      class: 'StructuredMessage',
      body: { direction: 'Inbound', content: [{ attachment: { id } }] },
    })
    await until(async () => (await records())[0]?.confirmation?.state === 'delivered')
    const [kept] = await records()
    expect(kept!.sha256).not.toBe(sha256(file.bytes))
    const { messages } = emulator.conversation(kept!.conversationId!)
    const [there] = messages.flatMap(({ attachments }) => attachments)
    expect(there).toMatchObject({ sha256: kept!.sha256, contentSizeBytes: kept!.size, filename: file.name })
    // The address leads to the same, and the pull door knows the file by the platform's id of it.
    expect(sha256(Buffer.from(await (await fetch(download.body.url)).arrayBuffer()))).toBe(kept!.sha256)
    expect(there!.id).not.toBe(id)
    expect((await get<{ items: unknown[] }>('/v1/attachments')).body.items).toHaveLength(1)
    expect(customer.texts.join()).not.toContain(there!.id)
  })

  it('under a name that fits, when the copy is of another type', async () => {
    const env = await policy({ keep: 'safe_copy', allowedTypes: ['image/tiff'] })
    const { address, emulator, records } = await startGateway({ env })
    const customer = await rawGuest(address)
    await customer.configure()
    const file = { name: 'scan.tiff', type: 'image/tiff', bytes: await noise(48).tiff().toBuffer() }
    const { body } = await customer.announce(file)
    await customer.put(body, file.bytes)
    await customer.outcomeOf(body.attachmentId)
    await customer.sendFile(body.attachmentId)
    await until(async () => (await records())[0]?.conversationId !== null)
    const [kept] = await records()
    const { messages } = emulator.conversation(kept!.conversationId!)
    const [there] = messages.flatMap(({ attachments }) => attachments)
    expect(there).toMatchObject({ mime: kept!.type, sha256: kept!.sha256 })
    expect(there!.filename).toBe('scan.tiff.png')
  })

  it('and deleted, or not taken, under the id that the client knows', async () => {
    const { address, emulator } = await startGateway({ env: await policy({ keep: 'safe_copy' }) })
    const customer = await rawGuest(address)
    await customer.configure()
    const [deleted, refused] = [await jpeg(), await jpeg()]
    const first = await customer.announce(deleted)
    await customer.put(first.body, deleted.bytes)
    const id = first.body.attachmentId as string
    await customer.outcomeOf(id)
    customer.say({ action: 'deleteAttachment', attachmentId: id })
    const gone = await customer.take(({ class: name }) => name === 'AttachmentDeletedResponse')
    expect(gone.body).toEqual({ attachmentId: id })
    expect(await customer.sendFile(id)).toMatchObject({ code: 4010 })
    const second = await customer.announce(refused)
    emulator.setSwitches({ attachments: 'disabled' })
    await customer.put(second.body, refused.bytes)
    expect(await customer.outcomeOf(second.body.attachmentId)).toMatchObject({
      class: 'UploadFailureEvent',
      body: { attachmentId: second.body.attachmentId, errorCode: 5000 },
    })
  })

  it('when the client has come back, if it was away', async () => {
    const { scanner, asked, judge } = gatedEngine()
    const env = await policy({ keep: 'safe_copy' })
    const { address } = await startGateway({ env, overrides: { scanners: [scanner] } })
    const first = await rawGuest(address)
    await first.configure()
    const file = await jpeg()
    const { body } = await first.announce(file)
    const put = first.put(body, file.bytes)
    await until(asked)
    first.socket.terminate()
    judge()
    await put
    const second = await rawGuest(address, first.token)
    expect(await second.configure()).toMatchObject({ body: { newSession: false } })
    expect(await second.outcomeOf(body.attachmentId)).toMatchObject({ class: 'UploadSuccessEvent' })
    expect(await second.sendFile(body.attachmentId)).toMatchObject({ class: 'StructuredMessage' })
  })
})

describe('an address whose time is over', () => {
  async function announced() {
    const platform = await fakePlatform()
    const gateway = await startGateway({ env: { GENESYS_GUEST_URL: platform.url } })
    const customer = await rawGuest(gateway.address)
    customer.say({ action: 'configureSession', deploymentId })
    await until(() => platform.heard.length === 1)
    platform.configured()
    const file = await png()
    const attachmentId = '8f3b0000-0000-4000-8000-000000000001'
    const about = { fileName: file.name, fileType: file.type, fileSize: file.bytes.length }
    customer.say({ action: 'onAttachment', attachmentId, ...about })
    await until(() => platform.heard.length === 2)
    platform.presigned(attachmentId)
    const { body } = await customer.take(({ class: name }) => name === 'PresignedUrlResponse')
    platform.statuses.push(403)
    await customer.put(body, file.bytes)
    await until(() => platform.heard.length === 3)
    const anew = platform.frames()[2]!
    return { ...gateway, platform, customer, attachmentId, about, anew }
  }

  it('is asked for again under another id, which the client never hears of', async () => {
    const { platform, customer, attachmentId, about, anew } = await announced()
    expect(anew).toMatchObject({ action: 'onAttachment', ...about, token: customer.token })
    const id = anew.attachmentId as string
    expect(id).not.toBe(attachmentId)
    const { url } = platform
    const answer = { type: 'response', code: 200, tracingId: anew.tracingId }
    const address = { attachmentId: id, url: `${url}/bucket/again`, headers: { 'x-amz-tagging': 'c=d' } }
    platform.say({ ...answer, class: 'PresignedUrlResponse', body: address })
    await until(() => platform.puts.length === 2)
    expect(platform.puts[1]).toMatchObject({ url: '/bucket/again', headers: { 'x-amz-tagging': 'c=d' } })
    // What the platform says of the id that was given up is not the client's file's.
    const failure = { errorCode: 4008, errorMessage: 'expired', timestamp: '2026-10-02T09:14:07.512Z' }
    const saysFailed = () =>
      platform.say({ type: 'message', class: 'UploadFailureEvent', code: 200, body: { attachmentId, ...failure } })
    saysFailed()
    platform.success(id)
    expect(await customer.outcomeOf(attachmentId)).toMatchObject({ class: 'UploadSuccessEvent' })
    saysFailed()
    // What is asked about it afterwards is asked under the id that the platform knows, and answered under the client's.
    customer.say({
      action: 'onMessage',
      message: { content: [{ contentType: 'Attachment', attachment: { id: attachmentId } }] },
    })
    await until(() => platform.heard.length === 4)
    expect(platform.frames()[3]).toMatchObject({ message: { content: [{ attachment: { id } }] } })
    expect(customer.heard.map(({ class: name }) => name)).not.toContain('UploadFailureEvent')
    expect(customer.texts.join()).not.toContain(id)
  })

  it.each([
    ['refuses', { class: 'GenerateUrlError', code: 400, body: { errorCode: 4001, errorMessage: 'not supported' } }],
    ['refuses in the plain form', { class: 'string', code: 4000, body: 'not available' }],
    ['says where we do not go', { class: 'PresignedUrlResponse', code: 200, body: { url: 'https://evil.example/' } }],
  ])('that the platform then %s is told as a failure', async (_, answer) => {
    const { platform, customer, attachmentId, anew } = await announced()
    platform.say({ type: 'response', tracingId: anew.tracingId, ...answer })
    expect(await customer.outcomeOf(attachmentId)).toMatchObject({
      class: 'UploadFailureEvent',
      body: { errorCode: 5000 },
    })
    expect(customer.heard.map(({ class: name }) => name)).not.toContain(answer.class)
  })

  it('is asked for again when the platform says that it was too much', async () => {
    const { platform, customer, anew } = await announced()
    const body = { errorCode: 4029, errorMessage: 'too many', retryAfter: 0 }
    platform.say({ type: 'response', class: 'TooManyRequestsErrorMessage', code: 429, tracingId: anew.tracingId, body })
    await until(() => platform.heard.length === 4)
    expect(platform.frames()[3]).toMatchObject({ action: 'onAttachment', fileName: anew.fileName })
    expect(customer.heard.map(({ class: name }) => name)).toEqual(['SessionResponse'])
  })
})
