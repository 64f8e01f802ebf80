import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { newAttachmentId } from '../../src/attachment.ts'
import { systemClock } from '../../src/clock.ts'
import { jpegOfSize, text } from '../fixtures/files.ts'
import { keys, sha256, startTestService, type TestService, temporaryFolder } from '../harness.ts'

const anHour = 3_600_000

/** What a store of the journey shows from its own side. */
export interface JourneyStore {
  address: string
  /** Names of objects with the bytes of files. */
  sealed(): Promise<string[]>
  /** Puts an object that no record claims. */
  putOrphan(key: string): Promise<void>
}

function content({ url }: TestService, id: string, range?: string) {
  const headers = { authorization: `Bearer ${keys.read}`, ...(range && { range }) }
  return fetch(`${url}/v1/attachments/${id}/content`, { headers })
}

/** The whole service with its files in an S3 store. */
export function storageJourney(name: string, open: () => Promise<JourneyStore>): void {
  it(`with its files in ${name}, a file is taken, read, kept over a restart, erased, and what nobody claims is swept`, async () => {
    const { address, sealed, putOrphan } = await open()
    const dataDir = await temporaryFolder()
    const first = await startTestService({ dataDir, env: { STORAGE_URL: address } })
    const { conversation, confirmations } = first
    const [small, large] = [text('brief.txt', 'Guten Tag.'), await jpegOfSize(9_500_000)]
    const conversationId = conversation()
    const one = await first.push(small, { conversationId })
    const two = await first.push(large, { conversationId })
    expect([one.status, two.status]).toEqual([200, 200])
    expect(await confirmations(conversationId, 2)).toHaveLength(2)
    const [a, b] = [one.body.attachment.id, two.body.attachment.id]
    expect(await sealed()).toEqual([`clipgate/${a}.sealed`, `clipgate/${b}.sealed`].sort())
    expect(await readdir(join(dataDir, 'spool'))).toEqual([])
    expect(await readdir(dataDir)).not.toContain('objects')
    await first.service.stop()

    const clock = { ...systemClock, now: () => new Date(Date.now() + 25 * anHour) }
    const second = await startTestService({ dataDir, env: { STORAGE_URL: address }, overrides: { clock } })
    expect(await (await content(second, a)).text()).toBe('Guten Tag.')
    expect(sha256(Buffer.from(await (await content(second, b)).arrayBuffer()))).toBe(sha256(large.bytes))
    const part = await content(second, b, 'bytes=4000000-4999999')
    expect(part.status).toBe(206)
    expect(sha256(Buffer.from(await part.arrayBuffer()))).toBe(sha256(large.bytes.subarray(4_000_000, 5_000_000)))

    await putOrphan(newAttachmentId())
    await second.service.sweep()
    expect(await sealed()).toEqual([`clipgate/${a}.sealed`, `clipgate/${b}.sealed`].sort())
    const erased = await fetch(`${second.url}/v1/attachments/${a}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${keys.all}` },
    })
    expect([erased.status, await erased.json()]).toMatchObject([200, { key: 'destroyed', bytes: 'removed' }])
    expect((await content(second, a)).status).toBe(410)
    expect(await sealed()).toEqual([`clipgate/${b}.sealed`])
  })
}
