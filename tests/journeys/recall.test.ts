import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Attachment, reference, type Verdict } from '../../src/attachment.ts'
import type { Clock } from '../../src/clock.ts'
import type { AuditLink } from '../../src/records/questions/audit.ts'
import type { Scanner } from '../../src/scan/scanner.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { type Fixture, png, text } from '../fixtures/files.ts'
import { hurriedClock, until } from '../genesys/clock.ts'
import { keys, startTestService, temporaryFolder, testEnvironment } from '../harness.ts'
import { listening } from '../scan/listen.ts'
import { run } from './process.ts'

const marker = 'harmful by tomorrow'

/** An engine that learns: by the signatures of tomorrow it finds what is marked. */
function learning(name = 'learning') {
  const state = { signatures: 'today' as string | null, fails: false, asked: 0 }
  const engine = fakeEngine({
    name,
    signatures: () => state.signatures,
    say: (bytes): Pick<Verdict, 'verdict' | 'detail'> => {
      state.asked += 1
      if (state.fails) return { verdict: 'failed', detail: 'connection refused' }
      const found = state.signatures !== 'today' && bytes.includes(marker)
      return found ? { verdict: 'infected', detail: 'Late-Threat' } : { verdict: 'clean' }
    },
  })
  return { state, engine }
}

interface Options {
  scanners: Scanner[]
  policy?: Record<string, unknown>
  env?: Record<string, string>
  dataDir?: string
  clock?: Clock
}

async function start({ scanners, policy = {}, env = {}, dataDir, clock = hurriedClock }: Options) {
  const file = join(await temporaryFolder(), 'policy.json')
  await writeFile(file, JSON.stringify(policy))
  const service = await startTestService({
    env: { POLICY_FILE: file, ...env },
    overrides: { scanners, clock },
    ...(dataDir && { dataDir }),
  })
  const record = async (id: string) => (await service.get<Attachment>(`/v1/attachments/${id}`)).body
  return {
    ...service,
    record,
    async take(file: Fixture, options = {}) {
      const { body } = await service.push(file, options)
      return body.attachment
    },
    becomes: (id: string, state: Attachment['state']) => until(async () => (await record(id)).state === state),
    judgedBy: (id: string, signatures: string) =>
      until(async () => (await record(id)).verdicts.some((verdict) => verdict.signatures === signatures)),
    content: async (id: string) => {
      const response = await fetch(`${service.url}/v1/attachments/${id}/content`, {
        headers: { authorization: `Bearer ${keys.read}` },
      })
      await response.arrayBuffer()
      return response.status
    },
  }
}

const harmful = () => text('letter.txt', `Dear Sir, this is ${marker}`)

describe('a verdict', () => {
  it('serves for the same bytes again while the signatures stay the same, and tells when it was given', async () => {
    const { state, engine } = learning()
    const service = await start({ scanners: [engine], policy: { rescanDays: 0 } })
    const file = harmful()
    const first = await service.take(file)
    const again = await service.take(file)
    expect(state.asked).toBe(1)
    expect(again.id).not.toBe(first.id)
    expect(again.verdicts).toEqual(first.verdicts)
    await service.take(text('letter.txt', `Dear Madam, this is ${marker}`))
    expect(state.asked).toBe(2)
    state.signatures = 'tomorrow'
    const refused = await service.push(file)
    expect([refused.status, state.asked]).toEqual([422, 3])
    const once = await service.push(file)
    expect([once.status, once.body.code, state.asked]).toEqual([422, 'malware', 3])
  })

  it('of one engine says nothing for another', async () => {
    const [a, b] = [learning('a'), learning('b')]
    const dataDir = await temporaryFolder()
    const file = harmful()
    const policy = { rescanDays: 0 }
    const one = await start({ scanners: [a.engine], policy, dataDir })
    await one.take(file)
    await one.service.stop()
    const both = await start({ scanners: [a.engine, b.engine], policy, dataDir })
    expect((await both.take(file)).verdicts.map(({ engine }) => engine)).toEqual(['a', 'b'])
    expect([a.state.asked, b.state.asked]).toEqual([1, 1])
  })

  it.each([
    ['without signatures', { signatures: null }, {}],
    ['where the policy says never', {}, { reuseVerdictHours: 0 }],
    ['that is none', { fails: true }, {}],
  ])('%s serves once', async (_, is, policy) => {
    const { state, engine } = learning()
    Object.assign(state, is)
    const service = await start({ scanners: [engine], policy })
    const file = harmful()
    await service.push(file)
    await service.push(file)
    expect(state.asked).toBe(2)
  })

  it('that is older than its hours serves no more, and one of an erased file is forgotten', async () => {
    const { state, engine } = learning()
    let ahead = 0
    const clock = { ...hurriedClock, now: () => new Date(Date.now() + ahead) }
    const service = await start({ scanners: [engine], policy: { reuseVerdictHours: 2, rescanDays: 0 }, clock })
    const file = harmful()
    await service.take(file)
    ahead = 2 * 3_600_000 + 1000
    const { id } = await service.take(file)
    expect(state.asked).toBe(2)
    await fetch(`${service.url}/v1/attachments/${id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${keys.all}` },
    })
    await service.take(file)
    expect(state.asked).toBe(3)
  })
})

