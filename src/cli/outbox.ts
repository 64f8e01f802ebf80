import { type Command, Option } from 'commander'
import { systemClock } from '../clock.ts'
import { dropOwed, retryOwed } from '../outbox/operator.ts'
import { owedStates } from '../records/questions/outbox.ts'
import type { Io } from './io.ts'
import { withRecords } from './opened.ts'
import { wholeNumber } from './options.ts'

const byCli = { who: 'cli', requestId: null, reason: null }

/** clipgate outbox list | retry | drop */
export function outbox(program: Command, io: Io): void {
  const group = program.command('outbox').description('confirmations that are owed to conversations')

  group
    .command('list')
    .description('what is owed, oldest first')
    .addOption(new Option('--state <state>', 'only these').choices([...owedStates, 'all']).default('all'))
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
        const count = await retryOwed(attachmentId ?? null, byCli, { records, clock: systemClock })
        io.out(`${count} due again.`)
      }),
    )

  group
    .command('drop')
    .description('give up what is owed about one attachment')
    .argument('<attachment>', 'its id')
    .action((attachmentId: string) =>
      withRecords(io, async ({ records }) => {
        const count = await dropOwed(attachmentId, byCli, { records, clock: systemClock })
        io.out(`${count} dropped.`)
      }),
    )
}
