import { createReadStream, createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { ConfigError } from '../errors.ts'
import {
  type AuditBreak,
  type AuditHead,
  type AuditKind,
  type AuditLink,
  type AuditQuery,
  auditKinds,
} from '../records/questions/audit.ts'
import type { Records } from '../records/records.ts'
import type { Io } from './io.ts'
import { withRecords } from './opened.ts'
import { wholeNumber } from './options.ts'

const batch = 2000

type Head = Pick<AuditHead, 'seq' | 'digest'>

/** clipgate audit list | verify | export */
export function audit(program: Command, io: Io): void {
  const group = program.command('audit').description('who did what with which file, and proof that nobody changed it')
  const kinds = Object.entries(auditKinds).map(([kind, meaning]) => `  ${kind.padEnd(18)}${meaning}`)

  group
    .command('list')
    .description('the newest rows, newest first')
    .option('--object <id>', 'about this attachment or master key')
    .option('--who <name>', "an API key's name, anyone, cli, sweep, (service), (unknown) …")
    .addOption(new Option('--what <kind>', 'of this kind, see below').choices(Object.keys(auditKinds)))
    .option('--from <time>', 'from this time on, ISO 8601; without a zone it is UTC', time)
    .option('--to <time>', 'up to this time, not including it', time)
    .option('--limit <n>', 'at most so many', wholeNumber, 100)
    .option('--json', 'one JSON object a line')
    .addHelpText('after', `\nKinds:\n${kinds.join('\n')}`)
    .action(({ json, ...asked }: Omit<AuditQuery, 'before'> & { what?: AuditKind; json?: true }) =>
      withRecords(io, async ({ records }) => {
        let count = 0
        for await (const row of found(records, asked)) {
          io.out(json ? lineOf(row) : sentenceOf(row))
          count++
        }
        if (!json && count === 0) io.out('Nothing.')
      }),
    )

  group
    .command('export')
    .description('all rows with their digests, one JSON object a line, in the order of their chain')
    .option('--out <file>', 'where to write them; never replaces a file. Without it: standard output')
    .action(({ out }: { out?: string }) =>
      withRecords(io, async ({ records }) => {
        if (out === undefined) {
          for await (const row of all(records)) io.out(lineOf(row))
          return
        }
        const path = resolve(out)
        const tell = progress(io, 'written')
        const lines = async function* () {
          for await (const row of all(records)) {
            tell.one()
            yield `${lineOf(row)}\n`
          }
        }
        await pipeline(
          Readable.from(lines()),
          createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true }),
        ).catch((error: NodeJS.ErrnoException) => {
          throw error.syscall === undefined ? error : new ConfigError([`${path} cannot be written: ${error.message}`])
        })
        io.out(`${tell.count()} rows written to ${path}.`)
      }),
    )

  group
    .command('verify')
    .description('proves that no row was edited, removed, moved or inserted; exits with 1 and names the first that was')
    .option('--head <seq:digest>', 'a head that was told before: the trail must still contain it', headsOf, [])
    .option('--since <file>', 'a file with such heads in it: a log, or what this command said before')
    .action(async ({ head, since }: { head: Head[]; since?: string }) => {
      const wanted = [...head, ...(since === undefined ? [] : await headsIn(since))]
      const whole = await withRecords(io, async ({ records }) => {
        const { count, heads, broken } = await verified(records, io)
        const lost = await firstLost(records, wanted)
        if (broken) io.out(sentenceOfBreak(broken))
        else for (const { node, seq, digest } of heads) io.out(`Head of node ${node}: ${seq}:${digest}`)
        if (lost) io.out(sentenceOfLoss(lost, heads))
        if (broken || lost) return false
        const kept = wanted.length > 0 ? ' It contains what it was to contain.' : ''
        io.out(`The trail is whole: ${count} rows.${kept}`)
        return true
      })
      if (!whole) io.exitWith(1)
    })
}

/** Chain by chain: what is added meanwhile is verified too, and the heads are of what was verified. */
async function verified(records: Records, io: Io) {
  const tell = progress(io, 'verified')
  const heads: AuditHead[] = []
  for (const { node } of await records.auditHeads())
    for (let after: AuditHead | null = null; ; ) {
      const { whole, last, broken } = await records.verifyAudit({ node, after, limit: batch })
      tell.more(whole)
      if (broken) return { count: tell.count(), heads, broken }
      after = last
      if (whole === batch) continue
      if (last) heads.push(last)
      break
    }
  return { count: tell.count(), heads, broken: null }
}

