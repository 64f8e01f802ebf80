import type { FastifyRequest } from 'fastify'
import { describe, expect, it } from 'vitest'
import { Forbidden, Unavailable } from '../errors.ts'
import type { AuditEntry } from '../records/questions/audit.ts'
import type { Records } from '../records/records.ts'
import { createEvents } from '../telemetry/events.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { createDenials } from './denials.ts'
import { problemOf } from './problem.ts'

const now = new Date('2026-10-02T09:14:07.512Z')

function start() {
  const rows: AuditEntry[] = []
  const logged: Record<string, unknown>[] = []
  let full = false
  let passed = () => {}
  const audit = async (entry: AuditEntry) => {
    if (full) throw new Unavailable('the disk is full')
    rows.push(entry)
  }
  const clock = {
    now: () => now,
    wait: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        passed = resolve
        signal?.addEventListener('abort', () => resolve())
      }),
  }
  const log = createLog('info', { write: (line) => void logged.push(JSON.parse(line)) })
  const denials = createDenials({ records: { audit } as Records, clock, events: createEvents(log, createMetrics()) })
  const forbid = (who: string | null, url = '/v1/attachments', id = 'x') => {
    const request = { id: 'req_1', method: 'GET', routeOptions: { url }, params: { id }, who: null, ip: '::1' }
    const error = new Forbidden('no', who)
    denials.note(request as unknown as FastifyRequest, problemOf(error), error)
  }
  return {
    rows,
    logged,
    denials,
    forbid,
    setFull: (is: boolean) => {
      full = is
    },
    /** Ends the minute, and lets what follows from it happen. */
    async minute() {
      passed()
      await new Promise((resolve) => setImmediate(resolve))
    },
    told: () => rows.map(({ who, detail }) => [who, (JSON.parse(detail ?? '') as { times?: number }).times ?? 1]),
  }
}

describe('refused requests', () => {
  it('make a row at once, and one more a minute for all that repeat it', async () => {
    const { forbid, minute, told, rows } = start()
    for (let i = 0; i < 5; i++) forbid('desk')
    forbid('desk', '/metrics')
    expect(told()).toEqual([
      ['desk', 1],
      ['desk', 1],
    ])
    await minute()
    expect(told().slice(2)).toEqual([['desk', 4]])
    expect(rows[2]).toMatchObject({ what: 'request_refuse', outcome: 'forbidden', requestId: null, object: null })
    await minute()
    expect(rows).toHaveLength(3)
    forbid('desk')
    expect(rows).toHaveLength(4)
  })

  it('of more than twenty kinds a minute are counted together', async () => {
    const { forbid, denials, told } = start()
    for (let i = 0; i < 25; i++) forbid(`key-${i}`)
    forbid('key-3')
    await denials.close()
    expect(told().slice(20)).toEqual([
      ['key-3', 1],
      ['(several)', 5],
    ])
  })

  it('that cannot be written are counted until they can, and the log says why', async () => {
    const { forbid, setFull, minute, told, rows, logged } = start()
    setFull(true)
    forbid('desk')
    forbid('desk')
    await minute()
    await minute()
    expect(rows).toEqual([])
    expect(logged[0]).toMatchObject({ msg: 'not in the audit trail yet', what: 'request_refuse' })
    setFull(false)
    forbid('desk')
    await minute()
    expect(told()).toEqual([['desk', 3]])
  })

  it('of callers that nobody knows are not counted as of somebody', async () => {
    const { forbid, denials, rows } = start()
    forbid(null)
    await denials.close()
    expect(rows).toEqual([])
  })
})
