import type { Verdict } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { withBreaker } from './breaker.ts'
import { type ClamdAddress, clamd } from './clamd.ts'
import type { Scanner } from './scanner.ts'

/** The engines that are configured, in the order in which they are asked. */
export interface EngineSettings {
  clamd: ClamdAddress | null
}

export function enginesOf(settings: EngineSettings, clock: Clock, judged: (verdict: Verdict) => void): Scanner[] {
  const engines = settings.clamd ? [clamd({ address: settings.clamd, clock })] : []
  return engines.map((engine) => {
    const guarded = withBreaker(engine, clock)
    return {
      ...guarded,
      async scan(file) {
        const verdict = await guarded.scan(file)
        judged(verdict)
        return verdict
      },
    }
  })
}
