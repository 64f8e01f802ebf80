import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { systemClock } from '../../src/clock.ts'
import { clamd } from '../../src/scan/clamd.ts'
import { scannerOf } from '../../src/scan/engine.ts'
import { scannableOf } from '../fixtures/engines.ts'
import { text } from '../fixtures/files.ts'
import { zipOf } from '../fixtures/zips.ts'
import { keys, startTestService, temporaryFolder, testEnvironment } from '../harness.ts'
import { run } from '../journeys/process.ts'
import { hasClamd, marker, startClamd, threat } from './clamd.ts'

describe.skipIf(!hasClamd)('a real clamd (apt-get install --no-install-recommends clamav-daemon)', () => {
  it('finds what is marked, wherever it stands, and nothing in what is not', async () => {
    const { socket } = await startClamd()
    const engine = scannerOf(clamd({ address: { path: socket }, clock: systemClock }), systemClock)
    const noise = randomBytes(3_000_000)
    expect(await engine.scan(scannableOf(noise))).toMatchObject({
      verdict: 'clean',
      signatures: expect.stringMatching(/^ClamAV /),
    })
    const marked = Buffer.concat([noise, Buffer.from(marker), randomBytes(1000)])
    expect(await engine.scan(scannableOf(marked))).toMatchObject({ verdict: 'infected', detail: threat })
    await engine.check()
  })

  it('never calls clean what is larger than it takes', async () => {
    const { socket } = await startClamd({ streamMaxLength: '1M' })
    const engine = scannerOf(clamd({ address: { path: socket }, clock: systemClock }), systemClock)
    for (let i = 0; i < 5; i++) {
      const { verdict } = await engine.scan(scannableOf(randomBytes(8_000_000)))
      // It says so and hangs up; what it said may be lost with the connection.
      expect(['unscannable', 'failed']).toContain(verdict)
    }
    expect(await engine.scan(scannableOf(randomBytes(1000)))).toMatchObject({ verdict: 'clean' })
  })

  it('judges what is pushed: a threat is refused and recorded, the rest is accepted with its verdict', async () => {
    const { address } = await startClamd()
    const service = await startTestService({ env: { SCAN: 'required', CLAMD: address } })
    const bad = await service.push(text('letter.txt', `Dear Sir, ${marker}`))
    expect([bad.status, bad.body.code]).toEqual([422, 'malware'])
    expect(JSON.stringify(bad.body)).not.toContain(threat)
    const record = await service.get<Attachment>(`/v1/attachments/${bad.body.attachmentId}`)
    expect(record.body).toMatchObject({ state: 'refused', code: 'malware', detail: `clamd: ${threat}` })
    const good = await service.push(text('letter.txt', 'Dear Sir'))
    expect(good.body.attachment).toMatchObject({
      state: 'accepted',
      scan: 'required',
      verdicts: [{ engine: 'clamd', verdict: 'clean', signatures: expect.stringMatching(/^ClamAV /) }],
    })
    expect((await service.get<{ ready: boolean }>('/health/ready')).body.ready).toBe(true)
    const metrics = await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${keys.read}` } })
    expect(await metrics.text()).toContain('clipgate_scans_total{engine="clamd",verdict="infected"} 1')
  })

  it('that is down is a 503 that keeps nothing, named by readiness; when it is back, the same push goes through', async () => {
    const engine = await startClamd()
    const service = await startTestService({ env: { SCAN: 'required', CLAMD: engine.address } })
    await engine.stop()
    const file = text('letter.txt', 'Dear Sir')
    const refused = await service.push(file, { idempotencyKey: 'k1' })
    expect([refused.status, refused.body.code]).toEqual([503, 'unavailable'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await service.get<{ items: unknown[] }>('/v1/attachments')).body.items).toEqual([])
    const ready = await service.get<{ ready: boolean; checks: Record<string, unknown> }>('/health/ready')
    expect([ready.status, JSON.stringify(ready.body.checks.scan)]).toEqual([503, expect.stringContaining('clamd')])
    await engine.startAgain()
    expect((await service.push(file, { idempotencyKey: 'k1' })).status).toBe(200)
  })

  it('calls a threat in 31 MB clean, which is never accepted: our own limits lie below its', async () => {
    const { address, socket } = await startClamd()
    const content = Buffer.concat([Buffer.alloc(31 * 1024 * 1024), Buffer.from(marker)])
    const bytes = zipOf({ parts: [{ name: 'a', content }] })
    const engine = scannerOf(clamd({ address: { path: socket }, clock: systemClock }), systemClock)
    expect(await engine.scan(scannableOf(bytes))).toMatchObject({ verdict: 'clean' })
    const inMegabyte = zipOf({ parts: [{ name: 'a', content: content.subarray(-1024 * 1024) }] })
    expect(await engine.scan(scannableOf(inMegabyte))).toMatchObject({ verdict: 'infected' })

    const env = { SCAN: 'required', CLAMD: address, ALLOWED_TYPES: 'application/zip' }
    const service = await startTestService({ env })
    const { status, body } = await service.push({ name: 'photos.zip', type: 'application/zip', bytes })
    expect([status, body.code]).toEqual([422, 'bomb'])
    const record = await service.get<Attachment>(`/v1/attachments/${body.attachmentId}`)
    expect(record.body.detail).toBe('1 entry expands to 31 MB, limit 20 MB')
  })

  it('is looked at by the doctor: its answer, its signatures, and whether it looks as far as we let files go', async () => {
    const engine = await startClamd({ streamMaxLength: '1M' })
    const dataDir = await temporaryFolder()
    const env = {
      ...testEnvironment(dataDir, 'http://127.0.0.1:9'),
      CLIPGATE_SCAN: 'required',
      CLIPGATE_CLAMD: engine.address,
      CLIPGATE_GENESYS_CLIENT_ID: '',
      CLIPGATE_GENESYS_CLIENT_SECRET: '',
    }
    const examined = async () => {
      const program = run(['doctor', '--json'], env)
      await program.ended
      return (JSON.parse(program.stdout()) as { findings: { what: string; state: string; says: string }[] }).findings
    }
    const scan = (await examined()).filter(({ what }) => what === 'scan')
    expect(scan).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ state: 'ok', says: expect.stringMatching(/^clamd answers: ClamAV /) }),
        expect.objectContaining({ state: 'warning', says: expect.stringContaining('does not tell how old') }),
        expect.objectContaining({ state: 'warning', says: expect.stringContaining('StreamMaxLength is 1M') }),
      ]),
    )
    await engine.stop()
    expect(await examined()).toContainEqual(expect.objectContaining({ what: 'scan', state: 'failed' }))
  })
})
