import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { jpeg, jpegOfSize, pdf, png } from '../fixtures/files.ts'
import { eventually, keys, pushTo, sha256 } from '../harness.ts'
import { startPull } from './pulling.ts'

describe('a message that somebody names', () => {
  it.each(['signed', 'bearer', 'redirect'] as const)(
    'has its file fetched, judged, kept and told (downloads: %s)',
    async (downloads) => {
      const { pull, emulator, conversation, customerSends, get, url } = await startPull()
      emulator.setSwitches({ downloads })
      const conversationId = conversation()
      const file = await pdf('passport.pdf')
      const messageId = customerSends(conversationId, file)
      const { status, body } = await pull({ conversationId, messageId })
      expect(status).toBe(200)
      expect(body).toMatchObject({ conversationId, status: 'done', count: 1, accepted: 1, refused: 0 })
      const [found] = body.attachments
      expect(found).toMatchObject({
        state: 'accepted',
        door: 'pull',
        conversationId,
        messageId,
        filename: 'passport.pdf',
        type: 'application/pdf',
        declaredType: 'application/pdf',
        size: file.bytes.length,
        sha256: sha256(file.bytes),
        agentMayHaveSeen: true,
        confirmation: { state: 'pending' },
      })
      expect(body.sentence).toMatch(/^We have received your file “passport.pdf”\. Reference: #[0-9A-Z]{8}$/)
      const content = await fetch(`${url}/v1/attachments/${found!.id}/content`, {
        headers: { authorization: `Bearer ${keys.read}` },
      })
      expect(sha256(Buffer.from(await content.arrayBuffer()))).toBe(sha256(file.bytes))
      expect((await get<Attachment>(`/v1/attachments/${found!.id}`)).body.agentMayHaveSeen).toBe(true)
    },
  )

  it('that brought no file has nothing, and a conversation without files neither', async () => {
    const { pull, emulator, conversation } = await startPull()
    const conversationId = conversation()
    const { messageId } = emulator.customerSends(conversationId, { text: 'Hello' })
    const nothing = { status: 'done', count: 0, accepted: 0, refused: 0, sentence: '', attachments: [] }
    expect(await pull({ conversationId, messageId })).toMatchObject({ status: 200, body: nothing })
    expect(await pull({ conversationId })).toMatchObject({ status: 200, body: nothing })
  })

  it.each([
    ['there is no such conversation', () => ({ conversationId: '7d5e2b1c-0c3a-4c53-9f8a-2e4d5a6b7c81' })],
    ['there is no such message', (conversationId: string) => ({ conversationId, messageId: 'a'.repeat(32) })],
    ['it is of another conversation', (_: string, messageId: string) => ({ conversationId: 'other', messageId })],
  ])('is 404 when %s', async (_, asked) => {
    const { pull, conversation, customerSends } = await startPull()
    const conversationId = conversation()
    const messageId = customerSends(conversationId, await png())
    const { status, body } = await pull(asked(conversationId, messageId))
    expect([status, body.code]).toEqual([404, 'not_found'])
  })

  it('is told in the language that was asked for, as is the customer', async () => {
    const { pull, conversation, customerSends, confirmations } = await startPull()
    const conversationId = conversation()
    const messageId = customerSends(conversationId, await png('Bild.png'))
    const { body } = await pull({ conversationId, messageId, language: 'de-AT' })
    expect(body.sentence).toContain('Wir haben Ihre Datei „Bild.png“')
    expect((await confirmations(conversationId))[0]).toContain('Wir haben Ihre Datei „Bild.png“')
  })

  it('is the same attachment when it is named again', async () => {
    const { pull, conversation, customerSends, list, asked } = await startPull()
    const conversationId = conversation()
    const messageId = customerSends(conversationId, await png())
    const first = await pull({ conversationId, messageId })
    const second = await pull({ conversationId, messageId })
    expect(second.body.attachments.map(({ id }) => id)).toEqual(first.body.attachments.map(({ id }) => id))
    expect(await list()).toHaveLength(1)
    expect(asked('GET', '/downloads/')).toBe(1)
  })
})

describe('a conversation that somebody names', () => {
  it('has the files of all its messages fetched, and later only those that are new', async () => {
    const { pull, emulator, conversation, customerSends, asked } = await startPull()
    const conversationId = conversation()
    emulator.customerSends(conversationId, { text: 'I send two' })
    customerSends(conversationId, await png('one.png'))
    customerSends(conversationId, await jpeg('two.jpg'))
    const first = await pull({ conversationId })
    expect(first.body).toMatchObject({ status: 'done', count: 2, accepted: 2 })
    expect(first.body.attachments.map(({ filename }) => filename).sort()).toEqual(['one.png', 'two.jpg'])
    expect(first.body.sentence).toMatch(/one\.png.*two\.jpg|two\.jpg.*one\.png/)
    customerSends(conversationId, await pdf('three.pdf'))
    const second = await pull({ conversationId })
    expect(second.body).toMatchObject({ count: 3, accepted: 3 })
    expect(asked('GET', '/downloads/')).toBe(3)
  })

  it('is not asked for files that an agent sent, only for the customer’s', async () => {
    const { pull, conversation, customerSends } = await startPull()
    const conversationId = conversation()
    customerSends(conversationId, await png())
    await pull({ conversationId })
    // By now our own confirmation lies in the conversation, too.
    expect((await pull({ conversationId })).body.count).toBe(1)
  })
})

describe('a file that is bad', () => {
  it('is refused as through every door, told to the customer, and to the operator: an agent may have seen it', async () => {
    const { pull, conversation, customerSends, logged, url, confirmations } = await startPull()
    const conversationId = conversation()
    customerSends(conversationId, { name: 'photo.jpg', type: 'image/jpeg', bytes: Buffer.from('<html></html>') })
    const { status, body } = await pull({ conversationId })
    expect([status, body.accepted, body.refused]).toEqual([200, 0, 1])
    const [refused] = body.attachments
    expect(refused).toMatchObject({ state: 'refused', code: 'type_mismatch', agentMayHaveSeen: true })
    expect(body.sentence).toContain('its name does not match what is in it')
    expect((await confirmations(conversationId))[0]).toContain('photo.jpg')
    expect(logged.find(({ msg }) => msg === 'a file that an agent may have seen was refused')).toMatchObject({
      attachmentId: refused!.id,
      code: 'type_mismatch',
    })
    const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${keys.read}` } })
    expect(await metrics.text()).toContain('clipgate_seen_files_refused_total{code="type_mismatch"} 1')
  })

  it('that is too large is cut off at the limit, and never kept', async () => {
    const { pull, conversation, customerSends } = await startPull({ env: { MAX_FILE_BYTES: '100000' } })
    const conversationId = conversation()
    customerSends(conversationId, await jpegOfSize(3_000_000))
    const { body } = await pull({ conversationId })
    expect(body.attachments).toMatchObject([{ state: 'refused', code: 'too_large', size: null }])
  })
})

describe('who may ask', () => {
  it.each([
    ['nobody without a key', null, 401],
    ['nobody with a wrong key', 'wrong-key-0123456789-0123', 401],
    ['no key that may only read', keys.read, 403],
    ['no key that may only push', keys.push, 403],
  ])('%s', async (_, key, status) => {
    const { pull } = await startPull()
    expect((await pull({ conversationId: 'c' }, { key })).status).toBe(status)
  })

  it.each([
    ['no conversation', {}],
    ['an id that can be none', { conversationId: '../x' }],
    ['what we do not know', { conversationId: 'c', extra: 1 }],
    ['an odd language', { conversationId: 'c', language: 'x'.repeat(36) }],
  ])('must name what it wants: %s is 400', async (_, body) => {
    const { pull } = await startPull()
    expect((await pull(body)).status).toBe(400)
  })

  it('finds no door when nobody may pull', async () => {
    const { pull } = await startPull({ env: { API_KEYS: `page:push:${keys.push}` } })
    expect((await pull({ conversationId: 'c' })).status).toBe(404)
  })

  it('gets in when pulling is the only door', async () => {
    const { pull, conversation } = await startPull({ env: { API_KEYS: `flow:pull:pull-only-key-0123456789` } })
    expect((await pull({ conversationId: conversation() })).status).toBe(200)
  })
})

describe('what takes longer', () => {
  it('goes on without the caller, who is told so and can ask again', async () => {
    const { pull, conversation, customerSends, settled } = await startPull()
    const conversationId = conversation()
    customerSends(conversationId, await png('slow.png'))
    const { status, body } = await pull({ conversationId }, { query: '?wait=0' })
    expect([status, body.status]).toEqual([202, 'pending'])
    expect(await settled(conversationId, 1)).toMatchObject([{ state: 'accepted' }])
    expect(await pull({ conversationId })).toMatchObject({ status: 200, body: { accepted: 1 } })
    // Who does not wait is told what is known, whatever it is.
    expect((await pull({ conversationId }, { query: '?wait=0' })).status).toBe(202)
  })

  it('is known while it is fetched, and the customer told that it has still to be examined', async () => {
    const { pull, emulator, conversation, customerSends, list, get } = await startPull()
    emulator.setFaults([{ route: 'GET /api/v2/downloads/*', status: 503, retryAfter: 3600, times: 100 }])
    const conversationId = conversation()
    customerSends(conversationId, await png('slow.png'))
    await pull({ conversationId }, { query: '?wait=0' })
    const [away] = await eventually(
      () => list(),
      ([one]) => one?.detail !== null && one !== undefined,
    )
    expect(away).toMatchObject({ state: 'fetching', filename: 'slow.png', detail: 'GET (media): 503', type: null })
    expect((await get<Attachment>(`/v1/attachments/${away!.id}`)).body).toEqual(away)
    expect((await get(`/v1/attachments/${away!.id}/content`)).status).toBe(409)
    const { body } = await pull({ conversationId }, { query: '?wait=0' })
    expect(body.sentence).toContain('slow.png')
    expect(body.sentence).toContain('still has to be examined')
    const note = async () =>
      (await get<{ checks: Record<string, { note?: string }> }>('/health/ready')).body.checks.pull?.note
    await eventually(note, (told) => told === '1 files being fetched')
  })
})

describe('one file through two doors', () => {
  it('is one attachment when it was pushed before', async () => {
    const { pull, url, conversation, customerSends, list } = await startPull()
    const conversationId = conversation()
    const file = await png('twice.png')
    const messageId = customerSends(conversationId, file)
    const pushed = await pushTo(url, { ...file, name: 'renamed.png' }, { conversationId, messageId, key: keys.push })
    const { body } = await pull({ conversationId, messageId })
    expect(body.attachments).toMatchObject([{ id: pushed.body.attachment.id, door: 'push', filename: 'renamed.png' }])
    expect(await list()).toHaveLength(1)
  })

  it('is one attachment when it is pushed later', async () => {
    const { pull, url, conversation, customerSends, list } = await startPull()
    const conversationId = conversation()
    const file = await png('twice.png')
    const messageId = customerSends(conversationId, file)
    const { body } = await pull({ conversationId, messageId })
    const pushed = await pushTo(url, file, { conversationId, messageId, key: keys.push })
    expect(pushed.body.attachment.id).toBe(body.attachments[0]!.id)
    expect(await list()).toHaveLength(1)
  })
})

describe('an erased file', () => {
  it('that was pulled is not fetched again', async () => {
    const { pull, url, conversation, customerSends, asked } = await startPull()
    const conversationId = conversation()
    const messageId = customerSends(conversationId, await png())
    const { body } = await pull({ conversationId, messageId })
    const erased = await fetch(`${url}/v1/attachments/${body.attachments[0]!.id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${keys.all}` },
    })
    expect(erased.status).toBe(200)
    const again = await pull({ conversationId, messageId })
    expect(again.body).toMatchObject({
      status: 'done',
      sentence: '',
      attachments: [{ state: 'erased', filename: null }],
    })
    expect(asked('GET', '/downloads/')).toBe(1)
  })
})
