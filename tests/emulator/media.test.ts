import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { membersOf, read, type Schemas, sample, sendPath, start } from './start.ts'

const bytes = Buffer.from('89504e470d0a1a0a0000', 'hex')

/** An agent's side that sends a file. */
async function agent() {
  const started = await start()
  const call = await started.client()
  const ids = started.emulator.createConversation()
  const path = `${sendPath(ids)}/media`
  const announce = (changes: Record<string, unknown> = {}) =>
    call('POST', `${path}/uploads`, { fileName: 'form.png', contentLengthBytes: bytes.length, ...changes })
  const put = ({ uploadUrl = '', uploadHeaders = {} }: Schemas['MessageMediaUploadData'], body = bytes) =>
    fetch(uploadUrl, { method: 'PUT', headers: { ...uploadHeaders, 'content-type': 'image/png' }, body })
  const stateOf = async (id: string | undefined) =>
    (await read<Schemas['MessageMediaData']>(call('GET', `${path}/${id}`))).status
  const send = (id: string | undefined) => call('POST', sendPath(ids), { mediaIds: [id] })
  return { ...started, call, ids, path, announce, put, stateOf, send }
}

describe('a file from an agent', () => {
  it('is announced, uploaded, valid, and sent by its id', async () => {
    const { call, emulator, ids, path, announce, put, stateOf, send } = await agent()
    const announced = await read<Schemas['MessageMediaUploadData']>(announce())
    expect(membersOf(announced)).toEqual(expect.arrayContaining(membersOf(sample('media.uploads.response'))))
    expect(await stateOf(announced.id)).toBe('uploading')
    expect((await put(announced)).status).toBe(200)
    const media = await read<Schemas['MessageMediaData']>(call('GET', `${path}/${announced.id}`))
    expect(membersOf(media)).toEqual(expect.arrayContaining(membersOf(sample('media.get.response'))))
    expect(media).toMatchObject({ status: 'valid', mediaType: 'image/png' })
    expect((await read<Schemas['MessageMediaListing']>(call('GET', path))).entities).toEqual([media])

    const sent = await read<Schemas['MessageData']>(send(announced.id))
    expect(sent.normalizedMessage?.content?.[0]?.attachment).toMatchObject({ filename: 'form.png', mime: 'image/png' })
    expect(emulator.conversation(ids.id).messages).toMatchObject([
      { direction: 'outbound', attachments: [{ sha256: createHash('sha256').update(bytes).digest('hex') }] },
    ])
    const file = await fetch(sent.normalizedMessage!.content![0]!.attachment!.url!)
    expect(Buffer.from(await file.arrayBuffer())).toEqual(bytes)
  })

  it.each([
    ['shorter than announced', {}, bytes.subarray(1)],
    ['of another digest', { contentMd5: 'AAAAAAAAAAAAAAAAAAAAAA==' }, bytes],
  ])('that is %s is invalid and cannot be sent', async (_, changes, body) => {
    const { announce, put, stateOf, send } = await agent()
    const announced = await read<Schemas['MessageMediaUploadData']>(announce(changes))
    await put(announced, body)
    expect(await stateOf(announced.id)).toBe('invalid')
    expect((await send(announced.id)).status).toBe(400)
  })

  it('cannot be sent before it was uploaded, nor on another leg', async () => {
    const { call, emulator, announce, put, send } = await agent()
    const announced = await read<Schemas['MessageMediaUploadData']>(announce())
    expect((await send(announced.id)).status).toBe(400)
    await put(announced)
    const other = sendPath(emulator.createConversation())
    expect((await call('POST', other, { mediaIds: [announced.id] })).status).toBe(400)
    expect((await call('GET', `${other}/media/${announced.id}`)).status).toBe(404)
  })

  it('of a type that the profile does not let out stops the message', async () => {
    const { announce, emulator, ids, send } = await agent()
    const announced = await read<Schemas['MessageMediaUploadData']>(announce({ fileName: 'form.pdf' }))
    const { uploadUrl = '', uploadHeaders = {} } = announced
    await fetch(uploadUrl, {
      method: 'PUT',
      headers: { ...uploadHeaders, 'content-type': 'application/pdf' },
      body: bytes,
    })
    expect((await send(announced.id)).status).toBe(400)
    expect(emulator.conversation(ids.id).messages).toEqual([])
  })

  it('needs the headers that came with the address, and the address as it is', async () => {
    const { announce, put } = await agent()
    const announced = await read<Schemas['MessageMediaUploadData']>(announce())
    expect((await put({ ...announced, uploadHeaders: {} })).status).toBe(403)
    expect((await put({ ...announced, uploadUrl: announced.uploadUrl!.replace(/.$/, 'x') })).status).toBe(403)
  })

  it.each([
    ['no name', { fileName: undefined }],
    ['a dot before its name', { fileName: '.png' }],
    ['a space in its name', { fileName: 'a form.png' }],
    ['no length', { contentLengthBytes: undefined }],
    ['a length of 0', { contentLengthBytes: 0 }],
  ])('with %s is refused', async (_, changes) => {
    const { announce } = await agent()
    expect((await announce(changes)).status).toBe(400)
  })
})
