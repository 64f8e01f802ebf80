import { randomInt, randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startEmulator } from '../../emulator/index.ts'
import type { Attachment } from '../../src/attachment.ts'
import { keyFile as newKeyFile } from '../../src/keys/source.ts'
import { postgresRecords } from '../../src/records/postgres/postgres.ts'
import { type Fixture, jpegOfSize, text } from '../fixtures/files.ts'
import { temporaryFolder } from '../folder.ts'
import { keys, pushTo, sha256 } from '../harness.ts'
import { hasPostgres, startPostgres, statement } from '../postgres.ts'
import { hasClamd, marker, startClamd } from '../scan/clamd.ts'
import { bucketIn } from '../storage/bucket.ts'
import { hasCeph, needsCeph, startCeph } from '../storage/ceph.ts'
import { type Node, startCluster } from './cluster.ts'
import { type Fault, faults, type World } from './faults.ts'
import { brokenPromises, type Found, type Sent } from './history.ts'

/** How long things go wrong: `CHAOS_SECONDS=1800` for a long run. */
const seconds = Number(process.env.CHAOS_SECONDS ?? 180)
const senders = 5
const mostMebibytes = 700

const needed = [
  ...(hasPostgres ? [] : ['postgresql']),
  ...(hasClamd ? [] : ['clamav-daemon']),
  ...(hasCeph ? [] : [needsCeph.replace(/^.*recommends /, '')]),
]

const needs = needed.length > 0 ? `needs apt-get install --no-install-recommends ${needed.join(' ')}` : 'chaos'

describe.skipIf(needed.length > 0)(needs, () => {
  it(`three processes keep every promise while things go wrong for ${seconds} s`, {
    timeout: 2 * seconds * 1000 + 600_000,
  }, async () => {
    const world = await begin()
    const sent: Sent[] = []
    const over = new AbortController()
    // Each gets some three hundred files, however long it goes: one is looked through for what was said before.
    const conversations = Array.from(
      { length: Math.max(12, Math.ceil(seconds / 15)) },
      () => world.emulator.createConversation().id,
    )
    const sending = Array.from({ length: senders }, async () => {
      while (!over.signal.aborted) {
        const { one, file } = await newFile(conversations)
        sent.push(one)
        await insist(world.nodes, one, file)
      }
    })
    const told = await goWrong(world)
    over.abort()
    await Promise.all(sending)

    // Minutes pass: what killed processes had leased is taken up. The others have ended what they had.
    for (const node of world.nodes) await node.stop()
    await statement(world.url, 'UPDATE confirmations SET next_at = 0 WHERE lease IS NOT NULL')
    for (const node of world.nodes) await node.start()
    const found = await whatIsThere(world.nodes[0]!.url!, world.emulator, conversations)
    const answers = sent.flatMap((one) => one.answers.map(({ status }) => status))
    writeFileSync(
      process.env.CHAOS_REPORT ?? '/dev/null',
      JSON.stringify({
        seconds,
        told,
        files: sent.length,
        answers: countOf(answers),
        mebibytes: world.nodes.map(({ mebibytes }) => Math.round(mebibytes)),
      }),
    )
    expect(brokenPromises(sent, found)).toEqual([])
    expect(sent.length).toBeGreaterThan(seconds / 10)
    for (const { name, mebibytes } of world.nodes) expect([name, mebibytes < mostMebibytes]).toEqual([name, true])
    expect(await brokenChains(world.url)).toEqual([])
  })
})

async function begin(): Promise<World & { url: string }> {
  const postgres = await startPostgres()
  onTestFinished(() => postgres.close())
  await statement(postgres.url(), 'CREATE DATABASE chaos')
  const ceph = await startCeph()
  onTestFinished(() => ceph.close())
  const { bucket, client } = await bucketIn(ceph)
  client.destroy()
  const clamd = await startClamd()
  const emulator = await startEmulator()
  onTestFinished(() => emulator.close())
  const keyFile = join(await temporaryFolder(), 'master.key')
  await newKeyFile(keyFile, null).create()
  const nodes = await startCluster({
    count: 3,
    database: {
      to: { host: '127.0.0.1', port: postgres.port },
      url: (port) => `postgres://postgres@127.0.0.1:${port}/chaos`,
    },
    storage: {
      to: { host: '127.0.0.1', port: Number(new URL(ceph.endpoint).port) },
      url: (port) => `s3://${bucket}/chaos?endpoint=http://127.0.0.1:${port}&region=us-east-1&forcePathStyle=true`,
    },
    env: {
      AWS_ACCESS_KEY_ID: ceph.accessKeyId,
      AWS_SECRET_ACCESS_KEY: ceph.secretAccessKey,
      CLIPGATE_MASTER_KEY_FILE: keyFile,
      CLIPGATE_CLAMD: clamd.address,
      CLIPGATE_API_KEYS: `all:push+read+admin:${keys.all}`,
      CLIPGATE_GENESYS_CLIENT_ID: 'demo-client',
      CLIPGATE_GENESYS_CLIENT_SECRET: 'demo-secret',
      CLIPGATE_GENESYS_LOGIN_URL: emulator.url,
      CLIPGATE_GENESYS_API_URL: emulator.url,
      CLIPGATE_GENESYS_REQUESTS_PER_MINUTE: '100000',
      CLIPGATE_LOG_LEVEL: 'info',
    },
  })
  return { nodes, postgres, emulator, clamd, url: postgres.url('chaos') }
}

