import type { FastifyRequest } from 'fastify'
import { parseAttachmentId } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { Forbidden } from '../errors.ts'
import type { AuditEntry } from '../records/questions/audit.ts'
import type { Records } from '../records/records.ts'
import type { Events } from '../telemetry/events.ts'
import type { Problem } from './problem.ts'

const windowMs = 60_000

/** Of different ones within a minute, so many have rows of their own; what comes beyond is counted together. */
const ownRows = 20

/**
 * Brings into the audit trail who was refused what. To be refused costs nothing, so the rows are bounded: the first of a
 * kind makes one, and those that repeat it within a minute are counted into one more. No request waits for it, and what
 * cannot be written now is counted until it can.
 */
export interface Denials {
  note(request: FastifyRequest, problem: Problem, error: unknown): void
  /** Writes what was counted so far. */
  close(): Promise<void>
}

/** What makes two of the same kind. */
interface Denial {
  entry: Pick<AuditEntry, 'who' | 'object' | 'outcome'> & { what: 'credential_refuse' | 'request_refuse' }
  /** Unknown callers are told apart by address, whatever they try; known ones by what they ask for. */
  where: { address?: string; route?: string }
}

interface Counted extends Denial {
  /** How many are in no row yet, and since when. */
  times: number
  from: Date
  last: Date
}

export function createDenials(parts: { records: Records; clock: Clock; events: Events }): Denials {
  const { records, clock, events } = parts
  let counted = new Map<string, Counted>()
  const writing = new Set<Promise<void>>()
  const ended = new AbortController()
  let minute: Promise<void> | null = null

  /** `unwritten`: what is counted again when it cannot be written. */
  function write(row: AuditEntry, unwritten: Counted): void {
    const done = records.audit(row).catch((error: unknown) => {
      events.notAudited(row.what, error)
      count(unwritten)
    })
    writing.add(done)
    void done.then(() => writing.delete(done))
  }

  function count(more: Counted): void {
    const key = keyOf(more)
    const found = counted.get(key)
    if (!found) counted.set(key, more)
    else {
      if (found.times === 0 || more.from < found.from) found.from = more.from
      if (more.last > found.last) found.last = more.last
      found.times += more.times
    }
  }

  async function writeCounted(): Promise<void> {
    await Promise.all(writing)
    const over = counted
    counted = new Map()
    for (const one of over.values()) {
      if (one.times === 0) continue
      const detail = JSON.stringify({ ...one.where, times: one.times, from: one.from })
      write({ ...one.entry, at: one.last, requestId: null, detail }, one)
    }
    await Promise.all(writing)
  }

  async function minutes(): Promise<void> {
    do {
      await clock.wait(windowMs, ended.signal)
      await writeCounted()
    } while (counted.size > 0 && !ended.signal.aborted)
    minute = null
  }

  return {
    note(request, problem, error) {
      const denial = denialOf(request, problem, error)
      if (!denial) return
      minute ??= minutes()
      const { entry, where } = denial
      const at = clock.now()
      const one = { ...denial, times: 1, from: at, last: at }
      if (counted.has(keyOf(denial))) count(one)
      else if ([...counted.values()].filter(({ entry: { what } }) => what === entry.what).length >= ownRows)
        count({ ...one, entry: { ...several, what: entry.what }, where: {} })
      else {
        count({ ...one, times: 0 })
        const detail = JSON.stringify({ ...where, route: routeOf(request) })
        write({ ...entry, at, requestId: request.id, detail }, one)
      }
    },
    async close() {
      ended.abort()
      await minute
    },
  }
}

const several = { who: '(several)', object: null, outcome: 'several' }

function keyOf({ entry, where }: Denial): string {
  return JSON.stringify([entry, where])
}

/**
 * What of the refused requests is in the trail: all refused credentials; and of known callers, what they may not do (403),
 * what is not there or not any more (404 and 410: trying ids looks like this), and what contradicts what is (409), but for
 * a delivery that is still running. Requests that are malformed, too slow or too many are in the log only.
 */
function denialOf(request: FastifyRequest, { status, code }: Problem, error: unknown): Denial | null {
  if (status === 401)
    return {
      entry: { what: 'credential_refuse', who: '(unknown)', object: null, outcome: code },
      where: { address: request.ip },
    }
  const who = (error instanceof Forbidden ? error.who : null) ?? request.who
  if (who === null || code === 'in_progress' || ![403, 404, 409, 410].includes(status)) return null
  return {
    entry: { what: 'request_refuse', who, object: objectOf(request), outcome: code },
    where: { route: routeOf(request) },
  }
}

function routeOf({ method, routeOptions }: FastifyRequest): string {
  return `${method} ${routeOptions.url ?? '(none)'}`
}

/** Only what can be an id: whatever else a caller wrote there may be anything, a file's name too. */
function objectOf({ params }: FastifyRequest): string | null {
  const { id } = (params ?? {}) as { id?: string }
  try {
    return id === undefined ? null : parseAttachmentId(id)
  } catch {
    return null
  }
}
