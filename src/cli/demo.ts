import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { readConfig } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { demoRoutes } from '../http/pages.ts'
import { createService } from '../service.ts'
import { chatRoutes } from './demoChat.ts'
import type { Io } from './io.ts'

const demoKey = 'demo-key-only-for-this-machine'
/** The emulator's. */
const deploymentId = '00000000-0000-4000-8000-00000000d001'
const confirmedWithinMs = 30_000

/** clipgate demo [--once] */
export function demo(program: Command, io: Io): void {
  program
    .command('demo')
    .description('run the service and the emulator in a fresh folder, and send one file through each door')
    .option('--once', 'end as soon as the confirmation was seen: 0, or 1 when it was not')
    .option('--port <n>', 'where the service listens', '8080')
    .option('--emulator-port <n>', 'where the emulator listens', '8090')
    .action(async (options: { once?: true; port: string; emulatorPort: string }) => {
      const [{ startEmulator }, { org }] = await Promise.all([
        import('../../emulator/index.ts'),
        import('../../emulator/org.ts'),
      ])
      const dataDir = await mkdtemp(join(tmpdir(), 'clipgate-demo-'))
      const emulator = await startEmulator({ port: portOf(options.emulatorPort) })
      // Who signs in is one who may see all.
      emulator.setSwitches({ signIn: 'supervisor' })
      const { config, secrets } = readConfig({
        CLIPGATE_PORT: options.port,
        CLIPGATE_DATA_DIR: dataDir,
        CLIPGATE_API_KEYS: `demo:push+pull+read+admin:${demoKey}`,
        CLIPGATE_SCAN: 'off',
        CLIPGATE_GENESYS_CLIENT_ID: 'demo-client',
        CLIPGATE_GENESYS_CLIENT_SECRET: 'demo-secret',
        CLIPGATE_GENESYS_LOGIN_URL: emulator.url,
        CLIPGATE_GENESYS_API_URL: emulator.url,
        CLIPGATE_GENESYS_GUEST_URL: emulator.url,
        CLIPGATE_GENESYS_CDN_URL: emulator.url,
        CLIPGATE_GATEWAY_DEPLOYMENTS: deploymentId,
        CLIPGATE_GENESYS_LOGIN_CLIENT_ID: org.page.id,
        CLIPGATE_GENESYS_ORGANIZATION_ID: org.id,
        CLIPGATE_ADMIN_PERMISSIONS: 'conversation:communication:view',
        CLIPGATE_LOG_LEVEL: 'warn',
      })
      const service = await createService(config, secrets, {
        routes: [demoRoutes({ publicUrl: config.http.publicUrl, language: config.confirm.language }), chatRoutes],
      })
      const stop = async (code: number) => {
        await service.stop()
        await emulator.close()
        await rm(dataDir, { recursive: true, force: true })
        io.endWith(code)
      }
      io.onStop(() => void stop(0))
      try {
        await service.start()
        io.out(`Clipgate                 ${service.url}`)
        io.out(`Genesys Cloud emulator   ${emulator.url}`)
        io.out(`Data                     ${dataDir} (removed at the end)\n`)
        const conversationId = await sendOne(io, service.url, emulator.url)
        if (options.once) await stop(0)
        else showWhatNext(io, { service: service.url, emulator: emulator.url, conversationId })
      } catch (error) {
        io.err((error as Error).message)
        await stop(1)
      }
    })
}

/** Through the push door to the message that arrives, by HTTP only, as any sender would. Gives the conversation. */
async function sendOne(io: Io, serviceUrl: string, emulatorUrl: string): Promise<string> {
  const { id } = await json<{ id: string }>(fetch(`${emulatorUrl}/_emulator/conversations`, { method: 'POST' }))
  io.out(`A customer talks to an agent: conversation ${id}`)
  const form = new FormData()
  form.append('file', new Blob([await readFile(samplePath)], { type: 'image/jpeg' }), 'photo.jpg')
  const { attachment } = await json<{ attachment: { id: string; size: number; sha256: string; state: string } }>(
    fetch(`${serviceUrl}/webhook/file-upload?conversation_id=${id}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${demoKey}` },
      body: form,
    }),
  )
  io.out(`photo.jpg went in through the push door: ${attachment.state}, ${attachment.size} bytes, ${attachment.id}`)
  await untilConfirmed(io, id, emulatorUrl, 1)
  await pullOne(io, id, serviceUrl, emulatorUrl)
  await untilConfirmed(io, id, emulatorUrl, 2)
  await relayOne(io, serviceUrl)
  return id
}

