import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { gif, jpeg, jpegOfSize, pdf, png, text } from '../fixtures/files.ts'
import { keys, type Pushed, sha256, startTestService } from '../harness.ts'

describe('a file that keeps to the policy', () => {
  it('goes in through the push door, is kept, and is confirmed in its conversation', async () => {
    const { push, conversation, confirmations, get } = await startTestService()
    const conversationId = conversation()
    const photo = await jpeg('Mein Foto.jpg')
    const { status, body } = await push(photo, { conversationId, messageId: 'a'.repeat(32) })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'success',
      message: 'File processed successfully',
      attachment: {
        state: 'accepted',
        code: null,
        detail: null,
        door: 'push',
        conversationId,
        messageId: 'a'.repeat(32),
        filename: 'Mein Foto.jpg',
        type: 'image/jpeg',
        declaredType: 'image/jpeg',
        size: photo.bytes.length,
        sha256: sha256(photo.bytes),
        scan: 'off',
        verdicts: [],
        confirmation: { state: 'pending', way: null, at: null },
      },
    })
    expect(body.attachment.id).toMatch(/^att_[0-9a-hjkmnp-tv-z]{26}$/)
    const [said] = await confirmations(conversationId)
    expect(said).toContain('Mein Foto.jpg')
    expect(said).toMatch(/#[0-9A-Z]{8}/)
    const { body: later } = await get<Attachment>(`/v1/attachments/${body.attachment.id}`)
    expect(later.state).toBe('accepted')
  })

  it.each([
    ['JPEG', jpeg],
    ['PNG', png],
    ['GIF', gif],
    ['PDF', pdf],
    ['text', async () => text()],
  ])('is accepted as genuine %s and read back byte for byte', async (_, make) => {
    const { push, url } = await startTestService()
    const file = await make()
    const { status, body } = await push(file)
    expect([status, body.attachment?.type]).toEqual([200, file.type])
    const content = await fetch(`${url}/v1/attachments/${body.attachment.id}/content`, {
      headers: { authorization: `Bearer ${keys.read}` },
    })
    expect(sha256(Buffer.from(await content.arrayBuffer()))).toBe(sha256(file.bytes))
  })

  it('may have exactly the largest size', async () => {
    const { push } = await startTestService({ env: { MAX_FILE_BYTES: '200000' } })
    const { status, body } = await push(await jpegOfSize(200_000))
    expect([status, body.attachment.size]).toEqual([200, 200_000])
  })

  it('needs no conversation, and then nothing is confirmed', async () => {
    const { push, emulator } = await startTestService()
    const { status, body } = await push(await png())
    expect([status, body.attachment.conversationId, body.attachment.confirmation]).toEqual([200, null, null])
    expect(emulator.requests().filter(({ path }) => path.startsWith('/api/'))).toEqual([])
  })

  it('is typed by its name when its part declares nothing', async () => {
    const { url } = await startTestService()
    const file = await pdf()
    const body = Buffer.concat([
      Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="letter.pdf"\r\n\r\n'),
      file.bytes,
      Buffer.from('\r\n--b--\r\n'),
    ])
    const response = await fetch(`${url}/webhook/file-upload`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys.push}`, 'content-type': 'multipart/form-data; boundary=b' },
      body,
    })
    expect(response.status).toBe(200)
    expect(((await response.json()) as Pushed['body']).attachment.declaredType).toBe('application/pdf')
  })
})

describe('what lies on the disk', () => {
  it('is sealed, named by ids only, and for its owner only', async () => {
    const { push, dataDir, service } = await startTestService()
    const marker = 'a sentence that no disk may show'
    const name = '../../étrange name; rm -rf.txt'
    const { body } = await push(text(name, `${marker}\n`.repeat(5000)), { conversationId: 'c-1' })
    expect(body.attachment.filename).toBe(name)
    await service.stop()
    for (const path of await filesBelow(dataDir)) {
      expect((await stat(path)).mode & 0o077, path).toBe(0)
      expect(path).toMatch(/\/(objects\/.\/att_[0-9a-z]{26}|keys\/master\.key|clipgate\.db(-wal|-shm)?|serve\.lock)$/)
      expect((await readFile(path)).includes(marker), path).toBe(false)
    }
    for (const folder of ['', 'objects', 'keys', 'spool'])
      expect((await stat(join(dataDir, folder))).mode & 0o077).toBe(0)
  })

  it('is nothing of a refused file, whose record and confirmation remain', async () => {
    const { push, conversation, confirmations, dataDir, get } = await startTestService()
    const conversationId = conversation()
    const { status, body } = await push(
      { name: 'page.jpg', type: 'image/jpeg', bytes: Buffer.from('<html></html>') },
      { conversationId },
    )
    expect([status, body.code]).toEqual([415, 'type_mismatch'])
    expect((await filesBelow(join(dataDir, 'objects'))).concat(await filesBelow(join(dataDir, 'spool')))).toEqual([])
    const { body: record } = await get<Attachment>(`/v1/attachments/${body.attachmentId}`)
    expect(record).toMatchObject({ state: 'refused', code: 'type_mismatch', filename: 'page.jpg' })
    expect((await confirmations(conversationId))[0]).toContain('page.jpg')
  })
})

describe('confirmations', () => {
  it.each([
    ['de', 'de-AT'],
    ['en', 'en'],
    ['es', 'es-MX'],
    ['fr', 'fr'],
    ['ja', 'ja-JP'],
    ['pt', 'pt-BR'],
  ])('come in the language that the sender names (%s for %s), each in its own words', async (_, language) => {
    const { push, conversation, confirmations } = await startTestService()
    const [english, other] = [conversation(), conversation()]
    await push(await png('a.png'), { conversationId: english, language: 'en' })
    await push(await png('a.png'), { conversationId: other, language })
    const strip = (line: string | undefined) => line?.replace(/#[0-9A-Z]{8}/, '#')
    const [[first], [second]] = [await confirmations(english), await confirmations(other)]
    expect(strip(first) === strip(second)).toBe(language === 'en')
  })

  it('are in the answer too, of an accepted file and of a refused one, and the same when it comes twice', async () => {
    const { push, conversation, confirmations } = await startTestService()
    const conversationId = conversation()
    const options = { conversationId, language: 'de', idempotencyKey: 'one' }
    const file = await png('a.png')
    const answers = [await push(file, options), await push(file, options)]
    const { body: refused } = await push(text('a.txt', ''), { conversationId, language: 'fr' })
    const told = [answers[0]!.body.sentence, refused.sentence]
    expect((await confirmations(conversationId, 2)).sort()).toEqual(told.sort())
    expect(answers[1]!.body.sentence).toBe(answers[0]!.body.sentence)
    expect((await push(file, { key: 'wrong-key-0123456789' })).body.sentence).toBeUndefined()
  })

  it('that fail never fail the upload, and arrive when the platform is back', async () => {
    const { push, conversation, confirmations, emulator } = await startTestService()
    emulator.setFaults([{ route: 'POST /oauth/token', status: 503, times: 1 }])
    const conversationId = conversation()
    const { status } = await push(await png(), { conversationId })
    expect(status).toBe(200)
    expect(await confirmations(conversationId)).toHaveLength(1)
  })

  it('are off without credentials, and the record says so', async () => {
    const { push, emulator } = await startTestService({ env: { GENESYS_CLIENT_ID: '', GENESYS_CLIENT_SECRET: '' } })
    const { body } = await push(await png(), { conversationId: 'c-1' })
    expect(body.attachment.confirmation).toEqual({ state: 'off', way: null, at: null })
    expect(emulator.requests()).toEqual([])
  })
})

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}
