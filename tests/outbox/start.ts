import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Attachment, AttachmentId, Way } from '../../src/attachment.ts'
import { newAttachmentId } from '../../src/attachment.ts'
import { type Courier, createCourier } from '../../src/outbox/courier.ts'
import type { Sender } from '../../src/outbox/messageWay.ts'
import { loadTexts } from '../../src/outbox/texts.ts'
import type { ConfirmationWay } from '../../src/outbox/way.ts'
import { wayNamed } from '../../src/outbox/ways.ts'
import type { Records } from '../../src/records/records.ts'
import { migrate } from '../../src/records/sqlite/migrate.ts'
import { createDatabaseFile, sqliteRecords } from '../../src/records/sqlite/sqlite.ts'
import { until } from '../genesys/clock.ts'
import { start as startGenesys } from '../genesys/start.ts'

interface Options {
  ways?: Way[]
  /** In place of the real ways. */
  way?: ConfirmationWay
  /** What the courier sees of the records. */
  records?: (records: Records) => Records
  requestsPerMinute?: number
  /** A service user's token. */
  user?: (started: Awaited<ReturnType<typeof startGenesys>>) => Sender
}

/** A courier between real records and an emulator, by a clock that only the test moves. It is not started. */
export async function start(options: Options = {}) {
  const genesys = await startGenesys({ requestsPerMinute: options.requestsPerMinute ?? 10_000 })
  const { clock, client, emulator, events } = genesys
  const records = await openRecords(clock.now())
  const seen = options.records?.(records) ?? records
  const texts = loadTexts({ language: 'en' })
  const ways = options.way
    ? [options.way]
    : (options.ways ?? ['message', 'attributes']).map((name) =>
        wayNamed(name, { genesys: client, user: options.user?.(genesys) ?? null, records: seen, clock, events }),
      )
  const limits = { maxFileBytes: 10_485_760, allowedTypes: ['application/pdf'] }
  const courier = createCourier({
    records: seen,
    genesys: client,
    texts,
    ways,
    limits,
    clock,
    events,
    random: () => 0.5,
  })
  onTestFinished(() => stopAtOnce(courier))

  /** A file that went through intake, and its confirmation owed, by another process. */
  async function settle(
    conversationId: string,
    about: Partial<Attachment> = {},
    language = 'en',
  ): Promise<AttachmentId> {
    const attachment = attachmentOf(conversationId, clock.now(), about)
    await records.settle({
      attachment,
      key: null,
      confirmation: { language },
      delivery: null,
      spend: null,
      quotaUse: null,
      fetch: null,
      hold: null,
      verdicts: null,
      alert: null,
      audit: { at: clock.now(), who: 'test', what: 'take', object: null, outcome: '', requestId: null, detail: null },
    })
    return attachment.id
  }
  const confirmationOf = async (id: AttachmentId) => (await records.attachment(id))?.confirmation
  const entryOf = async (id: AttachmentId) =>
    (await records.listOutbox({ state: null, limit: 500 })).find(({ attachmentId }) => attachmentId === id)

  return {
    ...genesys,
    records,
    courier,
    confirmationOf,
    entryOf,
    settle,
    /** The same by this process, which wakes the courier. */
    async owe(...about: Parameters<typeof settle>): Promise<AttachmentId> {
      const id = await settle(...about)
      courier.wake()
      return id
    },
    /** Until none of these is pending; gives what became of them. */
    async ended(...ids: AttachmentId[]) {
      await until(async () => {
        const states = await Promise.all(ids.map(async (id) => (await confirmationOf(id))?.state))
        return states.every((state) => state !== 'pending')
      })
      return Promise.all(ids.map(confirmationOf))
    },
    /** Until the given number of attempts has ended, and another is planned. */
    async delayed(id: AttachmentId, attempts: number) {
      await until(
        () => genesys.lines.filter((line) => line.includes('delayed') && line.includes(id)).length >= attempts,
      )
      return (await entryOf(id))!
    },
    later(seconds: number): void {
      clock.jump(seconds * 1000)
      courier.wake()
    },
    textsIn: (conversationId: string) =>
      emulator
        .conversation(conversationId)
        .messages.filter(({ direction }) => direction === 'outbound')
        .map(({ text }) => text),
  }
}

async function openRecords(now: Date): Promise<Records> {
  const folder = await mkdtemp(join(tmpdir(), 'clipgate-outbox-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'clipgate.db')
  await createDatabaseFile(path)
  migrate(path, 'src/records/sqlite/migrations', now, true)
  const records = await sqliteRecords(path)
  onTestFinished(() => records.close())
  return records
}

/** The test is over: nobody waits for what runs. */
async function stopAtOnce(courier: Courier): Promise<void> {
  void courier.stop()
}

function attachmentOf(conversationId: string, now: Date, about: Partial<Attachment>): Attachment {
  return {
    id: newAttachmentId(),
    state: 'accepted',
    code: null,
    detail: null,
    door: 'push',
    conversationId,
    messageId: null,
    filename: 'scan.pdf',
    type: 'application/pdf',
    declaredType: 'application/pdf',
    size: 1000,
    sha256: '0'.repeat(64),
    scan: 'required',
    verdicts: [],
    confirmation: null,
    receivedAt: now.toISOString(),
    ...about,
  }
}

/** A way that waits at a gate, and counts who is there. */
export function gatedWay() {
  const atGate: { conversationId: string; open(): void }[] = []
  let most = 0
  const way: ConfirmationWay = {
    name: 'message',
    confirm: ({ conversationId }) =>
      new Promise((resolve) => {
        const open = () => {
          atGate.splice(atGate.indexOf(one), 1)
          resolve({ kind: 'delivered', possiblyRepeated: false })
        }
        const one = { conversationId, open }
        atGate.push(one)
        most = Math.max(most, atGate.length)
      }),
  }
  return { way, atGate, most: () => most }
}
