import { type Command, InvalidArgumentError, Option } from 'commander'
import { type AttachmentId, parseAttachmentId } from '../attachment.ts'
import { systemClock } from '../clock.ts'
import { openStorage } from '../installation.ts'
import { alertOf } from '../outbox/alerts.ts'
import { createDecisions, type Decider, type Decisions } from '../quarantine/decisions.ts'
import { type WaitedFor, waitedFor } from '../records/questions/quarantine.ts'
import type { Storage } from '../storage/storage.ts'
import { createEvents } from '../telemetry/events.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import type { Io } from './io.ts'
import { type Opened, withRecords } from './opened.ts'
import { wholeNumber } from './options.ts'

interface Deciding {
  by: string
  reason: string
}

/** clipgate quarantine list | release | hold | destroy */
export function quarantine(program: Command, io: Io): void {
  const group = program.command('quarantine').description('files that wait for a person or for an engine')

  group
    .command('list')
    .description('what waits, the longest first')
    .addOption(new Option('--waits-for <whom>', 'only these').choices([...waitedFor]))
    .option('--limit <n>', 'at most so many', wholeNumber, 100)
    .option('--json', 'one JSON object a line')
    .action(({ waitsFor, limit, json }: { waitsFor?: WaitedFor; limit: number; json?: true }) =>
      withRecords(io, async ({ records }) => {
        const held = await records.listHeld({ waitsFor: waitsFor ?? null, limit, after: null })
        for (const { attachment, waitsFor, since, until, asked } of held) {
          if (json) io.out(JSON.stringify({ attachment, waitsFor, since, until, asked }))
          else
            io.out(
              [
                attachment.id,
                attachment.state,
                `waits for ${waitsFor === 'person' ? 'a person' : 'an engine'}`,
                `since ${since.toISOString()}`,
                `destroyed ${until.toISOString()}`,
                ...(asked ? [`release asked by ${asked.by}`] : []),
                ...(attachment.detail ? [attachment.detail] : []),
              ].join('  '),
            )
        }
        if (!json && held.length === 0) io.out('Nothing.')
      }),
    )

  const decision = (
    name: string,
    description: string,
    decide: (decisions: Decisions, id: AttachmentId, by: Decider) => Promise<string>,
  ) =>
    group
      .command(name)
      .description(description)
      .argument('<attachment>', 'its id')
      .requiredOption('--by <name>', 'who decides', person)
      .requiredOption('--reason <text>', 'why: it is kept in the audit trail, so no names of customers', reason)
      .action((id: string, { by, reason }: Deciding) =>
        withRecords(io, async (opened) => {
          const decider = { who: `cli:${by}`, requestId: null, reason }
          const storage = await openStorage(opened.config, systemClock)
          io.out(await decide(decisionsIn(opened, storage), parseAttachmentId(id), decider))
          await storage.close()
        }),
      )

  decision('release', 'let a held file through', async (decisions, id, by) =>
    (await decisions.release(id, by)).status === 'released' ? 'Released.' : 'Asked for. Another person must agree.',
  )
  decision('hold', 'take an accepted file back until somebody decides', async (decisions, id, by) => {
    await decisions.hold(id, by)
    return 'Held.'
  })
  decision('destroy', 'refuse a held file for good', async (decisions, id, by) => {
    await decisions.destroy(id, by)
    return 'Destroyed.'
  })
}

/** A service that runs beside us finds by itself what is owed. */
function decisionsIn({ config, records }: Opened, storage: Storage): Decisions {
  return createDecisions({
    records,
    storage,
    policy: config.policy.quarantine,
    alertOf: (attachment) => alertOf(attachment, config.alert?.on ?? []),
    wake: () => {},
    clock: systemClock,
    events: createEvents(createLog('silent'), createMetrics()),
  })
}

function person(text: string): string {
  if (!/^[A-Za-z0-9_.@-]{1,64}$/.test(text)) throw new InvalidArgumentError('Letters, digits, . _ @ - only.')
  return text
}

function reason(text: string): string {
  if (text.trim() === '' || text.length > 500) throw new InvalidArgumentError('1 to 500 characters.')
  return text
}
