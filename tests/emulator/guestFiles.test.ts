import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Switches } from '../../emulator/index.ts'
import { attachmentMessage, configured, guest, guestSample, put } from './guest.ts'
import { membersOf, pdf } from './start.ts'

const refusal = (code: number) => ({ type: 'response', class: 'string', code, body: expect.any(String) })
const tenMebibytes = 10 * 1024 * 1024

async function withSwitches(switches: Partial<Switches>) {
  const started = await configured()
  started.emulator.setSwitches(switches)
  return started
}

describe('a file from a guest', () => {
  it('is announced, put, told of on the socket, and sent with a message', async () => {
    const { emulator, guest: one } = await configured()
    const announced = await one.announce({ attachmentId: randomUUID(), errorsAsJson: true })
    expect(membersOf(announced)).toEqual(membersOf(guestSample('PresignedUrlResponse.upload')))
    expect((await put(announced.body, pdf().bytes)).status).toBe(200)

    const success = await one.next()
    expect(membersOf(success)).toEqual(membersOf(guestSample('UploadSuccessEvent')))
    expect(success.body.attachmentId).toBe(announced.body.attachmentId)
    const downloaded = await fetch(String(success.body.downloadUrl))
    expect(Buffer.from(await downloaded.arrayBuffer())).toEqual(pdf().bytes)
    expect(emulator.conversations()).toEqual([])

    one.message(attachmentMessage(success.body.attachmentId, 'Here is my scan'))
    const echo = await one.next()
    expect(membersOf(echo)).toEqual(membersOf(guestSample('StructuredMessage.inboundEcho.attachment')))
    const [{ id }] = emulator.conversations() as [{ id: string }]
    expect(emulator.conversation(id).messages).toMatchObject([
      {
        id: echo.body.id,
        text: 'Here is my scan',
        attachments: [{ id: success.body.attachmentId, filename: 'passport-scan.pdf', contentSizeBytes: 15 }],
      },
    ])
  })

  it('can be sent alone, as the web widget does, and comes back as a text without text', async () => {
    const { guest: one } = await configured()
    const { body } = await one.upload()
    one.message({ metadata: { id: randomUUID() }, ...attachmentMessage(body.attachmentId) })
    const echo = await one.next()
    expect(echo.body.type).toBe('Text')
    expect(echo.body).not.toHaveProperty('text')
  })

  it('gets an id from the server if the client gave none', async () => {
    const { guest: one } = await configured()
    expect((await one.announce()).body.attachmentId).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('is told of on every connection of the guest', async () => {
    const { emulator, guest: one } = await configured()
    const second = await guest(emulator, one.token)
    await second.configure()
    const event = await one.upload()
    expect(await second.next()).toEqual(event)
  })

  it('cannot be sent twice over its url once it was sent', async () => {
    const { guest: one } = await configured()
    const { body } = await one.announce()
    await put(body, pdf().bytes)
    await put(body, Buffer.from('%PDF-1.4 another'))
    const [, second] = await one.waiting()
    expect(second).toMatchObject({ class: 'UploadSuccessEvent' })
    one.message(attachmentMessage(body.attachmentId))
    await one.next()
    expect((await put(body, pdf().bytes)).status).toBe(404)
  })

  it('is told of later if the switch says so', async () => {
    const { guest: one, passSeconds } = await withSwitches({ uploadEventDelaySeconds: 5 })
    const { body } = await one.announce()
    await put(body, pdf().bytes)
    expect(await one.waiting()).toEqual([])
    one.message(attachmentMessage(body.attachmentId))
    expect(await one.next()).toMatchObject(refusal(4010))
    passSeconds(5)
    expect(await one.next()).toMatchObject({ class: 'UploadSuccessEvent' })
  })
})

describe('an announcement', () => {
  const wrong: [string, Record<string, unknown>, number][] = [
    ['an executable', { fileName: 'invoice.pdf.EXE' }, 4001],
    ['a name without extension', { fileName: 'passport' }, 4004],
    ['a name of 1024 characters', { fileName: `${'a'.repeat(1020)}.pdf` }, 4005],
    ['an empty file', { fileSize: 0 }, 4102],
    ['a file over 10 MiB', { fileSize: tenMebibytes + 1 }, 4002],
  ]

  it.each(wrong)('of %s is refused as a text, or as an object if asked for', async (_, about, code) => {
    const { guest: one } = await configured()
    expect(await one.announce(about)).toMatchObject(refusal(code))
    const attachmentId = randomUUID()
    const answer = await one.announce({ ...about, attachmentId, errorsAsJson: true })
    expect(membersOf(answer)).toEqual(membersOf(guestSample('GenerateUrlError.fileSize')))
    expect(answer).toMatchObject({ type: 'response', code: 400, body: { attachmentId, errorCode: code } })
  })

  it('is refused in the other form that was seen if the switch says so', async () => {
    const { guest: one } = await withSwitches({ uploadRefusals: 'message200' })
    const answer = await one.announce({ fileSize: 0, errorsAsJson: true })
    expect(answer).toMatchObject({ type: 'message', code: 200, class: 'GenerateUrlError', body: { errorCode: 4102 } })
  })

  it('is refused where files are disabled', async () => {
    const { guest: one } = await withSwitches({ attachments: 'disabled' })
    expect(await one.announce()).toMatchObject(refusal(4000))
  })

  it.each(['fileName', 'fileType', 'fileSize'])('must say %s', async (name) => {
    const { guest: one } = await configured()
    one.say({ action: 'onAttachment', fileName: 'a.pdf', fileType: 'application/pdf', fileSize: 1, [name]: undefined })
    expect(await one.next()).toMatchObject(refusal(4020))
  })
})

describe('an upload url', () => {
  it('is refused without its headers exactly as given, changed, or at another path', async () => {
    const { guest: one } = await configured()
    const { body } = await one.announce()
    const other = { 'x-amz-tagging': 'owner=me' }
    expect((await put({ ...body, headers: {} }, pdf().bytes)).status).toBe(403)
    expect((await put(body, pdf().bytes, other)).status).toBe(403)
    expect((await put({ ...body, url: body.url.replace(/Signature=./, 'Signature=') }, pdf().bytes)).status).toBe(403)
    expect((await put({ ...body, url: body.url.replace(/Expires=\d/, 'Expires=9') }, pdf().bytes)).status).toBe(403)
    expect((await put({ ...body, url: body.url.replace(body.attachmentId, 'x') }, pdf().bytes)).status).toBe(403)
    expect(await one.waiting()).toEqual([])
  })

  it('is good as long as the switch says', async () => {
    const { guest: one, passSeconds } = await withSwitches({ uploadUrlLifetimeSeconds: 60 })
    const { body } = await one.announce()
    passSeconds(59)
    expect((await put(body, pdf().bytes)).status).toBe(200)
    passSeconds(1)
    expect((await put(body, pdf().bytes)).status).toBe(403)
  })

  it.each([
    [false, 200],
    [true, 403],
  ])('covers the announced Content-Type or not: %s', async (uploadSignsContentType, status) => {
    const { guest: one } = await withSwitches({ uploadSignsContentType })
    const { body } = await one.announce()
    expect((await put(body, pdf().bytes)).status).toBe(200)
    expect((await put(body, pdf().bytes, { 'content-type': 'text/plain' })).status).toBe(status)
  })

  it('takes bytes of any type as they are, JSON and forms too', async () => {
    const { guest: one } = await configured()
    for (const type of ['application/json', 'multipart/form-data; boundary=b', 'text/plain']) {
      const { body } = await one.announce()
      expect((await put(body, Buffer.from('{'), { 'content-type': type })).status).toBe(200)
      expect(await one.next()).toMatchObject({ class: 'UploadSuccessEvent' })
    }
  })

  it('may be used by a page of any origin', async () => {
    const { guest: one } = await configured()
    const { body } = await one.announce()
    const origin = 'https://www.example.com'
    const asked = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-amz-tagging' }
    const before = await fetch(body.url, { method: 'OPTIONS', headers: { origin, ...asked } })
    expect(before.headers.get('access-control-allow-methods')).toContain('PUT')
    expect((await put(body, pdf().bytes, { origin })).headers.get('access-control-allow-origin')).toBe('*')
  })

  it('meets faults: a cut answer leaves the work done', async () => {
    const { emulator, guest: one } = await configured()
    emulator.setFaults([
      { route: 'PUT /uploads/*', status: 503 },
      { route: 'PUT /uploads/*', cut: true },
    ])
    const { body } = await one.announce()
    expect((await put(body, pdf().bytes)).status).toBe(503)
    await expect(put(body, pdf().bytes)).rejects.toThrow('fetch failed')
    expect(await one.waiting()).toMatchObject([{ class: 'UploadSuccessEvent' }])
  })
})

describe('uploaded bytes', () => {
  it('fail if there are none or too many', async () => {
    const { guest: one } = await configured()
    const { body } = await one.announce()
    await put(body, Buffer.alloc(0))
    const failure = await one.next()
    expect(membersOf(failure)).toEqual(membersOf(guestSample('UploadFailureEvent')))
    expect(failure.body.errorCode).toBe(4102)
    await put(body, Buffer.alloc(tenMebibytes + 1))
    expect((await one.next()).body.errorCode).toBe(4002)
    one.message(attachmentMessage(body.attachmentId))
    expect(await one.next()).toMatchObject(refusal(4010))
  })

  it.each([
    [false, 'UploadSuccessEvent'],
    [true, 'UploadFailureEvent'],
  ])('of another size than announced pass or fail: %s', async (uploadSizeChecked, outcome) => {
    const { guest: one } = await withSwitches({ uploadSizeChecked })
    expect(await one.upload(pdf().bytes, { fileSize: 14 })).toMatchObject({ class: outcome })
    expect(await one.upload(pdf().bytes)).toMatchObject({ class: 'UploadSuccessEvent' })
  })

  it.each([
    [false, 'UploadSuccessEvent'],
    [true, 'UploadFailureEvent'],
  ])('of another type than announced pass or fail: %s', async (uploadContentChecked, outcome) => {
    const { guest: one } = await withSwitches({ uploadContentChecked })
    expect(await one.upload(Buffer.from('no pdf'))).toMatchObject({ class: outcome })
    expect(await one.upload(Buffer.from('a,b'), { fileType: 'text/csv' })).toMatchObject({
      class: 'UploadSuccessEvent',
    })
    expect(await one.upload()).toMatchObject({ class: 'UploadSuccessEvent' })
  })
})

describe('an uploaded file', () => {
  it('has a fresh download url whenever it is asked for, without headers', async () => {
    const { guest: one, passSeconds, emulator } = await configured()
    emulator.setSwitches({ downloads: 'bearer' })
    const { body } = await one.upload()
    passSeconds(600)
    expect((await fetch(String(body.downloadUrl))).status).toBe(403)
    const answer = await one.ask({ action: 'getAttachment', attachmentId: body.attachmentId })
    expect(membersOf(answer)).toEqual(membersOf(guestSample('PresignedUrlResponse.download')))
    expect(answer.body).toMatchObject({ headers: {}, fileName: 'passport-scan.pdf', fileSize: 15 })
    expect((await fetch(String(answer.body.url))).status).toBe(200)
  })

  it('can be taken back until it is sent', async () => {
    const { guest: one } = await configured()
    const { body } = await one.upload()
    const remove = { action: 'deleteAttachment', attachmentId: body.attachmentId }
    const answer = await one.ask(remove)
    expect(membersOf(answer)).toEqual(membersOf(guestSample('AttachmentDeletedResponse')))
    expect((await fetch(String(body.downloadUrl))).status).toBe(404)
    expect(await one.ask(remove)).toMatchObject(refusal(4009))
    const sent = await one.upload()
    one.message(attachmentMessage(sent.body.attachmentId))
    await one.next()
    expect(await one.ask({ ...remove, attachmentId: sent.body.attachmentId })).toMatchObject(refusal(4009))
  })

  it('is the guest’s own: another one knows nothing of it', async () => {
    const { emulator, guest: one } = await configured()
    const { body } = await one.upload()
    const other = await guest(emulator)
    await other.configure()
    expect(await other.ask({ action: 'getAttachment', attachmentId: body.attachmentId })).toMatchObject(refusal(4009))
  })

  it('that was only announced has no url', async () => {
    const { guest: one } = await configured()
    const { body } = await one.announce()
    expect(await one.ask({ action: 'getAttachment', attachmentId: body.attachmentId })).toMatchObject(refusal(4010))
  })
})
