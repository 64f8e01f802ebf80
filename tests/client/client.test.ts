import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { refusalCodes } from '../../src/errors.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import type { RefusalCode } from '../../web/client/outcome.ts'
import { chromePath, needsBrowser } from '../browser.ts'
import { finding, gatedEngine, marker } from '../fixtures/engines.ts'
import { jpegOfSize, pdf, png, text } from '../fixtures/files.ts'
import { temporaryFolder } from '../harness.ts'
import { onceAfter, startClient } from './start.ts'

if (!chromePath && process.env.TEST_REQUIRE === 'all') throw new Error(`no browser ${needsBrowser}`)

const large = () => jpegOfSize(3 * 1024 * 1024)

/** The client's list of codes is the service's: each can stand for the other. */
const codes: readonly RefusalCode[] = refusalCodes
const sameCodes: readonly (typeof refusalCodes)[number][] = codes

describe.skipIf(!chromePath)(`clipgate/client ${needsBrowser}`, () => {
  describe('what became of a file', () => {
    it('is told: accepted, in the language of the ticket, with the bytes as they were', async () => {
      const { attach, progress, attachments, conversationId, service } = await startClient({
        ticket: { language: 'de' },
      })
      const file = await large()
      const { outcome } = await attach(file)
      expect(outcome).toMatchObject({
        kind: 'accepted',
        repeated: false,
        attachment: { filename: 'large.jpg', conversationId },
      })
      expect(outcome).toHaveProperty('sentence', (await service.confirmations(conversationId))[0])
      expect(outcome).toHaveProperty('sentence', expect.stringContaining('Wir haben Ihre Datei „large.jpg“ erhalten'))
      expect((await attachments()).map(({ size, filename }) => [size, filename])).toEqual([
        [file.bytes.length, 'large.jpg'],
      ])
      const steps = await progress()
      const sent = steps.map(({ sentBytes }) => sentBytes)
      expect(sent).toEqual([...sent].sort((a, b) => a - b))
      const { length: totalBytes } = file.bytes
      expect(steps[0]).toEqual({ state: 'sending', sentBytes: 0, totalBytes, attempt: 1, waitSeconds: null })
      expect(steps.at(-1)).toMatchObject({ state: 'judging', sentBytes: totalBytes })
    })

    it('is told while it is on its way: how much of it has left', async () => {
      let release = () => {}
      const client = await startClient({
        env: { MAX_FILE_BYTES: String(32 * 1024 * 1024) },
        // What has come so far stays where it is, until the test has seen it.
        fromClient: onceAfter(500_000, ({ client }) => {
          client.pause()
          release = () => void client.resume()
        }),
      })
      const size = 24 * 1024 * 1024
      await client.begin(`new File(['x'.repeat(${size})], 'long.txt', { type: 'text/plain' })`)
      const partly = await client.reached(({ state, sentBytes }) => state === 'sending' && sentBytes > 0)
      expect(partly.sentBytes).toBeLessThan(size)
      release()
      expect((await client.result()).outcome).toMatchObject({ kind: 'accepted', attachment: { size } })
    })

    it('is told: refused, with its code, a sentence in the language asked for, and the id of its record', async () => {
      const { attach, attachments } = await startClient({ overrides: { scanners: [finding] } })
      const { outcome } = await attach(text('Brief.txt', `Hallo, ${marker}`), { language: 'fr' })
      expect(outcome).toEqual({
        kind: 'refused',
        code: 'malware',
        sentence: expect.stringContaining('Nous n’avons pas pu accepter votre fichier'),
        detail: 'An engine found malware in the file.',
        attachmentId: (await attachments())[0]!.id,
      })
      expect(sameCodes).toEqual(refusalCodes)
    })

    it('is told: kept for a person, and not why', async () => {
      const policy = join(await temporaryFolder(), 'policy.json')
      await writeFile(policy, JSON.stringify({ quarantine: { codes: ['malware'] } }))
      const { attach } = await startClient({ env: { POLICY_FILE: policy }, overrides: { scanners: [finding] } })
      const { outcome } = await attach(text('letter.txt', marker))
      expect(outcome).toMatchObject({ kind: 'quarantined', attachment: { state: 'quarantined' } })
      expect(outcome).toHaveProperty('sentence', expect.stringContaining('It still has to be examined'))
    })

    it.each([
      ['a quote, a line break and another script', 'Übung "1"\n申請.pdf'],
      ['what would be markup', '<img src=x onerror=alert(1)>.pdf'],
      ['a percent escape', '100%0A.pdf'],
    ])('is told under its own name: %s', async (_what, name) => {
      const { attach, attachments } = await startClient()
      expect((await attach(await pdf(name))).outcome).toMatchObject({ kind: 'accepted' })
      // Browsers write quotes and line breaks as escapes, which nobody can tell from a name that had them.
      const written = name.replace('"1"', '%221%22').replace('\n', '%0A')
      expect((await attachments())[0]!.filename).toBe(written)
    })

    it('of a type that the browser does not know is what its name says', async () => {
      const { attach, attachments } = await startClient()
      const { outcome } = await attach({ ...text('server.log'), type: '' })
      expect(outcome).toMatchObject({ kind: 'accepted', attachment: { type: 'text/plain' } })
      expect((await attachments())[0]!.declaredType).toBe('text/plain')
    })
  })

  describe('a look at the policy first', () => {
    it.each([
      ['too large', 'too_large', { ...text('a.txt'), bytes: Buffer.alloc(2048, 'x') }, 'ist größer als 1 kB'],
      ['of another type', 'type_not_allowed', text('page.html', '<html>'), 'Möglich sind: JPG, PNG'],
      ['empty', 'empty', text('a.txt', ''), 'ist leer'],
    ] as const)('refuses a file that is %s before a byte of it is sent', async (_what, code, file, said) => {
      const { attach, asked, attachments } = await startClient({ env: { MAX_FILE_BYTES: '1024' } })
      const { outcome } = await attach(file, { checkFirst: true, language: 'de-AT' })
      expect(outcome).toMatchObject({ kind: 'refused', code, attachmentId: null })
      expect(outcome).toHaveProperty('sentence', expect.stringContaining(said))
      expect(asked).toEqual(['GET /v1/policy'])
      expect(await attachments()).toEqual([])
    })

    it('lets everything pass that the service could take, and may be had once for many files', async () => {
      const { attach, page, url, asked } = await startClient({ ticket: { maxFiles: 2 } })
      const policy = await page.evaluate<object>(`clipgate.fetchPolicy(${JSON.stringify(url)})`)
      expect((await attach(await png(), { checkFirst: policy })).outcome).toMatchObject({ kind: 'accepted' })
      expect((await attach(text('notes.LOG'), { checkFirst: policy })).outcome).toMatchObject({ kind: 'accepted' })
      expect(asked.filter((one) => one === 'GET /v1/policy')).toHaveLength(1)
    })

    it('is no reason not to send when it cannot be had', async () => {
      const { attach, context } = await startClient()
      await context.route('**/v1/policy', (route) => route.abort())
      expect((await attach(await png(), { checkFirst: true })).outcome).toMatchObject({ kind: 'accepted' })
    })
  })

  describe('a broken connection', () => {
    it('in the middle of a file: it is sent again whole, and is one file', async () => {
      let breaks = true
      const client = await startClient({
        // Each time: Chromium sends again by itself, once, what broke on a connection that had carried an answer before.
        fromClient: (_chunk, { client: connection }) => {
          if (breaks && connection.bytesRead > 500_000) connection.destroy()
          return breaks && connection.destroyed
        },
      })
      const file = await large()
      await client.begin(file)
      await client.reached(({ state }) => state === 'waiting')
      breaks = false
      expect((await client.hurried()).outcome).toMatchObject({ kind: 'accepted', repeated: false })
      expect((await client.attachments()).map(({ size }) => size)).toEqual([file.bytes.length])
      const last = (await client.progress()).at(-1)!
      expect(last).toMatchObject({ state: 'judging', sentBytes: file.bytes.length })
      expect(last.attempt).toBeGreaterThan(1)
    })

    it('before the answer: the ticket is spent, another one is asked for, and the answer is the first', async () => {
      const client = await startClient({ fromServer: loseFirstAnswer() })
      await client.begin(await png())
      expect((await client.hurried()).outcome).toMatchObject({ kind: 'accepted', repeated: true })
      expect(await client.page.evaluate('ticketsAsked')).toBe(2)
      expect(await client.attachments()).toHaveLength(1)
    })

    it('before the answer, with one ticket only: nobody can say what became of it, and the page can go on', async () => {
      const client = await startClient({ fromServer: loseFirstAnswer() })
      const file = await png()
      await client.begin(file, { ticket: await client.issue() })
      const { error } = await client.hurried()
      expect(error).toMatchObject({ type: 'AttachError', reason: 'not_allowed', status: 401, mayHaveArrived: true })
      const again = await client.attach(file, { idempotencyKey: error!.idempotencyKey })
      expect(again.outcome).toMatchObject({ kind: 'accepted', repeated: true })
      expect(await client.attachments()).toHaveLength(1)
    })

    it('that never says so: what is silent for a minute is given up and sent again', async () => {
      let swallowed: unknown = null
      const client = await startClient({
        fromClient: (chunk, { client }) => {
          if (chunk.includes('POST /webhook')) swallowed ??= client
          return swallowed === client
        },
      })
      await client.begin(await png())
      await client.reached(({ state }) => state === 'judging')
      await client.page.clock.fastForward(121_000)
      await client.reached(({ state }) => state === 'waiting')
      await client.page.clock.fastForward(2000)
      expect((await client.result()).outcome).toMatchObject({ kind: 'accepted' })
    })

    it('each time: after so many tries it is given up', async () => {
      const client = await startClient()
      client.proxy.refuse(true)
      await client.begin(await png(), { tries: 3 })
      for (const attempt of [1, 2]) {
        await client.reached((step) => step.state === 'waiting' && step.attempt === attempt)
        await client.page.clock.fastForward(3000)
      }
      expect((await client.result()).error).toMatchObject({
        type: 'AttachError',
        reason: 'unreachable',
        mayHaveArrived: true,
      })
    })

    it('each time: when the time is over it is given up, however many tries are left', async () => {
      const client = await startClient()
      client.proxy.refuse(true)
      await client.begin(await png(), { tries: 100, maxSeconds: 1 })
      await client.page.clock.fastForward(1000)
      expect((await client.result()).error).toMatchObject({ reason: 'unreachable' })
    })

    it('since the device has no network: it waits for the network', async () => {
      const client = await startClient()
      const ticket = await client.issue()
      await client.context.setOffline(true)
      await client.begin(await png(), { ticket })
      const { waitSeconds } = await client.reached(({ state }) => state === 'waiting')
      expect(waitSeconds).toBeGreaterThan(250)
      await client.context.setOffline(false)
      expect((await client.result()).outcome).toMatchObject({ kind: 'accepted' })
    })
  })

  describe('a service that is busy', () => {
    it('is asked again as late as it says, under the same ticket', async () => {
      const storage = memoryStorage(() => new Date())
      const client = await startClient({ overrides: { storage } })
      storage.failNext('adopt')
      await client.begin(await png())
      const { waitSeconds } = await client.reached(({ state }) => state === 'waiting')
      expect(waitSeconds).toBeGreaterThanOrEqual(5)
      await client.page.clock.fastForward(4500)
      expect((await client.progress()).at(-1)).toMatchObject({ state: 'waiting', attempt: 1 })
      await client.page.clock.fastForward(2000)
      expect((await client.result()).outcome).toMatchObject({ kind: 'accepted' })
      expect(await client.page.evaluate('ticketsAsked')).toBe(1)
    })

    it('with the same file still being judged is asked again', async () => {
      const { scanner, asked, judge } = gatedEngine()
      const client = await startClient({ overrides: { scanners: [scanner] }, ticket: { maxFiles: 2 } })
      const file = await png()
      const ticket = await client.issue()
      await client.begin(file, { ticket, idempotencyKey: 'one-key' })
      await client.reached(({ state }) => state === 'judging')
      await untilTrue(asked)
      await client.page.evaluate('void (firstResult = result)')
      await client.begin(file, { ticket, idempotencyKey: 'one-key' })
      await client.reached(({ state }) => state === 'waiting')
      judge()
      expect(await client.page.evaluate('firstResult')).toMatchObject({
        outcome: { kind: 'accepted', repeated: false },
      })
      await client.page.clock.fastForward(3000)
      expect((await client.result()).outcome).toMatchObject({ kind: 'accepted', repeated: true })
    })

    it('that asks for more time than there is, is not waited for: the page is told when', async () => {
      const client = await startClient({ env: { QUOTA_FILES_PER_CONVERSATION_DAY: '1' } })
      expect((await client.attach(await png())).outcome).toMatchObject({ kind: 'accepted' })
      const { error } = await client.attach(await png('b.png'), { maxSeconds: 0.5 })
      expect(error).toMatchObject({ reason: 'busy', status: 429, code: 'quota_exceeded', mayHaveArrived: false })
      expect(error!.retryAfterSeconds).toBeGreaterThan(0)
    })
  })

  describe('what is no answer on the file', () => {
    it('a cancel while it is on its way: nothing stays of it', async () => {
      const client = await startClient({
        fromClient: onceAfter(500_000, () => void client.page.evaluate('canceller.abort()')),
      })
      const { error } = await client.attach(await large())
      expect(error).toMatchObject({ type: 'AbortError' })
      expect(await client.attachments()).toEqual([])
      expect((await client.attach(await png())).error).toMatchObject({ type: 'AbortError' })
      expect(client.asked.filter((one) => one.startsWith('POST'))).toHaveLength(1)
    })

    it('a cancel while it waits, with the reason that was given', async () => {
      const client = await startClient()
      client.proxy.refuse(true)
      await client.begin(await png())
      await client.reached(({ state }) => state === 'waiting')
      await client.page.evaluate('canceller.abort(new Error("the chat was closed"))')
      expect((await client.result()).error).toMatchObject({ type: 'Error', message: 'the chat was closed' })
    })

    it('a ticket that is spent, also when the file is long', async () => {
      const client = await startClient()
      const ticket = await client.issue()
      await client.attach(await png(), { ticket })
      const { error } = await client.attach(await large(), { ticket })
      expect(error).toMatchObject({ reason: 'not_allowed', status: 401, code: 'unauthorized' })
    })

    it('a file that was changed since it was chosen', async () => {
      const client = await startClient()
      const path = join(await temporaryFolder(), 'photo.png')
      await writeFile(path, (await png()).bytes)
      await client.page.setContent('<input type="file">')
      await client.page.setInputFiles('input', path)
      await client.page.evaluate('chosen = document.querySelector("input").files[0]')
      await writeFile(path, (await large()).bytes)
      expect((await client.attach('chosen')).error).toMatchObject({ reason: 'unreadable' })
    })

    it('a page that is not allowed to ask: nothing is told of why, by any browser', async () => {
      const client = await startClient({ env: { CORS_ORIGINS: 'https://other.example' } })
      const { error } = await client.attach(await png(), { tries: 1 })
      expect(error).toMatchObject({ reason: 'unreachable', status: null })
    })
  })
})

/** Cuts the connection where the first answer to a push would pass, once. */
function loseFirstAnswer() {
  let lost = false
  return (chunk: Buffer, { client }: { client: { destroy(): void } }) => {
    if (lost || !chunk.includes('"status":"success"')) return false
    lost = true
    client.destroy()
    return true
  }
}

async function untilTrue(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}
