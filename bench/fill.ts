import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { newAttachmentId } from '../src/attachment.ts'
import { digestOf } from '../src/records/questions/audit.ts'
import { wordsOf } from '../src/records/questions/words.ts'
import type { Schema } from '../src/records/schema.ts'
import { openDatabase } from '../src/records/sqlite/database.ts'
import { keyRing } from '../src/seal/keys.ts'
import { answerWith } from './child.ts'

/**
 * Puts records of files into the database of a service that has stopped, as settling and delivering would have left them:
 * words, keys, deliveries, confirmations, and the audit trail as a chain. Only the bytes of the files are not there.
 * The newest is of now, the others of the year before.
 */
function fill(dataDir: string, count: number): void {
  const database = openDatabase(join(dataDir, 'clipgate.db'))
  // What is half done after a crash is thrown away with the folder.
  database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; PRAGMA temp_store = MEMORY')
  const into = <Table extends keyof Schema>(table: Table) => {
    let statement: ReturnType<typeof database.prepare> | null = null
    return (row: Schema[Table]) => {
      const columns = Object.keys(row)
      statement ??= database.prepare(
        `INSERT INTO ${table} (${columns.join()}) VALUES (${Array(columns.length).fill('?').join()})`,
      )
      statement.run(...Object.values(row))
    }
  }
  const attachments = into('attachments')
  const words = into('attachment_words')
  const keys = into('data_keys')
  const deliveries = into('deliveries')
  const confirmations = into('confirmations')
  const trail = into('audit')
  const ring = masterKeys(dataDir)
  const { node } = database.prepare('SELECT node FROM audit_nodes').get() as { node: string }
  let last = database.prepare('SELECT seq, digest FROM audit ORDER BY seq DESC LIMIT 1').get() as {
    seq: number
    digest: string
  }
  const now = Date.now()
  const step = year / count
  let conversation = ''
  for (let i = 0; i < count; i++) {
    if (i % 50_000 === 0) database.exec(i === 0 ? 'BEGIN' : 'COMMIT; BEGIN')
    // Three files a conversation.
    if (i % 3 === 0) conversation = uuid()
    const at = Math.round(now - (count - i) * step)
    const id = newAttachmentId()
    const { type, ending } = pick(kinds)
    const refused = Math.random() < 0.05
    const name = `${pick(vocabulary)} ${pick(vocabulary)} ${i}.${ending}`
    const sha256 = randomBytes(32).toString('hex')
    const size = 10_000 + Math.floor(Math.random() * 5_000_000)
    const state = refused ? 'refused' : 'accepted'
    const code = refused ? 'type_not_allowed' : null
    const messageId = uuid()
    attachments({
      id,
      state,
      code,
      detail: null,
      door: 'push',
      conversation_id: conversation,
      message_id: messageId,
      filename: name,
      type,
      declared_type: type,
      size,
      sha256,
      scan: 'off',
      verdicts: '[]',
      received_at: at,
      erased_at: null,
      record_digest: null,
      stored: refused ? 0 : 1,
      sent_by: null,
    })
    for (const word of wordsOf(name)) words({ word, received_at: at, attachment_id: id })
    if (!refused) {
      const { masterKeyId, wrapped } = ring.wrap(ring.newDataKey(), id)
      keys({ attachment_id: id, master_key_id: masterKeyId, wrapped })
    }
    const answer = {
      id,
      state,
      code,
      detail: null,
      door: 'push',
      conversationId: conversation,
      messageId,
      filename: name,
      type,
      declaredType: type,
      size,
      sha256,
      scan: 'off',
      verdicts: [],
      confirmation: { state: 'pending', way: null, at: null },
      receivedAt: new Date(at).toISOString(),
    }
    deliveries({
      scope: 'message',
      key: JSON.stringify([conversation, messageId, sha256]),
      fingerprint: sha256,
      attachment_id: id,
      answer: JSON.stringify(answer),
      at,
    })
    confirmations({
      attachment_id: id,
      conversation_id: conversation,
      language: 'en',
      state: 'delivered',
      way: 'message',
      attempts: 1,
      next_at: at,
      lease: null,
      uncertain: 0,
      possibly_repeated: 0,
      reason: null,
      created_at: at,
      settled_at: at + 800,
      round: 0,
    })
    const row = {
      node,
      seq: last.seq + 1,
      at,
      who: 'bench',
      what: 'take',
      object: id,
      outcome: code ?? 'accepted',
      request_id: uuid(),
      detail: null,
      previous: last.digest,
    }
    last = { seq: row.seq, digest: digestOf(row) }
    trail({ ...row, digest: last.digest })
  }
  database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)')
  database.close()
}

const year = 365 * 24 * 60 * 60 * 1000
const kinds = [
  ...Array(12).fill({ type: 'image/jpeg', ending: 'jpg' }),
  ...Array(5).fill({ type: 'application/pdf', ending: 'pdf' }),
  ...Array(2).fill({ type: 'image/png', ending: 'png' }),
  { type: 'text/plain', ending: 'txt' },
] as { type: string; ending: string }[]
const syllables = 'ba de fi go ku la mi no pa re si to vu za'.split(' ')
/** 2,744 words; each stands in one of 1,400 names or so. */
const vocabulary = syllables.flatMap((a) => syllables.flatMap((b) => syllables.map((c) => a + b + c)))

function pick<T>(from: T[]): T {
  return from[Math.floor(Math.random() * from.length)]!
}

function uuid(): string {
  return crypto.randomUUID()
}

/** As the service made them at its first start. */
function masterKeys(dataDir: string) {
  const lines = readFileSync(join(dataDir, 'keys', 'master.key'), 'utf8')
    .trim()
    .split('\n')
  return keyRing(
    lines.filter((line) => !line.startsWith('#')).map((line) => Buffer.from(line.split(' ')[1]!, 'base64')),
  )
}

answerWith({}, async ({ dataDir, count }: { dataDir: string; count: number }) => fill(dataDir, count))
