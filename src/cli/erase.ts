import type { Command } from 'commander'
import { parseAttachmentId } from '../attachment.ts'
import { systemClock } from '../clock.ts'
import { ConfigError } from '../errors.ts'
import { openStorage } from '../installation.ts'
import { erase as eraseOne } from '../retention/erase.ts'
import { createEvents } from '../telemetry/events.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import type { Io } from './io.ts'
import { withRecords } from './opened.ts'

/** clipgate erase --attachment ID | --conversation ID */
export function erase(program: Command, io: Io): void {
  program
    .command('erase')
    .description('make files unreadable for good, and print a receipt for each')
    .option('--attachment <id>', 'one attachment')
    .option('--conversation <id>', 'every attachment of a conversation')
    .action(({ attachment, conversation }: { attachment?: string; conversation?: string }) => {
      if ((attachment === undefined) === (conversation === undefined))
        throw new ConfigError(['Give either --attachment or --conversation.'])
      return withRecords(io, async ({ config, records }) => {
        const storage = await openStorage(config, systemClock)
        const events = createEvents(createLog('silent'), createMetrics())
        const ids = attachment ? [parseAttachmentId(attachment)] : await records.idsOfConversation(conversation!)
        let done = 0
        for (const id of ids) {
          const receipt = await eraseOne(
            id,
            { who: 'cli', requestId: null },
            { records, storage, clock: systemClock, events },
          )
          io.out(JSON.stringify(receipt))
          done++
          if (ids.length > 1 && (io.isTerminal || done % 100 === 0 || done === ids.length))
            io.err(`${done} of ${ids.length} erased`)
        }
        await storage.close()
        if (ids.length === 0) io.err('Nothing to erase.')
      })
    })
}
