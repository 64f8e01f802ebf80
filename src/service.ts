import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import manifest from '../package.json' with { type: 'json' }
import { apiKeyCredentials } from './access/credentials.ts'
import { type Clock, systemClock } from './clock.ts'
import { type Config, requireServable, type Secrets } from './config.ts'
import type { BodyTimes } from './doors/push/body.ts'
import { ConfigError } from './errors.ts'
import { createGenesysClient, type GenesysClient } from './genesys/client.ts'
import { attachmentRoutes } from './http/attachments.ts'
import { operationRoutes } from './http/operations.ts'
import { pushRoutes } from './http/push.ts'
import { createServer } from './http/server.ts'
import { createAdmission } from './intake/admission.ts'
import { type Caller, type IntakeParts, intake } from './intake/intake.ts'
import type { Arrival } from './intake/arrival.ts'
import type { Inspection } from './intake/inspect/inspect.ts'
import { openSpool } from './intake/spool/spool.ts'
import { createCourier } from './outbox/courier.ts'
import { loadTexts } from './outbox/texts.ts'
import { wayNamed } from './outbox/ways.ts'
import type { Records } from './records/records.ts'
import { lockFolder } from './records/sqlite/lock.ts'
import { migrate } from './records/sqlite/migrate.ts'
import { createDatabaseFile, sqliteRecords } from './records/sqlite/sqlite.ts'
import { type SweepResult, sweep } from './retention/sweep.ts'
import type { Scanner } from './scan/scanner.ts'
import { createKeyFile, type KeyRing, keyRing, readKeyFile } from './seal/keys.ts'
import { fsStorage } from './storage/fs.ts'
import type { Storage } from './storage/storage.ts'
import { createEvents, type Events } from './telemetry/events.ts'
import type { Probe } from './telemetry/health.ts'
import { createLog, type Log } from './telemetry/log.ts'
import { createMetrics } from './telemetry/metrics.ts'

/** What tests and the demo may put in place of a part. */
export interface Overrides {
  storage?: Storage
  clock?: Clock
  log?: Log
  times?: BodyTimes
  inspections?: Inspection[]
  scanners?: Scanner[]
}

export interface Service {
  /** Where it listens, after `start`. */
  readonly url: string
  start(): Promise<void>
  /** Stops taking in, finishes what runs within a bound, closes. Safe to call twice. */
  stop(): Promise<void>
  sweep(): Promise<SweepResult>
}

const sweepEveryMs = 60 * 60 * 1000
const drainMs = 25_000
const uploadTimes: BodyTimes = { idleMs: 30_000, totalMs: 10 * 60_000 }

/** The one place where parts meet. Throws `ConfigError` when it must not start. */
export async function createService(config: Config, secrets: Secrets, overrides: Overrides = {}): Promise<Service> {
  if (!overrides.scanners) requireServable(config, secrets)
  const clock = overrides.clock ?? systemClock
  const metrics = createMetrics()
  const events = createEvents(overrides.log ?? createLog(config.logLevel), metrics)
  const { textsDir, language } = config.confirm
  const texts = loadTexts({ language, ...(textsDir && { dir: textsDir }) })

  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const lock = await lockFolder(join(config.dataDir, 'serve.lock'))
  const records = await openRecords(config, clock)
  const keys = await openKeys(config.masterKeyFile, records, clock)
  const paths = dataPaths(config.dataDir)
  const storage = overrides.storage ?? (await fsStorage(paths.objects, paths.spool))
  const spool = await openSpool(paths.spool, Math.max(2, Math.min(8, availableParallelism())))
  const admission = createAdmission(
    { maxUploads: config.push.maxUploads, waitMs: 10_000, maxFileBytes: config.policy.maxFileBytes },
    paths.spool,
  )
  // This process is the only one that serves from this folder, so leases that are left are of one that died.
  await records.releaseLeases(clock.now())

  const genesys = openGenesys(config, secrets, clock, events)
  const courier =
    genesys &&
    createCourier({
      records,
      genesys,
      texts,
      ways: config.confirm.ways.map((name) => wayNamed(name, { genesys, records, clock, events })),
      limits: config.policy,
      clock,
      events,
    })
  const scanners = overrides.scanners ?? (config.scan === 'off' ? null : [])
  const parts: IntakeParts = {
    admission,
    spool,
    policy: config.policy,
    inspections: overrides.inspections ?? [],
    scanners,
    keys,
    storage,
    records,
    confirm: courier && texts,
    clock,
    events,
  }
  const take = async (arrival: Arrival, caller: Caller) => {
    const outcome = await intake(arrival, caller, parts)
    courier?.wake()
    return outcome
  }
  metrics.uploadsRunning.collect = () => metrics.uploadsRunning.set(admission.running())

  const credentials = apiKeyCredentials(secrets.apiKeys, config.push.auth === 'none')
  const scan = scanners ? 'required' : 'off'
  const probes: Probe[] = [
    { name: 'records', needed: true, ask: async () => void (await records.check()) },
    { name: 'storage', needed: true, ask: async () => void (await Promise.all([storage.check(), admission.check()])) },
    { name: 'scan', needed: true, ask: () => askScanners(scanners) },
    { name: 'genesys', needed: false, ask: () => askGenesys(config, genesys) },
    { name: 'outbox', needed: false, ask: () => askOutbox(records) },
  ]
  const app = await createServer({ version: manifest.version, publicUrl: config.http.publicUrl, events }, [
    pushRoutes({ credentials, intake: take, times: overrides.times ?? uploadTimes }),
    attachmentRoutes({ credentials, records, keys, storage, clock, events }),
    operationRoutes({ credentials, probes, metrics, policy: config.policy, scan, docs: config.http.docs }),
  ])

  const ended = new AbortController()
  const runSweep = () => sweep({ retentionDays: config.retentionDays }, { records, storage, clock, events })
  async function sweepNowAndThen(): Promise<void> {
    while (!ended.signal.aborted) {
      await runSweep().catch((error: unknown) => events.sweepFailed(error))
      await clock.wait(sweepEveryMs, ended.signal)
    }
  }
  let sweeping: Promise<void> | null = null
  let stopping: Promise<void> | null = null
  let url = ''

  async function stop(): Promise<void> {
    events.stopping()
    ended.abort()
    const cut = setTimeout(() => app.server.closeAllConnections(), drainMs)
    await app.close()
    clearTimeout(cut)
    await courier?.stop()
    await sweeping
    await spool.close()
    await records.close()
    lock.release()
    events.stopped()
  }

  return {
    get url() {
      return url
    },
    async start() {
      url = await app.listen({ host: config.http.host, port: config.http.port })
      courier?.start()
      sweeping = sweepNowAndThen()
      events.serving(url)
    },
    stop() {
      stopping ??= stop()
      return stopping
    },
    sweep: runSweep,
  }
}

