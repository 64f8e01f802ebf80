import { onTestFinished } from 'vitest'
import { startEmulator } from '../../emulator/index.ts'
import { createGenesysClient, type GenesysClientOptions } from '../../src/genesys/client.ts'
import { clientCredentials } from '../../src/genesys/grants.ts'
import { createEvents, type Events } from '../../src/telemetry/events.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { manualClock } from './clock.ts'

/** An emulator of the test's own and a client of it, both by a clock that only the test moves. */
export async function start(options: Partial<GenesysClientOptions> = {}) {
  const clock = manualClock()
  const emulator = await startEmulator({ now: () => clock.now() })
  onTestFinished(() => emulator.close())
  const { events, lines, metrics } = watchedEvents()
  const client = createGenesysClient({
    loginUrl: emulator.url,
    apiUrl: emulator.url,
    grant: clientCredentials('demo-client', 'demo-secret'),
    requestsPerMinute: 10_000,
    clock,
    events,
    random: () => 1,
    ...options,
  })
  const asked = (method: string, part = '') =>
    emulator.requests().filter((request) => request.method === method && request.path.includes(part)).length
  return { clock, emulator, client, events, lines, metrics, asked }
}

/** The real events, with the lines that they log. */
export function watchedEvents(): { events: Events; lines: string[]; metrics: ReturnType<typeof createMetrics> } {
  const lines: string[] = []
  const metrics = createMetrics()
  const log = createLog('trace', { write: (line: string) => void lines.push(line) })
  return { events: createEvents(log, metrics), lines, metrics }
}
