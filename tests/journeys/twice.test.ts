import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { jpeg, png, text } from '../fixtures/files.ts'
import { startTestService, type TestService } from '../harness.ts'

async function count({ get }: TestService): Promise<number> {
  return (await get<{ items: Attachment[] }>('/v1/attachments?limit=200')).body.items.length
}

describe('the same delivery twice', () => {
  it('is one attachment, one confirmation, one answer, by Idempotency-Key', async () => {
    const service = await startTestService()
    const conversationId = service.conversation()
    const file = await jpeg()
    const first = await service.push(file, { conversationId, idempotencyKey: 'order-7' })
    await service.confirmations(conversationId)
    const second = await service.push(file, { conversationId, idempotencyKey: 'order-7' })
    expect(second.status).toBe(200)
    expect(second.body).toEqual(first.body)
    expect([first, second].map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true'])
    expect(await count(service)).toBe(1)
    expect(await service.confirmations(conversationId)).toHaveLength(1)
  })

  it('is known without a key by its message and its content', async () => {
    const service = await startTestService()
    const file = await jpeg()
    const ids = { conversationId: service.conversation(), messageId: 'm-1' }
    const [first, second] = [await service.push(file, ids), await service.push(file, ids)]
    expect(second.body).toEqual(first.body)
    expect((await service.push(await jpeg(), ids)).body.attachment.id).not.toBe(first.body.attachment.id)
    expect(await count(service)).toBe(2)
  })

  it('is new every time when nothing names it', async () => {
    const service = await startTestService()
    const file = await png()
    const [first, second] = [await service.push(file), await service.push(file)]
    expect(second.body.attachment.id).not.toBe(first.body.attachment.id)
  })

  it('gets the first refusal again, and the conversation hears it once', async () => {
    const service = await startTestService({ env: { MAX_FILE_BYTES: '1000' } })
    const conversationId = service.conversation()
    for (const file of [text('a.txt', '<html>'), text('b.txt', 'x'.repeat(2000))]) {
      const push = () => service.push(file, { conversationId, messageId: 'm-1', idempotencyKey: file.name })
      const [first, second] = [await push(), await push()]
      expect([second.status, second.body.code, second.body.attachmentId]).toEqual([
        first.status,
        first.body.code,
        first.body.attachmentId,
      ])
      expect(first.body.requestId).not.toBe(second.body.requestId)
    }
    expect(await service.confirmations(conversationId, 2)).toHaveLength(2)
    expect(await count(service)).toBe(2)
  })

  it('is a conflict under the same key with another name, type, message or conversation', async () => {
    const service = await startTestService()
    const file = await png('a.png')
    const push = (changed: object, other = file) =>
      service.push(other, { conversationId: 'c-1', messageId: 'm-1', idempotencyKey: 'k', ...changed })
    expect((await push({})).status).toBe(200)
    for (const answer of [
      await push({ messageId: 'm-2' }),
      await push({ conversationId: 'c-2' }),
      await push({}, { ...file, name: 'b.png' }),
      await push({ declaredType: 'image/gif' }),
    ])
      expect([answer.status, answer.body.code]).toEqual([409, 'conflict'])
    expect((await push({})).status).toBe(200)
    expect(await count(service)).toBe(1)
  })

  it('belongs to its credential: the same key of another sender is another delivery', async () => {
    const service = await startTestService()
    const file = await png()
    const first = await service.push(file, { idempotencyKey: 'k' })
    const second = await service.push(file, { idempotencyKey: 'k', key: 'push-only-key-0123456789' })
    expect(second.body.attachment.id).not.toBe(first.body.attachment.id)
  })

  it('fifty at once under one key are one attachment: the others hear that it runs, or get its answer', async () => {
    const service = await startTestService()
    const conversationId = service.conversation()
    const file = await jpeg()
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => service.push(file, { conversationId, idempotencyKey: 'storm' })),
    )
    const taken = answers.filter(({ status }) => status === 200)
    expect(new Set(taken.map(({ body }) => body.attachment.id)).size).toBe(1)
    for (const { status, body } of answers.filter((answer) => !taken.includes(answer)))
      expect([status, body.code]).toEqual([409, 'in_progress'])
    expect(await count(service)).toBe(1)
    expect(await service.confirmations(conversationId)).toHaveLength(1)
  })

  it('fifty at once of one message and content are one attachment, and everybody gets its answer', async () => {
    const service = await startTestService()
    const conversationId = service.conversation()
    const file = await jpeg()
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => service.push(file, { conversationId, messageId: 'm-9' })),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200))
    expect(new Set(answers.map(({ body }) => body.attachment.id)).size).toBe(1)
    expect(await count(service)).toBe(1)
  })

  it('is not taken in again after it was erased', async () => {
    const service = await startTestService()
    const file = await png()
    const { body } = await service.push(file, { idempotencyKey: 'k' })
    await fetch(`${service.url}/v1/attachments/${body.attachment.id}`, {
      method: 'DELETE',
      headers: { authorization: 'Bearer all-scopes-key-0123456789' },
    })
    const again = await service.push(file, { idempotencyKey: 'k' })
    expect([again.status, again.body.code]).toEqual([410, 'gone'])
  })
})
