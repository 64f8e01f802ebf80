import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { Unavailable } from './errors.ts'
import type { GenesysClient } from './genesys/client.ts'
import type { Admission } from './intake/admission.ts'
import type { Rotation } from './keys/rotation.ts'
import type { Records } from './records/records.ts'
import type { Scanner } from './scan/scanner.ts'
import type { Pulling } from './servicePull.ts'
import type { Storage } from './storage/storage.ts'
import type { Probe } from './telemetry/health.ts'

export interface ProbedParts {
  config: Config
  records: Records
  storage: Storage
  admission: Admission
  rotation: Pick<Rotation, 'state'>
  scanners: Scanner[] | null
  genesys: GenesysClient | null
  pulling: Pulling | null
  clock: Clock
}

/**
 * What readiness asks. Anybody may ask it, so an answer serves for a while: asking must not wear out the disk or our share
 * of the platform.
 */
export function probesOf({
  config,
  records,
  storage,
  admission,
  rotation,
  scanners,
  genesys,
  pulling,
  clock,
}: ProbedParts): Probe[] {
  return [
    { name: 'records', needed: true, freshMs: 1000, ask: async () => void (await records.check()) },
    {
      name: 'storage',
      needed: true,
      freshMs: 1000,
      ask: async () => {
        // In this order: that the disk is full says more than that a file could not be written.
        await admission.check()
        await storage.check()
        return undefined
      },
    },
    { name: 'keys', needed: false, freshMs: 1000, ask: async () => askKeys(rotation) },
    { name: 'scan', needed: true, freshMs: 5000, ask: () => askScanners(scanners, clock) },
    { name: 'genesys', needed: false, freshMs: 30_000, ask: () => askGenesys(config, genesys) },
    { name: 'outbox', needed: false, freshMs: 1000, ask: () => askOutbox(records) },
    ...(pulling ? [{ name: 'pull', needed: false, freshMs: 1000, ask: () => askPull(records, pulling) }] : []),
  ]
}

function askKeys(rotation: Pick<Rotation, 'state'>): string | undefined {
  const { lacks, toRewrap } = rotation.state()
  if (lacks.length > 0) throw new Unavailable(`this process has not the master key ${lacks.join(', ')}`)
  return toRewrap > 0 ? `${toRewrap} files are not under the current master key yet` : undefined
}

async function askScanners(scanners: Scanner[] | null, clock: Clock): Promise<string | undefined> {
  if (!scanners) return 'off: files are taken unscanned'
  const known = await Promise.all(scanners.map(async (scanner) => ({ scanner, signatures: await scanner.check() })))
  const told = known.flatMap(({ scanner: { name }, signatures }) =>
    signatures ? [`${name}: ${signatures.version}${ageOf(signatures.madeAt, clock)}`] : [],
  )
  return told.length > 0 ? told.join('; ') : undefined
}

function ageOf(madeAt: Date | null, clock: Clock): string {
  if (!madeAt) return ''
  const hours = Math.max(0, Math.floor((clock.now().getTime() - madeAt.getTime()) / 3_600_000))
  return `, signatures ${hours < 48 ? `${hours} hours` : `${Math.floor(hours / 24)} days`} old`
}

async function askGenesys(config: Config, genesys: GenesysClient | null): Promise<string | undefined> {
  if (!config.genesys) return 'off: without credentials nothing is confirmed'
  if (!genesys) return 'off: confirmations are switched off'
  await genesys.checkToken()
  return undefined
}

async function askPull(records: Records, pulling: Pulling): Promise<string | undefined> {
  const { open, channels } = pulling.listening()
  if (open < channels) throw new Unavailable(`${channels - open} of ${channels} notification channels are not open`)
  const { lookups, fetching, unfetched } = await records.pullState()
  const told = [
    [lookups.pending, 'look-ups pending'],
    [lookups.parked, 'look-ups given up'],
    [fetching, 'files being fetched'],
    [unfetched, 'files that could not be fetched'],
  ] as const
  const some = told.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
  return some.length > 0 ? some.join(', ') : undefined
}

async function askOutbox(records: Records): Promise<string | undefined> {
  const { pending, parked } = await records.outboxState()
  return pending + parked > 0 ? `${pending} pending, ${parked} parked` : undefined
}
