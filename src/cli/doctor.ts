import { access, constants, stat, statfs } from 'node:fs/promises'
import type { Command } from 'commander'
import { systemClock } from '../clock.ts'
import { type Config, readConfig, type Secrets } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { comparePolicy } from '../genesys/content/compare.ts'
import { enginesOf } from '../scan/engines.ts'
import { createUserFor, openGenesys } from '../serviceGenesys.ts'
import { createEvents } from '../telemetry/events.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { examineDeep } from './doctorDeep.ts'
import { examineFiles } from './doctorFiles.ts'
import { examineGateway } from './doctorGateway.ts'
import { examineKeys } from './doctorKeys.ts'
import { examinePeople } from './doctorPeople.ts'
import { examineRecords } from './doctorRecords.ts'
import { examineStorage } from './doctorStorage.ts'
import type { Find, Finding } from './finding.ts'
import type { Io } from './io.ts'
import { progressOf } from './progress.ts'

/** clipgate doctor [--json] [--deep] */
export function doctor(program: Command, io: Io): void {
  program
    .command('doctor')
    .description('look at configuration, disk, keys, database and Genesys Cloud, and say what is wrong')
    .option('--json', 'one JSON object')
    .option('--deep', 'read every stored file to its end too, and look for objects without a record')
    .action(async ({ json, deep }: { json?: true; deep?: true }) => {
      const findings = await examine(io, deep === true)
      if (json) io.out(JSON.stringify({ findings }))
      else for (const { what, state, says } of findings) io.out(`${state.padEnd(8)} ${what}: ${says}`)
      if (findings.some(({ state }) => state === 'failed')) io.exitWith(1)
    })
}

async function examine(io: Io, deep: boolean): Promise<Finding[]> {
  const findings: Finding[] = []
  const find = (what: string, state: Finding['state'], says: string) => void findings.push({ what, state, says })
  const problems = problemsToServe(io.env)
  for (const problem of problems) find('configuration', 'failed', problem)
  let config: Config
  let secrets: Secrets
  try {
    ;({ config, secrets } = readConfig(io.env))
  } catch (error) {
    if (error instanceof ConfigError) return findings
    throw error
  }
  if (problems.length === 0) find('configuration', 'ok', `listens on ${config.http.host}:${config.http.port}`)
  await examineEngines(config, secrets, find)
  await examineFiles(config, find)
  await examineFolder(config, find)
  await examineStorage(config, find)
  await examineRecords(config, secrets, await examineKeys(config, secrets, find), find)
  if (deep) await examineDeep(config, secrets, { find, progress: progressOf(io) })
  await examineGenesys(config, secrets, find)
  await examineGateway(config, find)
  examinePeople(config, find)
  return findings
}

async function examineEngines({ scan, engines }: Config, { scanHttpToken }: Secrets, find: Find): Promise<void> {
  if (scan === 'off') return find('scan', 'warning', 'off: files are taken unscanned, and their records say so')
  const events = createEvents(createLog('silent'), createMetrics())
  const scanners = enginesOf(engines, { token: scanHttpToken, clock: systemClock, events })
  for (const scanner of scanners) {
    await scanner.check().then(
      (signatures) => {
        const told = signatures ? `${scanner.name} answers: ${signatures.version}` : `${scanner.name} answers`
        const clear = scanner.name === 'clamd' ? '. Its TemporaryDirectory holds files in the clear: use a tmpfs' : ''
        find('scan', 'ok', told + clear)
        const age = signatures?.madeAt ? systemClock.now().getTime() - signatures.madeAt.getTime() : null
        const days = age === null ? null : Math.floor(age / 86_400_000)
        if (days === null) find('scan', 'warning', `${scanner.name} does not tell how old its signatures are`)
        else if (days > 7) find('scan', 'warning', `the signatures of ${scanner.name} are ${days} days old`)
      },
      (error: Error) => find('scan', 'failed', error.message),
    )
  }
}

function problemsToServe(env: Io['env']): string[] {
  try {
    readConfig(env, { toServe: true })
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

async function examineFolder({ dataDir }: Config, find: Find): Promise<void> {
  const there = await stat(dataDir).catch(() => null)
  if (!there) {
    find('data folder', 'ok', `${dataDir} is not there yet; the first start makes it`)
    return
  }
  if ((there.mode & 0o077) !== 0)
    find('data folder', 'warning', `${dataDir} can be read by others. Run: chmod 700 ${dataDir}`)
  else find('data folder', 'ok', dataDir)
  await access(dataDir, constants.W_OK).catch(() => find('data folder', 'failed', `${dataDir} cannot be written`))
  const { bavail, bsize } = await statfs(dataDir)
  const freeMb = Math.floor((bavail * bsize) / 1_000_000)
  find('disk', freeMb < 1000 ? 'warning' : 'ok', `${freeMb} MB free`)
}

/**
 * Which way of confirming works is UNCONFIRMED on the platform for client credentials (`message`), and only a real
 * conversation can tell: so what the deliveries of this installation have shown is told beside the token's state.
 */
async function examineGenesys(config: Config, secrets: Secrets, find: Find): Promise<void> {
  const genesys = openGenesys(config, secrets, systemClock, createEvents(createLog('silent'), createMetrics()))
  const ways = config.confirm.ways.join(', ')
  if (!genesys || ways === '')
    find(
      'genesys',
      'warning',
      'confirmations are off: without credentials, or by CLIPGATE_CONFIRM, nothing is said to a conversation',
    )
  if (!genesys) return
  await genesys.checkToken().then(
    () =>
      find(
        'genesys',
        'ok',
        `${config.genesys?.loginUrl} gives a token${ways && `; ways to confirm, in order: ${ways}`}`,
      ),
    (error: Error) => find('genesys', 'failed', error.message),
  )
  const user = createUserFor(config, secrets, systemClock, createEvents(createLog('silent'), createMetrics()))
  await user?.checkToken().then(
    () => find('service user', 'ok', 'its token is taken; messages are sent by it first'),
    (error: Error) => find('service user', 'failed', error.message),
  )
  await comparePolicy(genesys, config.policy).then(
    (differences) => {
      if (differences.length === 0) find('platform', 'ok', 'Genesys Cloud lets in what we take, and nothing else')
      for (const { where, says } of differences) find('platform', 'warning', `${where}: ${says}`)
    },
    (error: Error) => find('platform', 'warning', `what Genesys Cloud lets in is not known: ${error.message}`),
  )
}
