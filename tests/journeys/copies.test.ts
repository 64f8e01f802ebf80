import { createHash } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { jpeg, noise, pdf, png, text } from '../fixtures/files.ts'
import { keys, startTestService, type TestService, temporaryFolder } from '../harness.ts'

async function get({ url }: TestService, path: string, key = keys.read) {
  const response = await fetch(url + path, { headers: { authorization: `Bearer ${key}` } })
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
}

const codeOf = (bytes: Buffer) => (JSON.parse(bytes.toString()) as { code: string }).code

async function accepted(service: TestService, file: Awaited<ReturnType<typeof jpeg>>): Promise<string> {
  const { status, body } = await service.push(file)
  expect(status).toBe(200)
  return `/v1/attachments/${body.attachment.id}`
}

describe('a preview', () => {
  it('is one page of a file as a picture that no browser takes for more', async () => {
    const service = await startTestService()
    const path = await accepted(service, await pdf())
    const { status, headers, bytes } = await get(service, `${path}/preview?page=1&pixels=200`)
    expect([status, headers.get('content-type'), headers.get('x-pages')]).toEqual([200, 'image/webp', '1'])
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('cache-control')).toBe('no-store')
    const { width = 0, height = 0, format } = await sharp(bytes).metadata()
    expect([format, Math.max(width, height)]).toEqual(['webp', 200])
  })

  it('of a text is its beginning', async () => {
    const service = await startTestService()
    const path = await accepted(service, text('notes.txt', 'Grüße\n'))
    const { headers, bytes } = await get(service, `${path}/preview`)
    expect([headers.get('content-type'), bytes.toString()]).toEqual(['text/plain; charset=utf-8', 'Grüße\n'])
  })

  it('of what is not there, is refused or erased is none', async () => {
    const service = await startTestService()
    const path = await accepted(service, await png())
    const third = await get(service, `${path}/preview?page=3`)
    expect([third.status, codeOf(third.bytes)]).toEqual([409, 'no_copy'])
    expect((await get(service, `${path}/preview?pixels=9999`)).status).toBe(400)
    const { body } = await service.push({ ...(await jpeg()), bytes: Buffer.from('no picture') })
    expect((await get(service, `/v1/attachments/${body.attachmentId}/preview`)).status).toBe(409)
    await fetch(service.url + path, { method: 'DELETE', headers: { authorization: `Bearer ${keys.all}` } })
    for (const kind of ['preview', 'safe-copy']) expect((await get(service, `${path}/${kind}`)).status).toBe(410)
  })

  it('is for readers only', async () => {
    const service = await startTestService()
    const path = await accepted(service, await png())
    for (const kind of ['preview', 'safe-copy'])
      expect((await get(service, `${path}/${kind}`, keys.push)).status).toBe(403)
  })
})

describe('a safe copy', () => {
  it('has no metadata, and the original keeps its own', async () => {
    const service = await startTestService()
    const bytes = await noise(64)
      .withExif({ IFD0: { Make: 'Phone' }, IFD3: { GPSLatitude: '52/1 30/1 0/1' } })
      .jpeg()
      .toBuffer()
    const path = await accepted(service, { name: 'Foto 1.jpg', type: 'image/jpeg', bytes })
    const copy = await get(service, `${path}/safe-copy`)
    expect(copy.headers.get('content-disposition')).toContain('attachment; filename="Foto 1.jpg"')
    expect((await sharp(copy.bytes).metadata()).exif).toBeUndefined()
    expect((await get(service, `${path}/content`)).bytes).toEqual(bytes)
  })
})

describe('a policy that keeps safe copies only', () => {
  const keeping = async (): Promise<TestService> => {
    const path = join(await temporaryFolder(), 'policy.json')
    await writeFile(path, JSON.stringify({ keep: 'safe_copy', allowedTypes: ['image/jpeg', 'application/zip'] }))
    return startTestService({ env: { POLICY_FILE: path } })
  }

  it('keeps a picture without its metadata: what it told is nowhere', async () => {
    const service = await keeping()
    const bytes = await noise(64)
      .withExif({ IFD0: { Make: 'Phone of Anna' } })
      .jpeg()
      .toBuffer()
    const { body } = await service.push(
      { name: 'photo.jpg', type: 'image/jpeg', bytes },
      { conversationId: 'c', messageId: 'm' },
    )
    const path = `/v1/attachments/${body.attachment.id}`
    const kept = await get(service, `${path}/content`)
    expect(body.attachment).toMatchObject({ size: kept.bytes.length, sha256: sha256(kept.bytes), type: 'image/jpeg' })
    expect(kept.bytes.includes('Phone of Anna')).toBe(false)
    expect((await sharp(kept.bytes).metadata()).exif).toBeUndefined()
    // The same delivery is still the same, though what is kept of it is another file.
    const again = await service.push(
      { name: 'photo.jpg', type: 'image/jpeg', bytes },
      { conversationId: 'c', messageId: 'm' },
    )
    expect(again.body.attachment.id).toBe(body.attachment.id)
    expect(await readdir(join(service.dataDir, 'spool'))).toEqual([])
  })

  it('refuses what it cannot copy', async () => {
    const service = await keeping()
    const zip = Buffer.from(`504b0506${'00'.repeat(18)}`, 'hex')
    const { status, body } = await service.push({ name: 'files.zip', type: 'application/zip', bytes: zip })
    expect([status, body.code]).toEqual([422, 'unscannable'])
    expect(await readdir(join(service.dataDir, 'spool'))).toEqual([])
  })
})

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
