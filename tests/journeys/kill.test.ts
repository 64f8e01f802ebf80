import { randomInt } from 'node:crypto'
import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { startEmulator } from '../../emulator/index.ts'
import { type Attachment, reference } from '../../src/attachment.ts'
import { systemClock } from '../../src/clock.ts'
import { readConfig } from '../../src/config.ts'
import { dataPaths, openRecords } from '../../src/installation.ts'
import { createService } from '../../src/service.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { type Fixture, jpegOfSize, text } from '../fixtures/files.ts'
import { keys, pushTo, sha256, temporaryFolder, testEnvironment } from '../harness.ts'
import { leasesRunOut } from '../sharedPostgres.ts'
import { run, servingAt } from './process.ts'

/** How often the service is killed: `KILL_ROUNDS=1000` for a long run. */
const rounds = Number(process.env.KILL_ROUNDS ?? 50)
const senders = 6

interface Acknowledged {
  id: Attachment['id']
  sha256: string
}

it(`killed at any moment, ${rounds} times, it keeps what it acknowledged, confirms it once, and leaves nothing else`, {
  timeout: 60_000 + rounds * 10_000,
}, async () => {
  const dataDir = await temporaryFolder()
  const emulator = await startEmulator({ port: 0 })
  onTestFinished(() => emulator.close())
  const env = { ...testEnvironment(dataDir, emulator.url), CLIPGATE_LOG_LEVEL: 'info' }
  const conversations = Array.from({ length: senders }, () => emulator.createConversation().id)
  const acknowledged: Acknowledged[] = []
  const again: { file: Fixture; conversationId: string; idempotencyKey: string }[] = []
  let sent = 0

  for (let round = 0; round < rounds; round++) {
    const program = run(['serve'], env)
    const [, url] = await program.until(servingAt)
    let alive = true
    let answers = 0
    const sending = conversations.map(async (conversationId) => {
      while (alive) {
        // What got no answer is sent again under its key, as a careful sender would.
        const push = again.shift() ?? {
          file: randomInt(3) === 0 ? await jpegOfSize(randomInt(2000, 400_000)) : text(`note-${sent}.txt`),
          conversationId,
          idempotencyKey: `delivery-${sent++}`,
        }
        const answer = await pushTo(url!, push.file, push).catch(() => null)
        answers++
        if (answer?.status === 200)
          acknowledged.push({ id: answer.body.attachment.id, sha256: sha256(push.file.bytes) })
        else again.push(push)
      }
    })
    // At any moment, counted in answers: on a slow machine as much happens before it as on a fast one.
    const enough = randomInt(12)
    while (answers < enough) await sleep(1)
    await sleep(randomInt(40))
    program.child.kill('SIGKILL')
    alive = false
    await program.ended
    await Promise.all(sending)
  }

  await leasesRunOut(dataDir)
  // The last one stays up until everything owed is delivered.
  const program = run(['serve'], env)
  const [, url] = await program.until(servingAt)
  for (const push of again) {
    const answer = await pushTo(url!, push.file, push)
    expect([answer.status, answer.body.detail, push.file.name]).toEqual([200, undefined, push.file.name])
    acknowledged.push({ id: answer.body.attachment.id, sha256: sha256(push.file.bytes) })
  }
  expect(acknowledged.length).toBeGreaterThan(rounds)
  const headers = { authorization: `Bearer ${keys.all}` }
  for (const { id, sha256: expected } of acknowledged) {
    const content = await fetch(`${url}/v1/attachments/${id}/content`, { headers })
    expect([id, content.status, sha256(Buffer.from(await content.arrayBuffer()))]).toEqual([id, 200, expected])
  }
  const everything = await listed(url!, headers)
  for (;;) {
    const ready = (await (await fetch(`${url}/health/ready`)).json()) as { checks: { outbox: { note?: string } } }
    if (ready.checks.outbox.note === undefined) break
    await sleep(50)
  }
  const said = conversations.flatMap((id) => emulator.conversation(id).messages.map((message) => message.text))
  const twice = new Set<string>()
  for (const { id, confirmation } of await listed(url!, headers)) {
    const times = said.filter((line) => line.includes(reference(id))).length
    expect([id, confirmation?.state, times >= 1]).toEqual([id, 'delivered', true])
    if (times > 1) twice.add(id)
    // Only the record that says so may have been said twice.
    if (!confirmation?.possiblyRepeated) expect([id, times]).toEqual([id, 1])
  }
  expect(twice.size).toBe(0)
  // One delivery is one attachment, however often it was cut off and sent again.
  expect(everything.length).toBe(sent)
  expect(new Set(everything.map(({ filename }) => filename).filter((name) => name !== 'large.jpg')).size).toBe(
    everything.filter(({ filename }) => filename !== 'large.jpg').length,
  )
  program.child.kill('SIGTERM')
  expect(await program.ended).toBe(0)

  await expectNoOrphansAfterADay(dataDir, env)
})

async function listed(url: string, headers: Record<string, string>): Promise<Attachment[]> {
  const items: Attachment[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const answer = await fetch(`${url}/v1/attachments?limit=200${cursor && `&cursor=${cursor}`}`, { headers })
    const page = (await answer.json()) as { items: Attachment[]; next: string | null }
    items.push(...page.items)
    cursor = page.next
  }
  return items
}

async function expectNoOrphansAfterADay(dataDir: string, env: Record<string, string>): Promise<void> {
  const { objects, spool } = dataPaths(dataDir)
  const twoDaysAgo = new Date(Date.now() - 2 * 24 * 60 * 60 * 1000)
  const files = async () =>
    (await readdir(objects, { withFileTypes: true, recursive: true })).filter((entry) => entry.isFile())
  for (const file of await files()) await utimes(join(file.parentPath ?? file.path, file.name), twoDaysAgo, twoDaysAgo)
  const { config, secrets } = readConfig(env)
  const service = await createService(config, secrets, { log: createLog('silent') })
  await service.sweep()
  await service.stop()
  const records = await openRecords({ config, secrets }, systemClock)
  const names = (await files()).map(({ name }) => name)
  const claimed = await records.storedAmong(names)
  // The audit trail has no gap where a process died.
  const [head] = await records.auditHeads()
  const verified = await records.verifyAudit({ node: head!.node, after: null, limit: 1_000_000 })
  expect(verified).toEqual({ whole: head!.seq, last: head, broken: null })
  await records.close()
  expect(names.sort()).toEqual(claimed.sort())
  expect(await readdir(spool)).toEqual([])
}
