import { createRequire } from 'node:module'
import type { Emulator } from '../../emulator/index.ts'

type Sdk = typeof import('purecloud-platform-client-v2')

/** The official SDK knows one client only; each call points it at another emulator. */
export function officialSdk(emulator: Emulator) {
  const api = createRequire(import.meta.url)('purecloud-platform-client-v2') as Sdk
  const client = api.ApiClient.instance
  client.setGateway({ protocol: 'http', host: '127.0.0.1', port: emulator.port })
  return { api, client }
}
