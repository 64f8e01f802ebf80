import { type Command, InvalidArgumentError, Option } from 'commander'
import { hashPassword, leastCharacters, mostCharacters } from '../access/passwords.ts'
import { systemClock } from '../clock.ts'
import { isSafeForCookies } from '../config/rules.ts'
import { ConfigError, Conflict, NotFound } from '../errors.ts'
import { type AccountRole, accountRoles } from '../records/questions/accounts.ts'
import type { AuditEntry } from '../records/questions/audit.ts'
import type { Io } from './io.ts'
import { withRecords } from './opened.ts'

/** clipgate accounts add | list | password | remove */
export function accounts(program: Command, io: Io): void {
  const group = program
    .command('accounts')
    .description('people who sign in with a password, where Genesys Cloud does not')

  group
    .command('add')
    .description('make an account; its password is asked for, or read from standard input')
    .argument('<name>', 'lower-case letters, digits and . _ @ -', accountName)
    .addOption(
      new Option('--role <role>', 'reader sees all; admin sees and changes all')
        .choices(accountRoles)
        .makeOptionMandatory(),
    )
    .action(async (name: string, { role }: { role: AccountRole }) => {
      const hash = await hashPassword(await askPassword(name, io))
      await withRecords(io, async ({ config, records }) => {
        const isNew = await records.addAccount({ name, role, hash, audit: entry(name, `added as ${role}`) })
        if (!isNew) throw new Conflict('conflict', `There is an account ${name} already.`)
        io.out(`${name} can sign in as ${role}.`)
        if (!isSafeForCookies(config.http.publicUrl))
          io.err(`But not at ${config.http.publicUrl}: set CLIPGATE_PUBLIC_URL to an address with https://.`)
      })
    })

  group
    .command('list')
    .description('who can sign in with a password')
    .option('--json', 'one JSON object a line')
    .action(({ json }: { json?: true }) =>
      withRecords(io, async ({ records }) => {
        const all = await records.accounts()
        for (const one of all) {
          const { name, role, madeAt, setAt } = one
          if (json) io.out(JSON.stringify(one))
          else io.out(`${name}  ${role}  since ${madeAt.toISOString()}  password of ${setAt.toISOString()}`)
        }
        if (!json && all.length === 0) io.out('Nobody.')
      }),
    )

  group
    .command('password')
    .description('give an account another password; its sessions end')
    .argument('<name>', 'its name', accountName)
    .action(async (name: string) => {
      const hash = await hashPassword(await askPassword(name, io))
      await withRecords(io, async ({ records }) => {
        if (!(await records.setPassword({ name, hash, audit: entry(name, 'password set') })))
          throw new NotFound('account')
        io.out(`${name} has another password, and is signed out.`)
      })
    })

  group
    .command('remove')
    .description('remove an account; its sessions end')
    .argument('<name>', 'its name', accountName)
    .action((name: string) =>
      withRecords(io, async ({ records }) => {
        if (!(await records.removeAccount({ name, audit: entry(name, 'removed') }))) throw new NotFound('account')
        io.out(`${name} is removed, and signed out.`)
      }),
    )
}

function entry(name: string, outcome: string): AuditEntry {
  const at = systemClock.now()
  return { at, who: 'cli', what: 'account_change', object: name, outcome, requestId: null, detail: null }
}

async function askPassword(name: string, io: Io): Promise<string> {
  const password = await io.askSecret(`Password for ${name}: `)
  const length = [...password].length
  if (length < leastCharacters || length > mostCharacters)
    throw new ConfigError([
      `A password has ${leastCharacters} to ${mostCharacters} characters; this one has ${length}.`,
    ])
  if (password.toLowerCase().includes(name)) throw new ConfigError(['A password must not have the name in it.'])
  if (io.isAsked && (await io.askSecret('The same again: ')) !== password)
    throw new ConfigError(['The two are not the same.'])
  return password
}

function accountName(text: string): string {
  if (!/^[a-z0-9][a-z0-9._@-]{0,63}$/.test(text))
    throw new InvalidArgumentError('A name has up to 64 lower-case letters, digits and . _ @ - in it.')
  return text
}
