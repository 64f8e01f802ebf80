import type { Verdict } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { withBreaker } from './breaker.ts'
import { clamd } from './clamd.ts'
import { command } from './command.ts'
import { type Engine, scannerOf } from './engine.ts'
import { http } from './http.ts'
import { icap } from './icap.ts'
import type { Scanner, Signatures } from './scanner.ts'
import type { EngineSettings } from './settings.ts'

export interface EngineParts {
  /** The bearer token for the HTTP engine. */
  token: string | null
  clock: Clock
  events: {
    engineJudged(verdict: Verdict): void
    /** Null: it does not tell. */
    engineKnown(engine: string, signatures: Signatures | null): void
  }
}

/** In the order in which they are asked: the one that knows most threats by name first. */
export function enginesOf(settings: EngineSettings, { token, clock, events }: EngineParts): Scanner[] {
  const engines: Engine[] = []
  if (settings.clamd) engines.push(clamd({ address: settings.clamd, clock }))
  if (settings.icap) engines.push(icap({ settings: settings.icap, clock }))
  if (settings.command) engines.push(command({ command: settings.command, clock }))
  if (settings.http) engines.push(http({ ...settings.http, token, clock }))
  return engines.map((engine) => {
    const guarded = withBreaker(
      scannerOf(engine, clock, (signatures) => events.engineKnown(engine.name, signatures)),
      clock,
    )
    return {
      ...guarded,
      async scan(file, options) {
        const verdict = await guarded.scan(file, options)
        events.engineJudged(verdict)
        return verdict
      },
    }
  })
}
