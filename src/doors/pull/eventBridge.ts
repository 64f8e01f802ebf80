import { createHash } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import { BadRequest } from '../../errors.ts'
import type { Sides } from '../../genesys/conversation.ts'
import type { Records } from '../../records/records.ts'
import { asksOf, type PlatformEvent } from './told.ts'

/** What became of the events of one request. */
export interface TakenEvents {
  /** New ones, of which some may ask for nothing. */
  taken: number
  /** Those that were here before. */
  repeated: number
}

/** So many at once are taken: API destinations send one, and a script of one's own may send a list. */
export const mostEvents = 1000

/**
 * Takes events as EventBridge delivers them, one or a list. Resolves once what they ask for is kept. EventBridge may
 * deliver an event again for days: it is known by its id, or by all that it says. Throws `BadRequest`.
 */
export async function takeEvents(
  body: unknown,
  { sides, records, clock }: { sides: Sides; records: Pick<Records, 'takeEvents'>; clock: Clock },
): Promise<TakenEvents> {
  const events = Array.isArray(body) ? body : [body]
  if (events.length > mostEvents) throw new BadRequest('bad_request', `At most ${mostEvents} events at once.`)
  const taken = await records.takeEvents({
    events: events.map((event, index) => {
      if (typeof event !== 'object' || event === null)
        throw new BadRequest('bad_request', `Event ${index} is no object.`)
      const { id, detail } = event as { id?: unknown; detail?: unknown }
      if (typeof detail !== 'object' || detail === null)
        throw new BadRequest('bad_request', `Event ${index} has no detail, as EventBridge delivers it.`)
      const named = typeof id === 'string' && id !== '' ? id : JSON.stringify(detail)
      return { id: createHash('sha256').update(named).digest('hex'), asks: asksOf(detail as PlatformEvent, sides) }
    }),
    at: clock.now(),
  })
  return { taken, repeated: events.length - taken }
}
