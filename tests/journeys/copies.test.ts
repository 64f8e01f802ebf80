import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { jpeg, noise, pdf, png, text } from '../fixtures/files.ts'
import { keys, startTestService, type TestService } from '../harness.ts'

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
