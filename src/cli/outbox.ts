import { type Command, Option } from 'commander'
import { systemClock } from '../clock.ts'
import { NotFound } from '../errors.ts'
import type { AuditEntry } from '../records/questions/audit.ts'
import type { Io } from './io.ts'
import { withRecords } from './opened.ts'
import { wholeNumber } from './options.ts'

/** clipgate outbox list | retry | drop */
export function outbox(program: Command, io: Io): void {
  const group = program.command('outbox').description('confirmations that are owed to conversations')

  group
    .command('list')
    .description('what is owed, oldest first')
    .addOption(
      new Option('--state <state>', 'only these')
        .choices(['pending', 'parked', 'delivered', 'dropped', 'all'])
        .default('all'),
    )
    .option('--limit <n>', 'at most so many', wholeNumber, 100)
    .option('--json', 'one JSON object a line')
    .action(({ state, limit, json }: { state: string; limit: number; json?: true }) =>
      withRecords(io, async ({ records }) => {
        const entries = await records.listOutbox({ state: state === 'all' ? null : state, limit })
        for (const entry of entries) {
          if (json) io.out(JSON.stringify(entry))
          else
            io.out(
              [
                entry.attachmentId,
                entry.state,
                `conversation ${entry.conversationId}`,
                `${entry.attempts} attempts`,
                ...(entry.state === 'pending' ? [`due ${entry.nextAt.toISOString()}`] : []),
                ...(entry.reason ? [entry.reason] : []),
              ].join('  '),
            )
        }
        if (!json && entries.length === 0) io.out('Nothing.')
      }),
    )

  group
    .command('retry')
    .description('make parked confirmations due again: one, or all')
    .argument('[attachment]', 'the id of an attachment; without it all that are parked')
    .action((attachmentId: string | undefined) =>
      withRecords(io, async ({ records }) => {
        const at = systemClock.now()
        const count = await records.retryConfirmations({
          attachmentId: attachmentId ?? null,
          at,
          audit: byOperator('outbox_retry', attachmentId ?? null, at),
        })
        if (attachmentId && count === 0) throw new NotFound('parked confirmation')
        io.out(`${count} due again.`)
      }),
    )

  group
    .command('drop')
    .description('give up what is owed about one attachment')
    .argument('<attachment>', 'its id')
    .action((attachmentId: string) =>
      withRecords(io, async ({ records }) => {
        const at = systemClock.now()
        const count = await records.dropConfirmations({
          attachmentId,
          at,
          audit: byOperator('outbox_drop', attachmentId, at),
        })
        if (count === 0) throw new NotFound('pending or parked confirmation')
        io.out(`${count} dropped.`)
      }),
    )
}

function byOperator(what: AuditEntry['what'], object: string | null, at: Date): AuditEntry {
  return { at, who: 'cli', what, object, outcome: '', requestId: null, detail: null }
}