async function newFile(conversations: string[]): Promise<{ one: Sent; file: Fixture }> {
  const key = randomUUID()
  const dangerous = randomInt(10) === 0
  const file = dangerous
    ? text(`${key}.txt`, `Dear Sir, ${marker} ${key}`)
    : randomInt(3) === 0
      ? { ...(await jpegOfSize(randomInt(5000, 400_000))), name: `${key}.jpg` }
      : text(`${key}.txt`, `Dear Sir, ${key}`)
  const conversationId = conversations[randomInt(conversations.length)]!
  const one = { key, filename: file.name, sha256: sha256(file.bytes), conversationId, dangerous, answers: [] }
  return { one, file }
}

/** As a careful sender: to any process, again under the same key until there is an answer that stands. */
async function insist(nodes: Node[], one: Sent, file: Fixture): Promise<void> {
  for (;;) {
    const { url } = nodes[randomInt(nodes.length)]!
    const push = { conversationId: one.conversationId, idempotencyKey: one.key }
    const answer = url ? await pushTo(url, file, push).catch(() => null) : null
    if (answer) {
      one.answers.push({ status: answer.status, id: answer.body.attachment?.id ?? answer.body.attachmentId ?? null })
      if (answer.status === 200 || answer.status === 422) return
    }
    await sleep(randomInt(50, 400))
  }
}

/** Faults of the platform last long, and go on beside the others. Tells how often each was. */
async function goWrong(world: World): Promise<Record<string, number>> {
  const told: string[] = []
  const [long, others] = [true, false].map((is) => faults.filter(({ long = false }) => long === is))
  await Promise.all([oneAfterTheOther(world, long!, told), oneAfterTheOther(world, others!, told)])
  return countOf(told)
}

/** Each kind as often as every other, in no order. */
async function oneAfterTheOther(world: World, kinds: Fault[], told: string[]): Promise<void> {
  const until = Date.now() + seconds * 1000
  const pick = <T>(from: T[]) => from[randomInt(from.length)]!
  while (Date.now() < until)
    for (const fault of [...kinds].sort(() => Math.random() - 0.5)) {
      if (Date.now() >= until) break
      const mend = await fault.begin(world, pick)
      told.push(fault.name)
      const [least, most] = fault.lasts
      await sleep(Math.min(randomInt(least, most + 1), Math.max(0, until - Date.now())))
      await mend()
      await sleep(randomInt(1500))
    }
}

function countOf(things: (string | number)[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const thing of things) counts[thing] = (counts[thing] ?? 0) + 1
  return counts
}

/** What is not as it was written in the chains of the audit trail. */
async function brokenChains(url: string): Promise<unknown[]> {
  const records = postgresRecords(url)
  try {
    const found: unknown[] = []
    for (const { node, seq } of await records.auditHeads()) {
      const { whole, broken } = await records.verifyAudit({ node, after: null, limit: 1_000_000 })
      if (broken || whole !== seq) found.push(broken ?? { node, whole, seq })
    }
    return found
  } finally {
    await records.close()
  }
}

const authorization = `Bearer ${keys.all}`
async function ask<T>(url: string): Promise<T> {
  return (await (await fetch(url, { headers: { authorization } })).json()) as T
}

async function whatIsThere(url: string, emulator: World['emulator'], conversations: string[]): Promise<Found> {
  // The test's own time limit is the watchdog.
  for (;;) {
    const { checks } = await ask<{ checks: { outbox: { note?: string } } }>(`${url}/health/ready`)
    if (!checks.outbox.note || checks.outbox.note.startsWith('0 pending')) break
    await sleep(200)
  }
  const attachments: Attachment[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { items: Attachment[]; next: string | null } = await ask(
      `${url}/v1/attachments?limit=200${cursor && `&cursor=${cursor}`}`,
    )
    attachments.push(...page.items)
    cursor = page.next
  }
  const served = new Map<string, string | null>()
  const left = [...attachments]
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let one = left.pop(); one; one = left.pop()) {
        const content = await fetch(`${url}/v1/attachments/${one.id}/content`, { headers: { authorization } })
        const bytes = Buffer.from(await content.arrayBuffer())
        served.set(one.id, content.ok ? sha256(bytes) : null)
      }
    }),
  )
  const { checks } = await ask<{ checks: { outbox: { note?: string } } }>(`${url}/health/ready`)
  const [, pending = '0', parked = '0'] = /(\d+) pending, (\d+) parked/.exec(checks.outbox.note ?? '') ?? []
  const said = new Map(
    conversations.map((id) => [
      id,
      emulator
        .conversation(id)
        .messages.filter(({ direction }) => direction === 'outbound')
        .map(({ text }) => text),
    ]),
  )
  return { attachments, served, said, pending: Number(pending), parked: Number(parked) }
}
