import type { Command } from 'commander'
import { ConfigError } from '../errors.ts'
import type { Io } from './io.ts'

/** clipgate emulator --port N */
export function emulator(program: Command, io: Io): void {
  program
    .command('emulator')
    .description('run the Genesys Cloud emulator on 127.0.0.1, for development and tests')
    .option('--port <n>', 'where to listen', '8090')
    .action(async ({ port }: { port: string }) => {
      if (!/^\d{1,5}$/.test(port) || Number(port) > 65535)
        throw new ConfigError(['--port must be a number from 0 to 65535.'])
      const { startEmulator } = await import('../../emulator/index.ts')
      const running = await startEmulator({ port: Number(port) })
      io.out(`Genesys Cloud emulator on ${running.url} (client demo-client, secret demo-secret)`)
      io.onStop(() => void running.close().then(() => io.endWith(0)))
    })
}
