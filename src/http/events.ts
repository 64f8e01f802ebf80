import { z } from 'zod'
import type { Viewer, Viewers } from '../access/viewers.ts'
import type { Clock } from '../clock.ts'
import { BadRequest, Forbidden, NotFound, SenderGone, Throttled, Unauthorized, Unavailable } from '../errors.ts'
import type { Hub } from '../live/hub.ts'
import { createEventStream } from './eventStream.ts'
import { letView } from './letIn.ts'
import { type ReadParts, readsOf, requireShown } from './reads.ts'
import type { Routes } from './server.ts'
import { eventsQuery, problemShape } from './shapes.ts'
import { type ReaderLimits, watchReader } from './slowReader.ts'

export interface EventRouteParts extends ReadParts {
  viewers: Viewers
  hub: Pick<Hub, 'watch'>
  readers: ReaderLimits
  clock: Clock
}

const commentEveryMs = 15_000
/** Comments until it is asked again whether the viewer may still see this. */
const commentsPerLook = 2
/** At once by one person: more than anybody has pages open, and far less than all places. */
const mostOfPerson = 50
const comeAgainSeconds = 30

const problems = Object.fromEntries([400, 401, 403, 404, 429, 503].map((status) => [status, problemShape]))

/** GET /v1/events: what comes and changes, while it does. */
export function eventRoutes(parts: EventRouteParts): Routes {
  const { viewers, hub, readers, clock, events } = parts
  const { audit } = readsOf(parts)
  const places = placesOfPeople()
  return (app) => {
    app.route({
      method: 'GET',
      url: '/v1/events',
      config: { media: 'text/event-stream' },
      schema: {
        summary: 'Attachments as they come and change, as server-sent events',
        description:
          '`attachment` for each of the newest 100, the oldest first; `ready`; then `attachment` for each that is new or has changed, with the whole of it as data. `became` `{"id","became"}`: what was on its way under one id is here under another. It ends when the viewer may no longer see it.',
        tags: ['attachments'],
        security: [{ apiKey: [] }],
        querystring: eventsQuery,
        produces: ['text/event-stream'],
        response: { 200: z.unknown().describe('The events.'), ...problems },
      },
      onRequest: letView(viewers, 'read', 'watches'),
      handler: async (request, reply) => {
        const { conversationId } = request.query
        await requireShown(request.viewer, conversationId)
        const detail = JSON.stringify({ events: true, ...(conversationId !== undefined && { conversationId }) })
        await audit({ what: 'list', object: null, outcome: 'watched', detail }, request)

        const { raw } = reply
        // Nobody would tell us any more that they have gone.
        if (raw.destroyed) throw new SenderGone('who wanted to watch has gone')
        raw.once('close', places.take(request.viewer))
        const cutOff = () => {
          events.watcherTooSlow(request.id)
          raw.destroy()
        }
        const stream = createEventStream(raw, cutOff)
        const leave = hub.watch(conversationId ?? null, {
          changed: (attachment) => stream.send('attachment', attachment),
          became: (id, became) => stream.send('became', { id, became }),
          ready: () => stream.send('ready', {}),
          ended: () => stream.end(),
        })
        const gone = new AbortController()
        raw.once('close', () => {
          leave()
          gone.abort()
          stream.body.destroy()
        })
        watchReader(raw, readers, cutOff)

        const asker = { method: request.method, headers: request.headers }
        const mayStillSee = async () => {
          try {
            await requireShown(await viewers.require(asker, 'read', 'watches'), conversationId)
            return true
          } catch (error) {
            const expected = [Unauthorized, Forbidden, NotFound, BadRequest, Throttled, Unavailable]
            if (!expected.some((kind) => error instanceof kind)) events.requestFailed(request.id, error)
            return false
          }
        }
        const keep = async () => {
          for (let comments = 1; !gone.signal.aborted; comments++) {
            await clock.wait(commentEveryMs, gone.signal)
            stream.comment()
            if (comments % commentsPerLook === 0 && !gone.signal.aborted && !(await mayStillSee())) stream.end()
          }
        }
        void keep()
        return (
          reply
            .header('content-type', 'text/event-stream')
            .header('cache-control', 'no-store')
            // nginx would collect them first.
            .header('x-accel-buffering', 'no')
            .send(stream.body)
        )
      },
    })
  }
}

/** So that no person takes the places of all others. Programs are trusted with theirs. */
function placesOfPeople() {
  const taken = new Map<string, number>()
  return {
    /** Returns how to leave it. Throws `Throttled` when this person has too many. */
    take(viewer: Viewer | null): () => void {
      if (!viewer?.session) return () => {}
      const { who } = viewer
      const times = taken.get(who) ?? 0
      if (times >= mostOfPerson) throw new Throttled('rate_limited', comeAgainSeconds)
      taken.set(who, times + 1)
      return () => {
        const left = taken.get(who)! - 1
        if (left > 0) taken.set(who, left)
        else taken.delete(who)
      }
    },
  }
}
