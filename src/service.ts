import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { availableParallelism, hostname } from 'node:os'
import { pid } from 'node:process'
import manifest from '../package.json' with { type: 'json' }
import { apiKeyCredentials } from './access/credentials.ts'
import { createLinks, type LinkParts } from './access/links.ts'
import { createRateLimit } from './access/rate.ts'
import { createSenders } from './access/senders.ts'
import { createTickets } from './access/tickets.ts'
import type { Viewers } from './access/viewers.ts'
import { type Clock, systemClock } from './clock.ts'
import { type Config, isPullOpen, isPushOpen, requireServable, type Secrets } from './config.ts'
import { createCopyMaker } from './copies/maker.ts'
import type { BodyTimes } from './doors/push/body.ts'
import { makeFolder } from './durable.ts'
import { attachmentRoutes } from './http/attachments.ts'
import { copyRoutes } from './http/copies.ts'
import { createDenials } from './http/denials.ts'
import { eventRoutes } from './http/events.ts'
import { fileRoutes } from './http/files.ts'
import { gatewayRoutes } from './http/gateway.ts'
import { linkRoutes } from './http/links.ts'
import { operationRoutes } from './http/operations.ts'
import { outboxRoutes } from './http/outbox.ts'
import { overviewRoutes } from './http/overview.ts'
import { pageRoutes } from './http/pages.ts'
import { pullRoutes } from './http/pull.ts'
import { pushRoutes } from './http/push.ts'
import { quarantineRoutes } from './http/quarantine.ts'
import { createServer, type Routes } from './http/server.ts'
import type { ReaderLimits } from './http/slowReader.ts'
import { ticketRoutes } from './http/tickets.ts'
import { trailRoutes } from './http/trail.ts'
import { dataPaths, hiddenFolders, openRecords, openStorage, refuseForeignObjects } from './installation.ts'
import { createAdmission } from './intake/admission.ts'
import type { Arrival } from './intake/arrival.ts'
import { createInspector, type Inspector } from './intake/inspect/inspect.ts'
import { type Caller, type IntakeParts, intake } from './intake/intake.ts'
import { largestFile } from './intake/policy.ts'
import { createQuotas } from './intake/quota.ts'
import { openSpool } from './intake/spool/spool.ts'
import { openKeys } from './keys/open.ts'
import { createRotation } from './keys/rotation.ts'
import { keySource } from './keys/source.ts'
import { announced } from './live/announced.ts'
import { createHub } from './live/hub.ts'
import { alertOf, createAlerter } from './outbox/alerts.ts'
import { createCourier } from './outbox/courier.ts'
import { loadTexts } from './outbox/texts.ts'
import { wayNamed } from './outbox/ways.ts'
import { createOverview } from './overview/overview.ts'
import { lockFolder } from './records/sqlite/lock.ts'
import { createScrub } from './retention/scrub.ts'
import { type SweepResult, sweep } from './retention/sweep.ts'
import { enginesOf } from './scan/engines.ts'
import type { Scanner } from './scan/scanner.ts'
import { createGateway } from './serviceGateway.ts'
import { createGenesysFor, createUserFor, openGenesys } from './serviceGenesys.ts'
import { createPeopleAccess } from './servicePeople.ts'
import { differencesNow, watchPlatform } from './servicePlatform.ts'
import { probesOf } from './serviceProbes.ts'
import { createPulling } from './servicePull.ts'
import { createQuarantine } from './serviceQuarantine.ts'
import { serviceTrail } from './serviceTrail.ts'
import { until, type Work } from './serviceWork.ts'
import type { Storage } from './storage/storage.ts'
import { createEvents } from './telemetry/events.ts'
import { readiness, stoppingReadiness } from './telemetry/health.ts'
import { createLog, type Log } from './telemetry/log.ts'
import { createMetrics } from './telemetry/metrics.ts'

