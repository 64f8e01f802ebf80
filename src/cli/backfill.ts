import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import cliProgress from 'cli-progress'
import type { Command } from 'commander'
import { systemClock } from '../clock.ts'
import { ConfigError } from '../errors.ts'
import type { BackfillState } from '../records/questions/fetches.ts'
import type { Records } from '../records/records.ts'
import type { Io } from './io.ts'
import { withRecords } from './opened.ts'

const batch = 500
const lookEveryMs = 500
/** Without a terminal: a line at most so often. */
const tellEveryMs = 30_000
const stillForMs = 60_000

/** clipgate pull backfill --conversations FILE|- */
export function backfill(group: Command, io: Io): void {
  group
    .command('backfill')
    .description('have old conversations looked at for files by the running service, and wait for it')
    .requiredOption('--conversations <file>', 'ids of conversations, one a line; - reads standard input')
    .option('--language <tag>', 'of the sentences that customers get, such as de')
    .option('--no-wait', 'end when all is asked for')
    .addHelpText(
      'after',
      '\nThe same file again goes on where it was left: what was looked at is not looked at again. Ending this command ends the\nwaiting only. Files that are older than 30 days are gone at the platform.',
    )
    .action(async (options: { conversations: string; language?: string; wait: boolean }) => {
      const { ids, others } = await readIds(options.conversations)
      if (others > 0) io.err(`${others} lines are no id of a conversation and are passed over.`)
      if (ids.length === 0) throw new ConfigError([`${options.conversations} names no conversation.`])
      const whole = await withRecords(io, async ({ records }) => {
        const run = await ask(records, ids, options.language ?? null)
        if (!options.wait) {
          io.out(`${ids.length} conversations are asked for.`)
          return true
        }
        const state = await watched(records, run, ids.length, io)
        io.out(summaryOf(ids.length, state))
        return state.conversations.parked === 0
      })
      if (!whole) io.exitWith(1)
    })
}

/** Each once, in their order. Exports quote them, and may begin with a heading. */
async function readIds(file: string): Promise<{ ids: string[]; others: number }> {
  const ids = new Set<string>()
  let others = 0
  const input = file === '-' ? createReadStream('', { fd: 0 }) : createReadStream(file, 'utf8')
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      const text = line
        .replace(/^\ufeff/, '')
        .trim()
        .replace(/^"(.*)"$/, '$1')
      if (text === '') continue
      if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) ids.add(text.toLowerCase())
      else others++
    }
  } catch (error) {
    throw new ConfigError([`${file} cannot be read: ${(error as Error).message}`])
  }
  return { ids: [...ids], others }
}

/** Returns the run's name: the same ids are the same run, so that it is resumed. */
async function ask(records: Records, ids: string[], language: string | null): Promise<string> {
  const run = `run_${createHash('sha256')
    .update([...ids].sort().join('\n'))
    .digest('hex')
    .slice(0, 16)}`
  const at = systemClock.now()
  await records.audit({
    at,
    who: 'cli',
    what: 'pull_backfill',
    object: null,
    outcome: `${ids.length} conversations`,
    requestId: null,
    detail: JSON.stringify({ run }),
  })
  for (let from = 0; from < ids.length; from += batch) {
    const asks = ids.slice(from, from + batch).map((conversationId) => ({ conversationId, messageId: null, language }))
    await records.askLookups({ asks, at, backfill: run })
  }
  return run
}

/** Until nothing of the run is waiting any more. */
async function watched(records: Records, run: string, total: number, io: Io): Promise<BackfillState> {
  const show = io.isTerminal ? bar(total) : lines(total, io)
  let changed = { at: systemClock.now().getTime(), state: '', told: false }
  try {
    for (;;) {
      const state = await records.backfillState(run)
      show.update(state)
      if (state.conversations.pending + state.attachments.fetching === 0) return state
      const now = systemClock.now().getTime()
      const text = JSON.stringify(state)
      if (text !== changed.state) changed = { at: now, state: text, told: false }
      else if (now - changed.at > stillForMs && !changed.told) {
        changed.told = true
        io.err('Nothing has moved for a minute. Is the service running, with its pull door open?')
      }
      await held(lookEveryMs)
    }
  } finally {
    show.end()
  }
}

/** A wait that holds the process open, as the clock's does not. */
const held = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

interface Progress {
  update(state: BackfillState): void
  end(): void
}

function bar(total: number): Progress {
  const format = '{bar} {value}/{total} conversations | {files} files | {eta_formatted} left'
  const shown = new cliProgress.SingleBar({ format, hideCursor: true }, cliProgress.Presets.shades_classic)
  shown.start(total, 0, { files: 0 })
  return {
    update: (state) => shown.update(total - state.conversations.pending, { files: filesIn(state) }),
    end: () => shown.stop(),
  }
}

function lines(total: number, io: Io): Progress {
  let toldAt = Number.NEGATIVE_INFINITY
  return {
    update(state) {
      const now = systemClock.now().getTime()
      if (now - toldAt < tellEveryMs) return
      toldAt = now
      io.err(`${total - state.conversations.pending} of ${total} conversations looked at, ${filesIn(state)} files`)
    },
    end() {},
  }
}

function filesIn({ attachments }: BackfillState): number {
  const { fetching: _, ...settled } = attachments
  return Object.values(settled).reduce((sum, count) => sum + count, 0)
}

function summaryOf(total: number, { conversations, attachments }: BackfillState): string {
  const { missing, parked } = conversations
  const { accepted, refused, unfetched, other } = attachments
  return [
    `${total} conversations: ${total - missing - parked} looked at, ${missing} unknown to the platform, ${parked} given up.`,
    `Files: ${accepted} accepted, ${refused} refused, ${unfetched} unfetched${other > 0 ? `, ${other} other` : ''}.`,
  ].join('\n')
}
