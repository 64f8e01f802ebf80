import { createHash } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { gif, jpeg, pdf, png, text } from '../fixtures/files.ts'
import { keys, startTestService, type TestService, temporaryFolder } from '../harness.ts'

const tail = Buffer.from('PK\x03\x04 what no viewer of pictures shows', 'latin1')
const followed = ({ name, type, bytes }: Awaited<ReturnType<typeof jpeg>>) => ({
  name,
  type,
  bytes: Buffer.concat([bytes, tail]),
})

/** A picture of 30,000 × 30,000 pixels, for all that its header says. */
async function vast() {
  const { name, type, bytes } = await png()
  const grown = Buffer.from(bytes)
  grown.writeUInt32BE(30_000, 16)
  grown.writeUInt32BE(30_000, 20)
  return { name, type, bytes: grown }
}

const halved = ({ name, type, bytes }: Awaited<ReturnType<typeof jpeg>>) => ({
  name,
  type,
  bytes: bytes.subarray(0, Math.floor(bytes.length / 2)),
})

describe('a file that is not what a viewer would show', () => {
  it.each([
    ['a JPEG that is cut', async () => halved(await jpeg()), 'corrupt', 'to be damaged'],
    ['a PNG that is cut', async () => halved(await png()), 'corrupt', 'to be damaged'],
    ['a GIF that is cut', async () => halved(await gif()), 'corrupt', 'to be damaged'],
    ['a picture with something behind it', async () => followed(await jpeg()), 'polyglot', 'photo.jpg'],
    ['a picture too large to be unfolded', vast, 'bomb', 'screen.png'],
  ])('%s is refused; the customer reads why, and the admin exactly why', async (_, make, code, said) => {
    const service = await startTestService()
    const file = await make()
    const conversationId = service.conversation()
    const { status, body } = await service.push(file, { conversationId })
    expect([status, body.code]).toEqual([422, code])
    const [record] = (await service.get<{ items: Attachment[] }>('/v1/attachments')).body.items
    expect(record).toMatchObject({ state: 'refused', code, detail: expect.any(String) })
    expect((await service.confirmations(conversationId))[0]).toContain(file.name)
    expect((await service.confirmations(conversationId))[0]).toContain(said)
    expect(await readdir(join(service.dataDir, 'spool'))).toEqual([])
  })
})

describe('what follows the end of a file', () => {
  const cutting = async (): Promise<TestService> => {
    const path = join(await temporaryFolder(), 'policy.json')
    await writeFile(path, JSON.stringify({ trailingData: 'cut' }))
    return startTestService({ env: { POLICY_FILE: path } })
  }

  it('is cut off when the policy says so: what is kept is the file alone', async () => {
    const service = await cutting()
    const file = await jpeg()
    const { status, body } = await service.push(followed(file), { messageId: 'm-1', conversationId: 'c-1' })
    expect(status).toBe(200)
    const sha256 = createHash('sha256').update(file.bytes).digest('hex')
    expect(body.attachment).toMatchObject({ size: file.bytes.length, sha256 })
    const content = await fetch(`${service.url}/v1/attachments/${body.attachment.id}/content`, {
      headers: { authorization: `Bearer ${keys.all}` },
    })
    expect(Buffer.from(await content.arrayBuffer())).toEqual(file.bytes)
    expect(await readdir(join(service.dataDir, 'spool'))).toEqual([])
  })

  it('is a part of what makes a delivery the same as another', async () => {
    const service = await cutting()
    const file = await jpeg()
    const options = { conversationId: 'c-1', idempotencyKey: 'k-1' }
    const first = await service.push(followed(file), options)
    const again = await service.push(followed(file), options)
    expect(again.body).toEqual(first.body)
    expect((await service.push(file, options)).body.code).toBe('conflict')
  })

  it('may be zeros and line ends, which are kept', async () => {
    const service = await startTestService()
    const { name, type, bytes } = await png()
    const padded = Buffer.concat([bytes, Buffer.from('\r\n'), Buffer.alloc(512)])
    const { status, body } = await service.push({ name, type, bytes: padded })
    expect([status, body.attachment?.size]).toEqual([200, padded.length])
  })
})

it('many files at once are each read by themselves', async () => {
  const service = await startTestService()
  const makers = [jpeg, png, gif, pdf, text]
  const files = await Promise.all(Array.from({ length: 40 }, (_, i) => makers[i % makers.length]!()))
  const answers = await Promise.all(
    files.map((file, i) => service.push(i % 4 === 3 && file.type !== 'text/plain' ? halved(file) : file)),
  )
  for (const [i, { status }] of answers.entries())
    expect(status).toBe(i % 4 === 3 && files[i]!.type !== 'text/plain' ? 422 : 200)
})
