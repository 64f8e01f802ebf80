import { Command, CommanderError } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { ConfigError, Conflict, NotFound, Unavailable } from '../errors.ts'
import { accounts } from './accounts.ts'
import { audit } from './audit.ts'
import { backup } from './backup.ts'
import { demo } from './demo.ts'
import { doctor } from './doctor.ts'
import { emulator } from './emulator.ts'
import { erase } from './erase.ts'
import { genesys } from './genesys.ts'
import type { Io } from './io.ts'
import { keys } from './keys.ts'
import { migrate } from './migrate.ts'
import { move } from './move.ts'
import { outbox } from './outbox.ts'
import { policy } from './policy.ts'
import { pull } from './pull.ts'
import { quarantine } from './quarantine.ts'
import { restore } from './restore.ts'
import { serve } from './serve.ts'

/** Every command: a file each, which adds itself. */
const commands = [
  serve,
  demo,
  emulator,
  doctor,
  migrate,
  keys,
  outbox,
  quarantine,
  pull,
  policy,
  genesys,
  accounts,
  audit,
  erase,
  backup,
  restore,
  move,
]

/** Runs one command line. Resolves when the command has done its work, or has begun it when it stays up. */
export async function runCli(argv: string[], io: Io): Promise<void> {
  const program = new Command('clipgate')
    .description(manifest.description)
    .version(manifest.version)
    .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: (text) => io.err(text.trimEnd()) })
    .exitOverride()
  for (const add of commands) add(program, io)
  for (const command of allCommands(program)) command.copyInheritedSettings(program)
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    io.exitWith(report(error, io))
  }
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((sub) => [sub, ...allCommands(sub)])
}

/** Tells what went wrong and returns the exit code for it. */
function report(error: unknown, io: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof ConfigError) {
    for (const problem of error.problems) io.err(problem)
    return 2
  }
  if (error instanceof NotFound) {
    io.err(`There is ${error.message}.`)
    return 1
  }
  if (error instanceof Conflict) {
    io.err(error.message)
    return 1
  }
  if (error instanceof Unavailable) {
    const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
    io.err(`It cannot be done now: ${error.message}${cause}`)
    return 1
  }
  const { code, message, stack, syscall } = error as NodeJS.ErrnoException
  // Trouble with a folder, a file or an address: the message says which.
  if (code !== undefined && code !== 'EADDRINUSE' && syscall !== undefined) {
    io.err(message)
    return 1
  }
  io.err(
    code === 'EADDRINUSE'
      ? `${message}. Another process listens there: choose another port.`
      : (stack ?? String(error)),
  )
  return 1
}