/** The customer sends it by the stock Messenger, past us; a flow asks us to fetch it. */
async function pullOne(io: Io, conversationId: string, serviceUrl: string, emulatorUrl: string): Promise<void> {
  const form = new FormData()
  form.append('file', new Blob([await readFile(samplePath)], { type: 'image/jpeg' }), 'receipt.jpg')
  const { messageId } = await json<{ messageId: string }>(
    fetch(`${emulatorUrl}/_emulator/conversations/${conversationId}/messages`, { method: 'POST', body: form }),
  )
  const { attachments } = await json<{ attachments: { id: string; size: number; state: string }[] }>(
    fetch(`${serviceUrl}/webhook/message`, {
      method: 'POST',
      headers: { authorization: `Bearer ${demoKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ conversationId, messageId }),
    }),
  )
  const [pulled] = attachments
  if (!pulled) throw new Error('The pull door found no file.')
  io.out(`receipt.jpg was pulled from the platform: ${pulled.state}, ${pulled.size} bytes, ${pulled.id}`)
}

/** Another customer, whose client talks through the gateway: the platform gets the file when it was judged. */
async function relayOne(io: Io, serviceUrl: string): Promise<void> {
  const { openGuest } = await import('../../emulator/client/guest.ts')
  const guest = await openGuest(`${serviceUrl.replace('http', 'ws')}/v1`, { deploymentId })
  try {
    await guest.configure()
    const file = { name: 'passport.jpg', mime: 'image/jpeg', bytes: await readFile(samplePath) }
    const echo = await guest.sendsFile(file, 'Here is my passport')
    if (echo.class !== 'StructuredMessage') throw new Error(`The gateway said: ${JSON.stringify(echo)}`)
    io.out(`passport.jpg went through the gateway: judged, then handed to Genesys Cloud, then sent to the agent\n`)
  } finally {
    guest.drop()
  }
}

/** Until the conversation has got so many messages; tells the last. */
async function untilConfirmed(io: Io, id: string, emulatorUrl: string, count: number): Promise<void> {
  const deadline = Date.now() + confirmedWithinMs
  while (Date.now() < deadline) {
    const conversation = await json<{ messages: { direction: string; text: string }[] }>(
      fetch(`${emulatorUrl}/_emulator/conversations/${id}`),
    )
    const said = conversation.messages.filter(({ direction }) => direction === 'outbound')
    if (said.length >= count) return io.out(`The conversation got: ${said.at(-1)?.text}\n`)
    await sleep(100)
  }
  throw new Error(`No confirmation arrived within ${confirmedWithinMs / 1000} s.`)
}

function showWhatNext(
  io: Io,
  { service, emulator, conversationId }: { service: string; emulator: string; conversationId: string },
): void {
  const sample = samplePath.includes("'") ? 'demo/photo.jpg' : `'${samplePath}'`
  const open = [
    ['/demo', "a customer's chat through the gateway"],
    ['/console', 'what an admin sees: sign in with Genesys Cloud, which is the emulator here'],
    [`/widget?conversationId=${conversationId}`, "what the conversation's agent sees"],
    ['/docs', 'the HTTP API'],
    ['/health/ready', 'how it stands'],
  ].map(([path, what]) => [service + path, what!] as const)
  io.out('Open:')
  for (const [url, what] of [...open, [`${emulator}/_emulator/requests`, 'what Genesys Cloud was asked'] as const])
    io.out(`  ${url}\n      ${what}`)
  io.out('\nSend a file yourself, and list what is there:\n')
  io.out(`curl -H 'Authorization: Bearer ${demoKey}' -F file=@${sample} ${service}/webhook/file-upload`)
  io.out(`curl -H 'Authorization: Bearer ${demoKey}' ${service}/v1/attachments`)
  io.out('\nCtrl-C ends it.')
}

const samplePath = join(dirname(fileURLToPath(import.meta.resolve('#package'))), 'demo', 'photo.jpg')

async function json<T>(answer: Promise<Response>): Promise<T> {
  const response = await answer
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as T
}

function portOf(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535)
    throw new ConfigError(['A port must be a number from 0 to 65535.'])
  return Number(text)
}
