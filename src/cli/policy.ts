import type { Command } from 'commander'
import { systemClock } from '../clock.ts'
import { type Config, readConfig, type Secrets } from '../config.ts'
import { ConfigError, Unavailable } from '../errors.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { comparePolicy } from '../genesys/content/compare.ts'
import { type Profile, readProfile, setInbound } from '../genesys/content/settings.ts'
import { orUnavailable } from '../genesys/errors.ts'
import { createGenesysFor } from '../serviceGenesys.ts'
import { createEvents } from '../telemetry/events.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import type { Io } from './io.ts'
import { auditedByCli } from './opened.ts'

/** clipgate policy diff | push */
export function policy(program: Command, io: Io): void {
  const group = program.command('policy').description('which files we take, beside what Genesys Cloud lets in')

  group
    .command('diff')
    .description('tell each difference between our policy and the supported content profiles and web deployments')
    .option('--profile <id>', 'only this supported content profile')
    .option('--json', 'one JSON object')
    .action(async ({ profile, json }: { profile?: string; json?: true }) => {
      const { config, genesys } = openForPolicy(io)
      const differences = await orUnavailable(() => comparePolicy(genesys, config.policy, profile ?? null))
      if (json) io.out(JSON.stringify({ policy: config.policy, differences }))
      else if (differences.length === 0) io.out('Genesys Cloud lets in what we take, and nothing else.')
      else for (const { kind, where, says } of differences) io.out(`${kind.padEnd(13)} ${where}: ${says}`)
    })

  group
    .command('push')
    .description('make a supported content profile let in what we take, and nothing else')
    .requiredOption('--profile <id>', 'the supported content profile')
    .option('--yes', 'change it; without, only what would be changed is told')
    .action(async ({ profile: id, yes }: { profile: string; yes?: true }) => {
      const { config, genesys } = openForPolicy(io)
      const { allowedTypes } = config.policy
      const profile = await orUnavailable(() => readProfile(genesys, id))
      const before = { inbound: profile.inbound.join(', ') || 'nothing', after: allowedTypes.join(', ') }
      io.out(`"${profile.name}" (${profile.id}) lets in: ${before.inbound}`)
      if (sameTypes(profile.inbound, allowedTypes)) return io.out('That is what we take. Nothing was changed.')
      io.out(`It ${yes ? 'shall' : 'would'} let in: ${before.after}`)
      if (!yes) return io.out('Nothing was changed. Add --yes to change it for all that use this profile.')
      await push(io, genesys, profile, allowedTypes)
    })
}

/** What is changed is in the audit trail before it is changed: a change that nobody can trace is worse than a row too many. */
async function push(io: Io, genesys: GenesysClient, profile: Profile, types: string[]): Promise<void> {
  const detail = JSON.stringify({ from: profile.inbound, to: types })
  await auditedByCli(io, { what: 'policy_push', object: profile.id, outcome: 'asked', detail })
  const now = await orUnavailable(() => setInbound(genesys, profile, types))
  if (!sameTypes(now.inbound, types))
    throw new Unavailable(`Genesys Cloud took the change, and the profile now lets in: ${now.inbound.join(', ')}`)
  io.out('Changed. A profile that is newly chosen as the default holds only for what is made afterwards.')
}

function openForPolicy(io: Io): { config: Config; secrets: Secrets; genesys: GenesysClient } {
  const { config, secrets } = readConfig(io.env)
  const genesys = createGenesysFor(config, secrets, systemClock, createEvents(createLog('silent'), createMetrics()))
  if (!genesys)
    throw new ConfigError([
      'Genesys Cloud can only be asked with CLIPGATE_GENESYS_CLIENT_ID and CLIPGATE_GENESYS_CLIENT_SECRET.',
    ])
  return { config, secrets, genesys }
}

function sameTypes(one: string[], other: string[]): boolean {
  return [...one].sort().join() === [...other].sort().join()
}
