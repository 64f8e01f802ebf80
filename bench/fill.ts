import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { newAttachmentId } from '../src/attachment.ts'
import { digestOf } from '../src/records/questions/audit.ts'
import { wordsOf } from '../src/records/questions/words.ts'
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
  const into = (table: string, columns: number) =>
    database.prepare(`INSERT INTO ${table} VALUES (${Array(columns).fill('?').join()})`)
  const attachments = into('attachments', 18)
  const words = into('attachment_words', 3)
  const keys = into('data_keys', 3)
  const deliveries = into('deliveries', 6)
  const confirmations = into('confirmations', 13)
  const trail = into('audit', 11)
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
    attachments.run(
      id,
      state,
      code,
      null,
      'push',
      conversation,
      messageId,
      name,
      type,
      type,
      size,
      sha256,
      'off',
      '[]',
      at,
      null,
      null,
      refused ? 0 : 1,
    )
    for (const word of wordsOf(name)) words.run(word, at, id)
    if (!refused) {
      const { masterKeyId, wrapped } = ring.wrap(ring.newDataKey(), id)
      keys.run(id, masterKeyId, wrapped)
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
    deliveries.run('message', JSON.stringify([conversation, messageId, sha256]), sha256, id, JSON.stringify(answer), at)
    confirmations.run(id, conversation, 'en', 'delivered', 'message', 1, at, null, 0, 0, null, at, at + 800)
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
    trail.run(
      row.node,
      row.seq,
      row.at,
      row.who,
      row.what,
      row.object,
      row.outcome,
      row.request_id,
      row.detail,
      row.previous,
      last.digest,
    )
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