function sentenceOfBreak({ node, seq, at, what, fault }: AuditBreak): string {
  const row = `Row ${seq} of node ${node}`
  const says = `${at}, ${what}`
  switch (fault) {
    case 'missing':
      return `${row} is missing: it was removed or moved. The next row says ${says}.`
    case 'edited':
      return `${row} was edited: it does not make its digest. It says now ${says}.`
    case 'moved':
      return `${row} is not the one that was there: it was moved or written anew, and does not follow row ${seq - 1}. It says ${says}.`
    case 'unlinked':
      return `${row} does not follow row ${seq - 1}: one of the two was written anew, with a digest of its own. It says ${says}.`
    case 'inserted':
      return `${row} was inserted: no row can stand there. It says ${says}.`
  }
}

async function firstLost(records: Records, wanted: Head[]): Promise<Head | null> {
  for (const head of wanted.sort((a, b) => a.seq - b.seq)) if (!(await records.auditHas(head))) return head
  return null
}

function sentenceOfLoss({ seq, digest }: Head, heads: AuditHead[]): string {
  const ends = heads.every((head) => head.seq < seq)
  const how = ends ? 'rows at its end were removed' : 'it was written anew up to there'
  return `The trail does not contain ${seq}:${digest}, which was its head: ${how}.`
}

async function* found(records: Records, asked: Omit<AuditQuery, 'before'>): AsyncGenerator<AuditLink> {
  let before: AuditLink | undefined
  for (let left = asked.limit; left > 0; ) {
    const rows: AuditLink[] = await records.findAudit({ ...asked, limit: Math.min(left, batch), before })
    yield* rows
    if (rows.length < batch) return
    left -= rows.length
    before = rows.at(-1)
  }
}

async function* all(records: Records): AsyncGenerator<AuditLink> {
  for (let after: AuditLink | undefined; ; ) {
    const rows: AuditLink[] = await records.listAudit({ after, limit: batch })
    yield* rows
    if (rows.length < batch) return
    after = rows.at(-1)
  }
}

/** As JSON, with the names and in the order of the digest's form. */
function lineOf({ node, seq, at, who, what, object, outcome, requestId, detail, previous, digest }: AuditLink): string {
  return JSON.stringify({ node, seq, at, who, what, object, outcome, requestId, detail, previous, digest })
}

function sentenceOf({ seq, at, who, what, object, outcome, requestId, detail }: AuditLink): string {
  const rest = [object, outcome, requestId, detail].filter((part) => part !== null && part !== '')
  return [seq, at.toISOString(), who, what, ...rest].join('  ')
}

/** Long work shows that it goes on: often to a person, seldom to a file. */
function progress(io: Io, done: string) {
  const every = io.isTerminal ? 20_000 : 500_000
  let count = 0
  const more = (by: number) => {
    const before = count
    count += by
    if (Math.floor(count / every) > Math.floor(before / every)) io.err(`${count} rows ${done}`)
  }
  return { more, one: () => more(1), count: () => count }
}

async function headsIn(path: string): Promise<Head[]> {
  const heads = new Map<string, Head>()
  const file = createReadStream(path, 'utf8')
  try {
    for await (const line of createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY }))
      for (const [text, seq, digest] of line.matchAll(/(?<!\w)(\d{1,15}):([0-9a-f]{64})(?!\w)/g))
        heads.set(text, { seq: Number(seq), digest: digest! })
  } catch (error) {
    throw new ConfigError([`${path} cannot be read: ${(error as Error).message}`])
  }
  if (heads.size === 0) throw new ConfigError([`${path} has no head in it: none reads as 123:<64 hexadecimal digits>.`])
  return [...heads.values()]
}

function headsOf(text: string, before: Head[]): Head[] {
  const [, seq, digest] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? []
  if (seq === undefined || digest === undefined)
    throw new InvalidArgumentError('It must read as 123:<64 hexadecimal digits>.')
  return [...before, { seq: Number(seq), digest }]
}

function time(text: string): Date {
  const at = new Date(
    /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text) ? zoned(text) : '',
  )
  if (Number.isNaN(at.getTime())) throw new InvalidArgumentError('It must be a time such as 2026-10-02T09:14:00Z.')
  return at
}

/** A day is one already: JavaScript reads it as UTC, and a time without a zone as local. */
function zoned(text: string): string {
  return text.includes('T') && !/(Z|[+-]\d\d:\d\d)$/.test(text) ? `${text}Z` : text
}
