import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Emulator, startEmulator } from '../emulator/index.ts'
import type { Attachment } from '../src/attachment.ts'
import { readConfig } from '../src/config.ts'
import { createService, type Overrides, type Service } from '../src/service.ts'
import { createLog } from '../src/telemetry/log.ts'
import type { Fixture } from './fixtures/files.ts'
import { databaseEnvironment } from './sharedPostgres.ts'

export const keys = {
  all: 'all-scopes-key-0123456789',
  push: 'push-only-key-0123456789',
  read: 'read-only-key-0123456789',
}

export interface TestService {
  url: string
  service: Service
  emulator: Emulator
  dataDir: string
  /** What the service logged: one object a line. */
  logged: Record<string, unknown>[]
  push(file: Fixture, options?: PushOptions): Promise<Pushed>
  /** A conversation of the emulator, with an agent unless told otherwise. */
  conversation(options?: { agent?: boolean }): string
  /** The texts that the conversation was sent, once there are `count`. */
  confirmations(conversationId: string, count?: number): Promise<string[]>
  get<T>(path: string, key?: string): Promise<{ status: number; headers: Headers; body: T }>
}

export interface PushOptions {
  conversationId?: string
  messageId?: string
  language?: string
  key?: string | null
  idempotencyKey?: string
  declaredType?: string
}

export interface Pushed {
  status: number
  headers: Headers
  body: {
    status: string | number
    message?: string
    sentence?: string
    attachment: Attachment
    code: string
    detail: string
    attachmentId: string
    requestId: string
  }
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'clipgate-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A real service on an ephemeral port, in a folder of its own, beside a real emulator. Both end with the test. */
export async function startTestService(
  options: { env?: Record<string, string>; overrides?: Overrides; dataDir?: string; emulator?: Emulator } = {},
): Promise<TestService> {
  const dataDir = options.dataDir ?? (await temporaryFolder())
  const emulator = options.emulator ?? (await startEmulator({ port: 0 }))
  if (!options.emulator) onTestFinished(() => emulator.close())
  const { config, secrets } = readConfig({ ...testEnvironment(dataDir, emulator.url), ...prefixed(options.env ?? {}) })
  const logged: Record<string, unknown>[] = []
  const log = createLog('debug', { write: (line) => void logged.push(JSON.parse(line)) })
  const service = await createService(config, secrets, { log, ...options.overrides })
  onTestFinished(() => service.stop())
  await service.start()
  return {
    url: service.url,
    service,
    emulator,
    dataDir,
    logged,
    push: (file, push = {}) => pushTo(service.url, file, push),
    conversation: (agent) => emulator.createConversation(agent).id,
    confirmations: (conversationId, count = 1) => confirmationsIn(emulator, conversationId, count),
    async get<T>(path: string, key = keys.all) {
      const response = await fetch(service.url + path, { headers: { authorization: `Bearer ${key}` } })
      return { status: response.status, headers: response.headers, body: (await response.json()) as T }
    },
  }
}

export function testEnvironment(dataDir: string, emulatorUrl: string): Record<string, string> {
  return prefixed({
    PORT: '0',
    DATA_DIR: dataDir,
    SCAN: 'off',
    API_KEYS: `all:push+read+admin:${keys.all},pusher:push:${keys.push},reader:read:${keys.read}`,
    GENESYS_CLIENT_ID: 'demo-client',
    GENESYS_CLIENT_SECRET: 'demo-secret',
    GENESYS_LOGIN_URL: emulatorUrl,
    GENESYS_API_URL: emulatorUrl,
    GENESYS_REQUESTS_PER_MINUTE: '100000',
    ...databaseEnvironment(dataDir),
  })
}

function prefixed(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [`CLIPGATE_${name}`, value]))
}

export async function pushTo(url: string, file: Fixture, options: PushOptions = {}): Promise<Pushed> {
  const query = new URLSearchParams()
  if (options.conversationId !== undefined) query.set('conversation_id', options.conversationId)
  if (options.messageId !== undefined) query.set('message_id', options.messageId)
  if (options.language !== undefined) query.set('language', options.language)
  const form = new FormData()
  form.append('file', new Blob([new Uint8Array(file.bytes)], { type: options.declaredType ?? file.type }), file.name)
  const key = options.key === undefined ? keys.all : options.key
  const response = await fetch(`${url}/webhook/file-upload?${query}`, {
    method: 'POST',
    headers: {
      ...(key !== null && { authorization: `Bearer ${key}` }),
      ...(options.idempotencyKey !== undefined && { 'idempotency-key': options.idempotencyKey }),
    },
    body: form,
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Pushed['body'] }
}

/** Asks until there are `count`: the test's own time limit is the watchdog. */
async function confirmationsIn(emulator: Emulator, conversationId: string, count: number): Promise<string[]> {
  for (;;) {
    const texts = emulator
      .conversation(conversationId)
      .messages.filter(({ direction }) => direction === 'outbound')
      .map(({ text }) => text)
    if (texts.length >= count) return texts
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Asks `question` until its answer is accepted: the test's own time limit is the watchdog. */
export async function eventually<T>(question: () => Promise<T> | T, accepted: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await question()
    if (accepted(answer)) return answer
    await new Promise((resolve) => setImmediate(resolve))
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
