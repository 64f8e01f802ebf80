import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { createCopyMaker } from '../../src/copies/maker.ts'
import { createGenesysClient, type GenesysClient } from '../../src/genesys/client.ts'
import { clientCredentials } from '../../src/genesys/grants.ts'
import { createAdmission } from '../../src/intake/admission.ts'
import { createInspector } from '../../src/intake/inspect/inspect.ts'
import { type IntakeParts, intake } from '../../src/intake/intake.ts'
import { createQuotas } from '../../src/intake/quota.ts'
import { openSpool } from '../../src/intake/spool/spool.ts'
import { keyFile } from '../../src/keys/source.ts'
import { loadTexts } from '../../src/outbox/texts.ts'
import type { Records } from '../../src/records/records.ts'
import { keyRing } from '../../src/seal/keys.ts'
import { createPulling, type Pulling } from '../../src/servicePull.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import { temporaryRecords } from '../database.ts'
import { png } from '../fixtures/files.ts'
import { start as startGenesys } from '../genesys/start.ts'

interface Options {
  env?: Record<string, string>
  /** How many pull over the same records. */
  nodes?: number
  /** What a node sees of the platform. */
  genesys?: (client: GenesysClient) => GenesysClient
  /** What a node sees of the records. */
  records?: (records: Records, node: number) => Records
}

/** Pullers over the same records, beside an emulator, all by a clock that only the test moves. They are not started. */
export async function start(options: Options = {}) {
  const { clock, emulator, events, lines, metrics } = await startGenesys()
  const opened = await temporaryRecords()
  onTestFinished(() => opened.close())
  const { records } = opened
  const folder = await mkdtemp(join(tmpdir(), 'clipgate-pull-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const { config } = readConfig({
    CLIPGATE_DATA_DIR: folder,
    CLIPGATE_GENESYS_CLIENT_ID: 'demo-client',
    CLIPGATE_GENESYS_CLIENT_SECRET: 'demo-secret',
    CLIPGATE_GENESYS_LOGIN_URL: emulator.url,
    CLIPGATE_GENESYS_API_URL: emulator.url,
    CLIPGATE_GENESYS_REQUESTS_PER_MINUTE: '100000',
    ...options.env,
  })
  const spool = await openSpool(join(folder, 'spool'), 2)
  onTestFinished(() => spool.close())
  const inspector = createInspector(undefined, 1)
  onTestFinished(() => inspector.close())
  const copies = createCopyMaker()
  onTestFinished(() => copies.close())
  const storage = memoryStorage(() => clock.now())
  const parts: IntakeParts = {
    admission: createAdmission({ maxUploads: 50, waitMs: 10_000, maxFileBytes: 10_485_760 }, folder, clock),
    quotas: createQuotas(config.quota, records, clock),
    spool,
    policy: config.policy,
    inspector,
    copies,
    scanners: null,
    keys: keyRing([await keyFile(join(folder, 'master.key'), null).create()]),
    storage,
    records,
    confirm: null,
    alertOf: () => null,
    clock,
    events,
  }

  const nodes: Pulling[] = []
  for (let node = 0; node < (options.nodes ?? 1); node++) {
    const client = createGenesysClient({
      ...config.genesys!,
      grant: clientCredentials('demo-client', 'demo-secret'),
      clock,
      events,
      random: () => 1,
    })
    const pulling = createPulling({
      config: { ...config, genesys: config.genesys! },
      records: options.records?.(records, node) ?? records,
      genesys: options.genesys?.(client) ?? client,
      intake: (arrival, caller) => intake(arrival, caller, parts),
      texts: loadTexts({ language: 'en' }),
      scan: 'off',
      clock,
      events,
    })
    onTestFinished(() => void pulling.stop())
    nodes.push(pulling)
  }
  const [first] = nodes
  return {
    clock,
    emulator,
    events,
    lines,
    metrics,
    records,
    storage,
    nodes,
    /** Is that much later, and looks at what is due by then. */
    later(ms: number): void {
      clock.jump(ms)
      for (const node of nodes) node.wake()
    },
    startAll: () => nodes.map((node) => node.start()),
    /** A conversation with a picture in it. */
    async picture(name = 'photo.png') {
      const { id } = emulator.createConversation()
      const { type, bytes } = await png(name)
      const { messageId } = emulator.customerSends(id, { file: { name, mime: type, bytes } })
      return { conversationId: id, messageId }
    },
    /** Asks the first node, without waiting. */
    ask: (conversationId: string, messageId: string | null = null) =>
      first!.door.pull({ conversationId, messageId, language: null }, 0),
    list: () => records.listAttachments({ limit: 200 }),
    asked: (method: string, part: string) =>
      emulator.requests().filter((request) => request.method === method && request.path.includes(part)).length,
  }
}
