import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { conversationWithFile, membersOf, pdf, read, type Schemas, sample, sendPath, start } from './start.ts'

type MessageData = Schemas['MessageData']

describe('a message with a file', () => {
  it('comes with the members of the platform', async () => {
    const { emulator, client } = await start()
    const { messageId } = conversationWithFile(emulator)
    const call = await client()
    const message = await read<MessageData>(call('GET', `/api/v2/conversations/messages/${messageId}/details`))
    expect(membersOf(message)).toEqual(membersOf(sample('message.inbound.attachment.response')))
  })

  it('says name, type, length and digest of the file and where to get it', async () => {
    const { emulator, client } = await start()
    const { id, messageId } = conversationWithFile(emulator)
    const call = await client()
    const message = await read<MessageData>(call('GET', `/api/v2/conversations/messages/${messageId}/details`))
    expect(message).toMatchObject({ id: messageId, conversationId: id, direction: 'inbound', status: 'received' })
    expect(message.normalizedMessage).toMatchObject({
      text: 'Here is my scan',
      content: [
        {
          contentType: 'Attachment',
          attachment: {
            mediaType: 'File',
            filename: 'passport-scan.pdf',
            mime: 'application/pdf',
            contentSizeBytes: pdf().bytes.length,
            sha256: createHash('sha256').update(pdf().bytes).digest('hex'),
            url: expect.stringContaining(`${emulator.url}/api/v2/downloads/`),
          },
        },
      ],
    })
  })

  it.each([
    ['image/png', 'Image'],
    ['video/mp4', 'Video'],
    ['audio/ogg', 'Audio'],
    ['text/plain', 'File'],
  ])('whose type is %s has the media type %s', async (mime, mediaType) => {
    const { emulator, client } = await start()
    const { id } = emulator.createConversation()
    const { messageId } = emulator.customerSends(id, { file: { ...pdf('a.bin'), mime } })
    const call = await client()
    const message = await read<MessageData>(call('GET', `/api/v2/conversations/messages/${messageId}/details`))
    expect(message.normalizedMessage?.content?.[0]?.attachment?.mediaType).toBe(mediaType)
  })

  it('has an id of 32 hex digits, while its conversation has a UUID', async () => {
    const { emulator } = await start()
    const { id, messageId } = conversationWithFile(emulator)
    expect(messageId).toMatch(/^[0-9a-f]{32}$/)
    expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  })
})

describe('one message', () => {
  it('is the same under its conversation as in its details', async () => {
    const { emulator, client } = await start()
    const { id, messageId } = conversationWithFile(emulator)
    const call = await client()
    const details = await read(call('GET', `/api/v2/conversations/messages/${messageId}/details`))
    expect(await read(call('GET', `/api/v2/conversations/messages/${id}/messages/${messageId}`))).toEqual(details)
  })

  it('is not found under another conversation', async () => {
    const { emulator, client } = await start()
    const { messageId } = conversationWithFile(emulator)
    const other = emulator.createConversation()
    const call = await client()
    const answer = await call('GET', `/api/v2/conversations/messages/${other.id}/messages/${messageId}`)
    expect(answer.status).toBe(404)
  })

  it('is not found in the details if its id is unknown', async () => {
    const { client } = await start()
    const call = await client()
    const answer = await call('GET', '/api/v2/conversations/messages/5befde6373a23f32f20b59b4e1cba0e6/details')
    expect(answer.status).toBe(404)
  })

  it('that the agent sent can be read again', async () => {
    const { emulator, client } = await start()
    const call = await client()
    const sent = await read<MessageData>(
      call('POST', sendPath(emulator.createConversation()), { textBody: 'Thank you' }),
    )
    expect(await read(call('GET', `/api/v2/conversations/messages/${sent.id}/details`))).toEqual(sent)
  })
})

describe('many messages at once', () => {
  it('are those asked for, of this conversation only', async () => {
    const { emulator, client } = await start()
    const { id, messageId } = conversationWithFile(emulator)
    const second = emulator.customerSends(id, { text: 'And this' }).messageId
    emulator.customerSends(id, { text: 'Not asked for' })
    const elsewhere = conversationWithFile(emulator).messageId
    const call = await client()
    const ids = [messageId, second, elsewhere, 'unknown']
    const { entities } = await read<Schemas['TextMessageListing']>(
      call('POST', `/api/v2/conversations/messages/${id}/messages/bulk`, ids),
    )
    expect(entities?.map((message) => message.id)).toEqual([messageId, second])
    expect(membersOf({ entities: entities?.slice(0, 1) })).toEqual(membersOf(sample('messages.bulk.response')))
  })

  it('are at most 1000', async () => {
    const { emulator, client } = await start()
    const { id } = emulator.createConversation()
    const call = await client()
    const bulk = `/api/v2/conversations/messages/${id}/messages/bulk`
    const ids = Array.from({ length: 1001 }, (_, index) => String(index))
    expect((await call('POST', bulk, ids.slice(1))).status).toBe(200)
    expect((await call('POST', bulk, ids)).status).toBe(400)
  })

  it.each([{}, 'text', [1], undefined])('cannot be asked for with the body %j', async (body) => {
    const { emulator, client } = await start()
    const { id } = emulator.createConversation()
    const call = await client()
    const answer = await call('POST', `/api/v2/conversations/messages/${id}/messages/bulk`, body)
    expect(answer.status).toBe(400)
  })
})