describe('when signatures change', () => {
  it('a file in which something is found now is called back: gone, audited, told to the operator and the conversation', async () => {
    const { state, engine } = learning()
    const service = await start({ scanners: [engine] })
    const conversationId = service.conversation()
    const { id } = await service.take(harmful(), { conversationId })
    const good = await service.take(await png())
    await service.confirmations(conversationId)
    await until(async () => (await service.record(id)).confirmation?.state === 'delivered')
    expect(await service.content(id)).toBe(200)
    state.signatures = 'tomorrow'
    await service.becomes(id, 'recalled')
    expect(await service.record(id)).toMatchObject({
      code: 'malware',
      detail: 'learning: Late-Threat',
      verdicts: [{ engine: 'learning', verdict: 'infected', detail: 'Late-Threat', signatures: 'tomorrow' }],
    })
    expect(await service.content(id)).toBe(410)
    const texts = await service.confirmations(conversationId, 2)
    expect(texts[1]).toContain('Something harmful has been found in it since')
    expect(texts[1]).toContain(`${reference(id)}-2`)
    expect(service.emulator.conversation(conversationId)?.attributes).toMatchObject({ clipgate_state: 'recalled' })
    expect(service.logged).toContainEqual(
      expect.objectContaining({ msg: 'file decided on', attachmentId: id, state: 'recalled', code: 'malware' }),
    )
    await service.judgedBy(good.id, 'tomorrow')
    expect(await service.record(good.id)).toMatchObject({ state: 'accepted', verdicts: [{ verdict: 'clean' }] })
    const metrics = await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${keys.read}` } })
    expect(await metrics.text()).toContain('clipgate_decided_total{state="recalled",code="malware"} 1')
    await service.service.stop()
    const program = run(['audit', 'list', '--json'], testEnvironment(service.dataDir, service.emulator.url))
    await program.ended
    const rows = program
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditLink)
    expect(rows).toContainEqual(
      expect.objectContaining({ who: '(service)', what: 'recall', object: id, outcome: 'malware' }),
    )
  })

  it('the operator’s webhook is told', async () => {
    const told: { kind: string; attachment: Attachment }[] = []
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        told.push(JSON.parse(Buffer.concat(chunks).toString()))
        response.writeHead(204).end()
      })
    })
    const port = await listening(server)
    const env = { ALERT_WEBHOOK: `http://127.0.0.1:${port}/`, ALERT_WEBHOOK_SECRET: 'a-webhook-secret-0123456789' }
    const { state, engine } = learning()
    const service = await start({ scanners: [engine], env })
    const { id } = await service.take(harmful())
    state.signatures = 'tomorrow'
    await until(() => told.length > 0)
    expect(told).toEqual([
      expect.objectContaining({
        kind: 'file.recalled',
        attachment: expect.objectContaining({ id, state: 'recalled' }),
      }),
    ])
  })

  it('what a person lets through all the same is not called back by the next ones', async () => {
    const { state, engine } = learning()
    const service = await start({ scanners: [engine] })
    const bad = await service.take(harmful())
    state.signatures = 'tomorrow'
    await service.becomes(bad.id, 'recalled')
    const release = await fetch(`${service.url}/v1/attachments/${bad.id}/release`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys.all}`, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'the engine is wrong' }),
    })
    expect(release.status).toBe(200)
    const later = await service.take(await png())
    state.signatures = 'the day after'
    await service.judgedBy(later.id, 'the day after')
    expect((await service.record(bad.id)).state).toBe('accepted')
    expect(await service.content(bad.id)).toBe(200)
  })

  it('an engine that has no verdict lets the walk rest, which goes on where it was', async () => {
    const { state, engine } = learning()
    const service = await start({ scanners: [engine] })
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push((await service.take(text())).id)
    const bad = await service.take(harmful())
    state.fails = true
    state.signatures = 'tomorrow'
    const before = state.asked
    await until(() => state.asked > before)
    expect((await service.record(bad.id)).state).toBe('accepted')
    state.fails = false
    await service.becomes(bad.id, 'recalled')
    for (const id of ids) await service.judgedBy(id, 'tomorrow')
  })

  it('while the service was down, the walk begins with the next start', async () => {
    const { state, engine } = learning()
    const dataDir = await temporaryFolder()
    const before = await start({ scanners: [engine], dataDir })
    const { id } = await before.take(harmful())
    await before.service.stop()
    state.signatures = 'tomorrow'
    const after = await start({ scanners: [engine], dataDir })
    await after.becomes(id, 'recalled')
  })

  it('files of more days than the policy says are left as they are', async () => {
    const { state, engine } = learning()
    let ahead = 0
    const clock = { ...hurriedClock, now: () => new Date(Date.now() + ahead) }
    const service = await start({ scanners: [engine], policy: { rescanDays: 2 }, clock })
    const old = await service.take(harmful())
    ahead = 2 * 86_400_000
    const young = await service.take(harmful())
    state.signatures = 'tomorrow'
    ahead += 1000
    await service.becomes(young.id, 'recalled')
    expect((await service.record(old.id)).state).toBe('accepted')
  })

  it('an engine that does not tell its signatures is not asked again, and what it said stands', async () => {
    const { state, engine } = learning()
    const silent = learning('silent')
    silent.state.signatures = null
    const service = await start({ scanners: [silent.engine, engine] })
    const { id, verdicts } = await service.take(await png())
    expect(verdicts.map(({ engine }) => engine)).toEqual(['silent', 'learning'])
    state.signatures = 'tomorrow'
    await service.judgedBy(id, 'tomorrow')
    expect(silent.state.asked).toBe(1)
    expect((await service.record(id)).verdicts.map(({ engine }) => engine).sort()).toEqual(['learning', 'silent'])
  })
})