/** Where things lie in the data folder. */
export function dataPaths(dataDir: string) {
  return {
    database: join(dataDir, 'clipgate.db'),
    objects: join(dataDir, 'objects'),
    spool: join(dataDir, 'spool'),
  }
}

const migrations = join(dirname(fileURLToPath(import.meta.resolve('#package'))), 'dist', 'migrations', 'sqlite')

/** Opens the records with their schema up to date. Throws `ConfigError` when it may not or cannot be brought there. */
export async function openRecords(config: Config, clock: Clock): Promise<Records> {
  await migrateRecords(config, clock, config.migrate === 'auto')
  return sqliteRecords(dataPaths(config.dataDir).database)
}

/** Returns the names of the steps that were made. */
export async function migrateRecords(config: Config, clock: Clock, apply: boolean): Promise<string[]> {
  const { database } = dataPaths(config.dataDir)
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  await createDatabaseFile(database)
  return migrate(database, migrations, clock.now(), apply)
}

/**
 * Opens the master keys, and names the current one in the records. A key is made by itself only when the records have
 * never named one: a key file that is lost or another must stop the start, not begin anew.
 */
export async function openKeys(path: string, records: Records, clock: Clock): Promise<KeyRing> {
  const named = await records.masterKeyIds()
  let found = await readKeyFile(path)
  if (!found) {
    if (named.length > 0)
      throw new ConfigError([
        `The key file ${path} is missing, and stored files are sealed with ${named.join(', ')}. Put back the file that holds it.`,
      ])
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    found = await createKeyFile(path)
  }
  const ring = keyRing(found)
  const missing = named.filter((id) => !ring.ids.includes(id))
  if (missing.length > 0)
    throw new ConfigError([
      `The key file ${path} has not the key ${missing.join(', ')} that the records name. Put back the file that holds it.`,
    ])
  if (!named.includes(ring.currentId)) await records.nameMasterKey({ id: ring.currentId, at: clock.now() })
  return ring
}

/** Null: nothing is confirmed. */
export function openGenesys(config: Config, secrets: Secrets, clock: Clock, events: Events): GenesysClient | null {
  if (!config.genesys || secrets.genesysClientSecret === null || config.confirm.ways.length === 0) return null
  return createGenesysClient({ ...config.genesys, clientSecret: secrets.genesysClientSecret, clock, events })
}

async function askScanners(scanners: Scanner[] | null): Promise<string | undefined> {
  if (!scanners) return 'off: files are taken unscanned'
  await Promise.all(scanners.map((scanner) => scanner.check()))
  return undefined
}

async function askGenesys(config: Config, genesys: GenesysClient | null): Promise<string | undefined> {
  if (!config.genesys) return 'off: without credentials nothing is confirmed'
  if (!genesys) return 'off: confirmations are switched off'
  await genesys.checkToken()
  return undefined
}

async function askOutbox(records: Records): Promise<string | undefined> {
  const { pending, parked } = await records.outboxState()
  return pending + parked > 0 ? `${pending} pending, ${parked} parked` : undefined
}
