import type { Command } from 'commander'
import { systemClock } from '../clock.ts'
import { NotFound } from '../errors.ts'
import { backfill } from './backfill.ts'
import type { Io } from './io.ts'
import { withRecords } from './opened.ts'

/** clipgate pull retry | backfill */
export function pull(program: Command, io: Io): void {
  const group = program.command('pull').description('files that are fetched from the platform')

  group
    .command('retry')
    .description('make what could not be fetched due again: one file, or all, and look-ups that were given up')
    .argument('[attachment]', 'the id of an attachment that is unfetched; without it all')
    .action((attachmentId: string | undefined) =>
      withRecords(io, async ({ records }) => {
        const at = systemClock.now()
        const object = attachmentId ?? null
        const count = await records.retryFetches({
          attachmentId: object,
          at,
          audit: { at, who: 'cli', what: 'pull_retry', object, outcome: '', requestId: null, detail: null },
        })
        if (attachmentId && count === 0) throw new NotFound('unfetched attachment')
        io.out(`${count} due again.`)
      }),
    )

  backfill(group, io)
}