/** What tests and the demo may put in place of a part. */
export interface Overrides {
  storage?: Storage
  clock?: Clock
  log?: Log
  times?: Partial<Times>
  inspector?: Inspector
  scanners?: Scanner[]
  /** Who looks, and whether their sessions go on. */
  viewers?: Viewers
  isLive?: LinkParts['isLive']
  /** Further ones: pages of the demo. */
  routes?: Routes[]
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
/** How long uploads that run may take when the service stops: what ends it must wait longer. */
export const drainMs = 25_000

/** How long others may take. */
interface Times {
  /** From a connection's first byte to the end of a request's headers. */
  headersMs: number
  uploads: BodyTimes
  readers: ReaderLimits
}
const times: Times = {
  headersMs: 15_000,
  uploads: { idleMs: 30_000, leastBytesPerSecond: 500, totalMs: 10 * 60_000 },
  readers: { windowMs: 60_000, leastBytesPerSecond: 2000 },
}

/**
 * The one place where parts meet. Throws `ConfigError` when it must not start, and then leaves nothing open.
 */
export async function createService(config: Config, secrets: Secrets, overrides: Overrides = {}): Promise<Service> {
  if (!overrides.scanners) requireServable(config, secrets)
  /** How to close what is open, the last opened first. */
  const open: (() => unknown)[] = []
  const closeAll = async () => {
    for (const close of open.splice(0).reverse()) await close()
  }
  try {
    return await compose(config, secrets, overrides, open, closeAll)
  } catch (error) {
    await closeAll()
    throw error
  }
}

async function compose(
  config: Config,
  secrets: Secrets,
  overrides: Overrides,
  open: (() => unknown)[],
  closeAll: () => Promise<void>,
): Promise<Service> {
  const paths = dataPaths(config.dataDir)
  const maxFileBytes = largestFile(config.policy)
  const { textsDir, language } = config.confirm
  const texts = loadTexts({ language, ...(textsDir && { dir: textsDir }) })

  await makeFolder(config.dataDir)
  const lock = await lockFolder(paths.lock)
  open.push(() => lock.release())
  const opened = await openRecords({ config, secrets }, overrides.clock ?? systemClock)
  open.push(() => opened.close())
  // So that the shared time is known.
  if (opened.clock) await opened.check()
  const clock = overrides.clock ?? opened.clock ?? systemClock
  const hub = createHub({ records: opened, clock, failed: (error) => events.watchingFailed(error) })
  const records = announced(opened, hub)
  const admission = createAdmission(
    { maxUploads: config.push.maxUploads, waitMs: 10_000, maxFileBytes },
    paths.spool,
    clock,
  )
  const metrics = createMetrics(() => admission.running())
  const events = createEvents(overrides.log ?? createLog(config.logLevel), metrics)
  const storage = overrides.storage ?? (await openStorage(config, clock))
  open.push(() => storage.close())
  await refuseForeignObjects(records, storage)
  const source = keySource(config.masterKeys, secrets.masterKey, clock)
  // Its name among those that serve: no two processes have the same.
  const process = `${hostname()}-${pid}-${randomBytes(2).toString('hex')}`
  const keys = await openKeys({ source, process }, records, clock)
  const rotation = createRotation({ source, ring: keys, records, process, clock, events })
  open.push(() => rotation.stop())
  const spool = await openSpool(paths.spool, Math.max(2, Math.min(8, availableParallelism())))
  open.push(() => spool.close())
  const inspector = overrides.inspector ?? createInspector()
  open.push(() => inspector.close())
  // What others have leased may still run: where there are others, leases end by themselves.
  if (records.alone) {
    await records.releaseLeases(clock.now())
    await records.releasePulls(clock.now())
    await records.releaseAlerts(clock.now())
    await records.releaseRescan()
    await records.releaseScrub()
  }

  const genesys = openGenesys(config, secrets, clock, events)
  const user = createUserFor(config, secrets, clock, events)
  const ways = genesys && config.confirm.ways.map((name) => wayNamed(name, { genesys, user, records, clock, events }))
  const courier =
    genesys &&
    ways &&
    ways.length > 0 &&
    createCourier({ records, genesys, texts, ways, limits: config.policy, clock, events })
  const { alertWebhookSecret } = secrets
  const alerter =
    config.alert && alertWebhookSecret !== null
      ? createAlerter({ records, url: config.alert.webhook, secret: alertWebhookSecret, clock, events })
      : null
  const scanners =
    overrides.scanners ??
    (config.scan === 'off' ? null : enginesOf(config.engines, { token: secrets.scanHttpToken, clock, events }))
  const scan = scanners ? 'required' : 'off'
  const copies = createCopyMaker({ hidden: hiddenFolders(config) })
  open.push(() => copies.close())
  const parts: IntakeParts = {
    admission,
    spool,
    quotas: createQuotas(config.quota, records, clock),
    policy: config.policy,
    inspector,
    copies,
    scanners,
    keys,
    storage,
    records,
    confirm: courier ? texts : null,
    alertOf: (attachment) => alertOf(attachment, config.alert?.on ?? []),
    clock,
    events,
  }
  const wake = () => {
    if (courier) courier.wake()
    alerter?.wake()
  }
  const take = async (arrival: Arrival, caller: Caller) => {
    const began = performance.now()
    const outcome = await intake(arrival, caller, parts)
    events.intakeTook((performance.now() - began) / 1000)
    wake()
    return outcome
  }
  const { decisions, loops } = createQuarantine({ config, records, storage, keys, scanners, wake, clock, events })
  const pulling =
    isPullOpen(config, secrets) && genesys && config.genesys
      ? createPulling({
          config: { ...config, genesys: config.genesys },
          records,
          genesys,
          intake: take,
          texts,
          scan,
          clock,
          events,
        })
      : null
  let url = ''
  const gateway = config.gateway
    ? createGateway({
        config: { ...config, gateway: config.gateway },
        records,
        storage,
        keys,
        genesys: genesys ?? createGenesysFor(config, secrets, clock, events),
        intake: take,
        texts,
        confirms: Boolean(courier),
        wake: () => {
          wake()
          pulling?.wake()
        },
        // A port that the system chose is known once we listen.
        publicUrl: () => (config.http.port === 0 ? url : config.http.publicUrl),
        clock,
        events,
      })
    : null
  const trail = serviceTrail({ version: manifest.version, config, secrets, keys }, { records, clock, events })
  const runSweep = async (signal?: AbortSignal) => {
    const days = { retentionDays: config.retentionDays, ...(signal && { signal }) }
    try {
      return await sweep(days, { records, storage, decisions, clock, events })
    } finally {
      await trail.started()
      await trail.tellHeads()
    }
  }

  const credentials = apiKeyCredentials(secrets.apiKeys, config.push.auth === 'none')
  const people = createPeopleAccess(
    { config, secrets },
    {
      credentials,
      records,
      keys,
      genesys: genesys ?? createGenesysFor(config, secrets, clock, events),
      // A port that the system chose is known once we listen; an address that was set is the one.
      publicUrl: () => (config.http.publicUrl.endsWith(':0') ? url : config.http.publicUrl),
      clock,
      events,
    },
  )
  const viewers = overrides.viewers ?? people.viewers
  const isLive = overrides.isLive ?? people.sessions.isLive
  const links = createLinks({ records, keys, isLive, clock })
  const tickets = createTickets({ records, keys, clock })
  const rate = createRateLimit(config.push.ratePerMinute, clock)
  const senders = createSenders({
    rate,
    credentials,
    tickets,
    signingSecrets: secrets.pushSigningSecrets,
    records,
    clock,
  })
  const { headersMs, uploads, readers } = { ...times, ...overrides.times }
  const asked = readiness(
    probesOf({ config, records, storage, admission, rotation, scanners, genesys, pulling, clock }),
    clock,
  )
  const ready = async () => (stopping ? stoppingReadiness(await asked()) : asked())
  const denials = createDenials({ records, clock, events })
  const { publicUrl, trustedProxies, filesUrl } = config.http
  const { version } = manifest
  const { roles } = config
  const doors = [
    ...(isPushOpen(config, secrets)
      ? [
          pushRoutes({
            senders,
            intake: take,
            sentenceOf: (attachment, told) => texts.sentence(attachment, texts.languageOf(told), config.policy),
            times: uploads,
            corsOrigins: config.push.corsOrigins,
          }),
          ticketRoutes({ credentials, tickets }),
        ]
      : []),
    ...(pulling ? [pullRoutes({ credentials, ...pulling })] : []),
    ...(gateway && config.gateway
      ? [gatewayRoutes({ ...config.gateway, uploads: gateway.uploads, times: uploads })]
      : []),
    attachmentRoutes({ readers, viewers, records, keys, storage, clock, events }),
    quarantineRoutes({ viewers, decisions, records, clock, events }),
    pageRoutes({ publicUrl, language, frameAncestors: config.http.frameAncestors }),
    people.routes,
    linkRoutes({
      viewers,
      links,
      // A port that the system chose is known once we listen.
      filesUrl: () => filesUrl ?? filesUnder(config.http.port === 0 ? url : publicUrl),
      records,
      clock,
      events,
    }),
    eventRoutes({ viewers, hub, readers, records, clock, events }),
    trailRoutes({ viewers, records, clock, events }),
    outboxRoutes({ viewers, wake, records, clock, events }),
    overviewRoutes({
      viewers,
      overview: createOverview({ records, scanners, metrics, clock }),
      differences: differencesNow(genesys ?? createGenesysFor(config, secrets, clock, events), config.policy, clock),
      records,
    }),
  ]
  const copyParts = { viewers, copies, records, keys, storage, clock, events }
  const filesHost = filesUrl === null ? null : hostApart(filesUrl, publicUrl)
  const app = await createServer({ version, publicUrl, filesHost, trustedProxies, headersMs, events, denials }, [
    ...(roles.includes('door') ? doors : []),
    ...(roles.includes('preview') ? [copyRoutes(copyParts)] : []),
    ...(roles.includes('door') || roles.includes('preview')
      ? [fileRoutes({ ...copyParts, links, filesUrl: filesUrl ?? filesUnder(publicUrl), readers })]
      : []),
    ...(overrides.routes ?? []),
    operationRoutes({
      viewers,
      ready,
      metrics,
      policy: config.policy,
      scan,
      docs: config.http.docs,
      corsOrigins: config.push.corsOrigins,
    }),
  ])
  const everyHour = (ended: AbortSignal) =>
    repeat(sweepEveryMs, clock, ended, () =>
      runSweep(ended).then(undefined, (error: unknown) => events.sweepFailed(error)),
    )
  /** In the order in which it is begun. */
  const works: Work[] = [
    until('sweeper', everyHour),
    // A look that runs may take its time, and nothing comes of it any more: it is not waited for.
    ...(genesys
      ? [
          until(
            'sweeper',
            async (ended) => void watchPlatform(genesys, { policy: config.policy, clock, events }, ended),
          ),
        ]
      : []),
    ...(courier ? [{ role: 'courier' as const, ...courier }] : []),
    ...(alerter ? [{ role: 'courier' as const, ...alerter }] : []),
    ...(config.scrubDays === null
      ? []
      : [
          {
            role: 'sweeper' as const,
            ...createScrub({ records, storage, keys, days: config.scrubDays, clock, events }),
          },
        ]),
    ...loops.map((loop) => ({ role: 'sweeper' as const, ...loop })),
    ...(pulling ? [{ role: 'door' as const, start: () => pulling.start(), stop: () => pulling.stop() }] : []),
    ...(gateway?.completer ? [{ role: 'door' as const, ...gateway.completer }] : []),
  ].filter(({ role }) => roles.includes(role))
  let stopping: Promise<void> | null = null

  /** Unready at once, and closed when those who look at that have had time to send nobody here any more. */
  async function stop(): Promise<void> {
    events.stopping()
    if (url !== '' && config.http.stopDelayMs > 0) await clock.wait(config.http.stopDelayMs)
    await closeAll()
    events.stopped()
  }

  return {
    get url() {
      return url
    },
    async start() {
      await trail.started()
      records.onWork(() => {
        wake()
        pulling?.wake()
        hub.wake()
      })
      open.push(async () => {
        await denials.close()
        await trail.stopped()
        await trail.tellHeads()
      })
      // Whatever else it does, each process keeps its keys in step.
      rotation.start()
      for (const work of works) {
        work.start()
        open.push(() => work.stop())
      }
      if (gateway && roles.includes('door')) {
        open.push(() => gateway.outcomes.stop())
        gateway.socket.attach(app.server)
      }
      open.push(async () => {
        // A connection that had a request when we began to close stays open when it is answered.
        // Relayed connections are none of its own: they would keep the server open.
        await gateway?.socket.stop()
        const idle = setInterval(() => app.server.closeIdleConnections(), 50)
        const cut = setTimeout(() => app.server.closeAllConnections(), drainMs)
        await app.close()
        clearInterval(idle)
        clearTimeout(cut)
      })
      // Before the server waits for what it answers: who watches is answered without end.
      hub.start()
      open.push(() => hub.stop())
      // A name that means several addresses would give each a server of its own, and only the first is set up as ours.
      const { address } = await lookup(config.http.host)
      url = await app.listen({ host: address, port: config.http.port })
      events.serving(url)
    },
    stop() {
      stopping ??= stop()
      return stopping
    },
    sweep: () => runSweep(),
  }
}

/** Where files are served unless told otherwise. */
function filesUnder(publicUrl: string): string {
  return `${publicUrl}/files`
}

/** The host that files have for themselves. Null: they share it with all else. */
function hostApart(filesUrl: string, publicUrl: string): string | null {
  const [files, rest] = [filesUrl, publicUrl].map((text) => new URL(text).hostname)
  return files === rest ? null : files!
}

/** Does `work` now and every `everyMs` after it has ended, until told to end. */
async function repeat(everyMs: number, clock: Clock, signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
  while (!signal.aborted) {
    await work()
    await clock.wait(everyMs, signal)
  }
}
