import type { AddressInfo } from 'node:net'
import { createClock } from './clock.ts'
import { listenElsewhere } from './elsewhere.ts'
import type { Control } from './own/control.ts'
import { createServer } from './server.ts'

export type { Fault } from './faults.ts'
export { GuestRefusal } from './guest/refusal.ts'
export type { Control, ConversationIds, ConversationSummary, MessageSummary } from './own/control.ts'
export { UnknownConversation } from './own/control.ts'
export { Malformed } from './parse.ts'
export type { LoggedRequest } from './requestLog.ts'
export type { Switches } from './switches.ts'
export type { CustomerFile } from './world/message.ts'
export type { CustomerMessage } from './world/world.ts'

/** A running emulator of Genesys Cloud, with what the `_emulator` routes do at hand as functions. */
export interface Emulator extends Control {
  /** Origin of everything: login, api and downloads. */
  url: string
  port: number
  /** Another origin of the same, on loopback too, to which downloads can be made to redirect. */
  elsewhereUrl: string
  /** Cuts open connections. What happened is forgotten. */
  close(): Promise<void>
}

export interface EmulatorOptions {
  /** 0, the default: any free port. */
  port?: number
  host?: '127.0.0.1'
  /** A clock that stands still moves by `advance`; one that its owner moves is caught up with by `advance(0)`. */
  now?: () => Date
}

/** Resolves once it listens. Rejects with Node's own error if the port is taken. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { port = 0, host = '127.0.0.1', now = () => new Date() } = options
  const clock = createClock(now)
  const origins = { own: () => originOf(app), elsewhere: () => elsewhere.url }
  const { app, control, dropSockets } = createServer(clock, origins)
  await app.listen({ port, host })
  const elsewhere = await listenElsewhere(app.server)
  return {
    ...control,
    url: originOf(app),
    port: addressOf(app).port,
    elsewhereUrl: elsewhere.url,
    async close() {
      clock.stop()
      dropSockets()
      elsewhere.close()
      await app.close()
    },
  }
}

type App = ReturnType<typeof createServer>['app']

const addressOf = (app: App) => app.server.address() as AddressInfo

function originOf(app: App): string {
  const { address, port } = addressOf(app)
  return `http://${address}:${port}`
}
