import type { Command } from 'commander'
import { readConfig } from '../config.ts'
import { createService } from '../service.ts'
import type { Io } from './io.ts'

/** clipgate serve */
export function serve(program: Command, io: Io): void {
  program
    .command('serve')
    .description('run the service until it is asked to stop')
    .action(async () => {
      const { config, secrets } = readConfig(io.env, { toServe: true })
      const service = await createService(config, secrets)
      io.onStop(() => {
        service.stop().then(
          () => io.endWith(0),
          (error: unknown) => {
            io.err(String(error))
            io.endWith(1)
          },
        )
      })
      await service.start().catch(async (error: unknown) => {
        await service.stop()
        throw error
      })
    })
}
