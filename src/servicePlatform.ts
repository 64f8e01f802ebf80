import type { Clock } from './clock.ts'
import type { GenesysClient } from './genesys/client.ts'
import { comparePolicy } from './genesys/content/compare.ts'
import { type Difference, differenceKinds, type OurPolicy } from './genesys/content/differences.ts'
import { orUnavailable } from './genesys/errors.ts'
import { remembered } from './remembered.ts'
import type { Events } from './telemetry/events.ts'

/** The first look does not hold up a start, and an organization's settings change seldom. */
const firstAfterMs = 60_000
const everyMs = 6 * 60 * 60 * 1000

/**
 * Looks now and then at what Genesys Cloud lets in, for the metric. Resolves some time after it was told to end: a look that
 * runs may take its time, and nothing comes of it any more.
 */
export async function watchPlatform(
  genesys: Pick<GenesysClient, 'call'>,
  { policy, clock, events }: { policy: OurPolicy; clock: Clock; events: Events },
  signal: AbortSignal,
): Promise<void> {
  await clock.wait(firstAfterMs, signal)
  while (!signal.aborted) {
    await comparePolicy(genesys, policy).then(
      (found) => {
        if (signal.aborted) return
        const countOf = (kind: string) => found.filter((difference) => difference.kind === kind).length
        events.platformCompared(Object.fromEntries(differenceKinds.map((kind) => [kind, countOf(kind)])))
      },
      (error: unknown) => {
        if (!signal.aborted) events.platformNotCompared(error)
      },
    )
    await clock.wait(everyMs, signal)
  }
}

/** Each look is a dozen calls or so, out of the same share as all others. */
const freshMs = 30_000

/** Looks now, for who asks. Throws `Unavailable` when the platform does not tell. Null: there are no credentials to ask it with. */
export function differencesNow(
  genesys: Pick<GenesysClient, 'call'> | null,
  policy: OurPolicy,
  clock: Clock,
): (() => Promise<Difference[]>) | null {
  return genesys && remembered(freshMs, clock, () => orUnavailable(() => comparePolicy(genesys, policy)))
}
