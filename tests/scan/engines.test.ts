import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { createServer as createTls } from 'node:tls'
import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { systemClock } from '../../src/clock.ts'
import { readConfig } from '../../src/config.ts'
import { enginesOf } from '../../src/scan/engines.ts'
import type { Scanner } from '../../src/scan/scanner.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { certificateFor } from '../certificates.ts'
import { scannableOf } from '../fixtures/engines.ts'
import { text } from '../fixtures/files.ts'
import { keys, startTestService, temporaryFolder } from '../harness.ts'
import { run } from '../journeys/process.ts'
import { bringsCIcap, hasCIcap, startCIcap } from './cIcap.ts'
import { hasClamd, marker, startClamd, threat } from './clamd.ts'
import { listening } from './listen.ts'

const hasClamdscan = spawnSync('clamdscan', ['--version']).error === undefined
if (!hasClamdscan && process.env.TEST_REQUIRE === 'all')
  throw new Error('clamdscan is missing: apt-get install --no-install-recommends clamdscan')

/** The engine that these settings name. */
function engineBy(env: Record<string, string>): Scanner {
  const { config } = readConfig(
    Object.fromEntries(Object.entries(env).map(([name, value]) => [`CLIPGATE_${name}`, value])),
  )
  const events = createEvents(createLog('silent'), createMetrics())
  const [engine] = enginesOf(config.engines, { token: null, clock: systemClock, events })
  return engine!
}

const noise = randomBytes(3_000_000)
const marked = Buffer.concat([noise, Buffer.from(marker), randomBytes(1000)])

describe.skipIf(!hasClamd || !hasCIcap)(`a real c-icap (${bringsCIcap})`, () => {
  it.each(['respmod', 'reqmod'])('by %s finds what clamd finds, with and without a preview', async (method) => {
    const { socket } = await startClamd()
    const { url } = await startCIcap(socket)
    for (const preview of ['', '&preview=1024']) {
      const engine = engineBy({ ICAP_URL: `${url('avscan')}?method=${method}${preview}` })
      expect(await engine.check()).toMatchObject({ version: expect.stringMatching(/./) })
      for (const bytes of [noise, noise.subarray(0, 500)])
        expect(await engine.scan(scannableOf(bytes))).toMatchObject({
          verdict: 'clean',
          signatures: expect.any(String),
        })
      for (const bytes of [marked, Buffer.from(`Dear Sir, ${marker}`)])
        expect(await engine.scan(scannableOf(bytes))).toMatchObject({ verdict: 'infected', detail: threat })
    }
  })

  it('whose clamd is down has no verdict', async () => {
    const { socket, stop } = await startClamd()
    const { url } = await startCIcap(socket)
    const engine = engineBy({ ICAP_URL: url('avscan') })
    await stop()
    expect(await engine.scan(scannableOf(marked))).toMatchObject({ verdict: 'failed', detail: 'it answered 500' })
  })

  it('that sends the same file back finds nothing in it; a service that is not there has no verdict', async () => {
    const { socket } = await startClamd()
    const { url } = await startCIcap(socket)
    expect(await engineBy({ ICAP_URL: url('echo') }).scan(scannableOf(noise))).toMatchObject({ verdict: 'clean' })
    expect(await engineBy({ ICAP_URL: url('nowhere') }).scan(scannableOf(noise))).toMatchObject({ verdict: 'failed' })
  })

  it('judges what is pushed in a chain with clamd: both must say clean', async () => {
    const { address, socket } = await startClamd()
    const { url } = await startCIcap(socket)
    const service = await startTestService({ env: { SCAN: 'required', CLAMD: address, ICAP_URL: url('avscan') } })
    const good = await service.push(text('letter.txt', 'Dear Sir'))
    expect((good.body.attachment as Attachment).verdicts.map(({ engine, verdict }) => [engine, verdict])).toEqual([
      ['clamd', 'clean'],
      ['icap', 'clean'],
    ])
    const only = await startTestService({ env: { SCAN: 'required', ICAP_URL: url('avscan') } })
    const bad = await only.push(text('letter.txt', `Dear Sir, ${marker}`))
    expect([bad.status, bad.body.code]).toEqual([422, 'malware'])
    const metrics = await fetch(`${only.url}/metrics`, { headers: { authorization: `Bearer ${keys.read}` } })
    expect(await metrics.text()).toContain('clipgate_scans_total{engine="icap",verdict="infected"} 1')
  })
})

describe.skipIf(!hasClamd || !hasClamdscan)('a real program (clamdscan)', () => {
  it('reads the file and ends with its verdict', async () => {
    const { config } = await startClamd()
    const engine = engineBy({ SCAN_COMMAND: `clamdscan --no-summary --config-file=${config} -` })
    expect(await engine.scan(scannableOf(noise))).toMatchObject({ verdict: 'clean' })
    expect(await engine.scan(scannableOf(marked))).toMatchObject({
      verdict: 'infected',
      detail: expect.stringContaining(threat),
    })
  })

  it('whose clamd is down has no verdict', async () => {
    const { config, stop } = await startClamd()
    await stop()
    const engine = engineBy({ SCAN_COMMAND: `clamdscan --no-summary --config-file=${config} -` })
    expect(await engine.scan(scannableOf(marked))).toMatchObject({ verdict: 'failed' })
  })
})

it('an engine behind HTTP judges what is pushed, with its token from a file', async () => {
  const asked: (string | undefined)[] = []
  const server = createServer(async (request, response) => {
    asked.push(request.headers.authorization)
    const pieces: Buffer[] = []
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece)
    const bytes = Buffer.concat(pieces)
    const verdict = bytes.includes(marker) ? 'infected' : 'clean'
    const { sha256 } = scannableOf(bytes)
    response.end(JSON.stringify(request.method === 'GET' ? {} : { verdict, sha256, detail: threat }))
  })
  const port = await listening(server)
  const folder = await temporaryFolder()
  const tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, 'a-token-of-the-engine\n')
  const env = { SCAN: 'required', SCAN_HTTP_URL: `http://127.0.0.1:${port}/`, SCAN_HTTP_TOKEN_FILE: tokenFile }
  const service = await startTestService({ env })
  const good = await service.push(text('letter.txt', 'Dear Sir'))
  expect(good.status, JSON.stringify(service.logged)).toBe(200)
  const bad = await service.push(text('letter.txt', `Dear Sir, ${marker}`))
  expect([bad.status, bad.body.code]).toEqual([422, 'malware'])
  expect(new Set(asked)).toEqual(new Set(['Bearer a-token-of-the-engine']))
})

describe('an engine behind TLS', () => {
  /** An ICAP server under a certificate that only `ca` vouches for. */
  async function secure(name: string) {
    const { key, cert } = await certificateFor(name)
    const server = createTls({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        const options = chunk.toString('latin1').startsWith('OPTIONS')
        if (options) socket.end('ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nISTag: "tls-1"\r\n\r\n')
        else if (chunk.toString('latin1').endsWith('0\r\n\r\n')) socket.end('ICAP/1.0 204 No\r\n\r\n')
      })
    })
    return { port: await listening(server), ca: cert }
  }

  it('that nobody vouches for has no verdict', async () => {
    const { port } = await secure('localhost')
    const engine = engineBy({ ICAP_URL: `icaps://localhost:${port}/avscan` })
    expect(await engine.scan(scannableOf(noise))).toMatchObject({
      verdict: 'failed',
      detail: expect.stringContaining('certificate'),
    })
  })

  it.each([
    ['localhost', /^ok\s+scan: icap answers: tls-1$/m],
    ['elsewhere.example', /^failed\s+scan: icap: Hostname\/IP does not match/m],
  ])('whose certificate is for %s', async (name, told) => {
    const { port, ca } = await secure(name)
    const program = run(['doctor'], {
      CLIPGATE_DATA_DIR: await temporaryFolder(),
      CLIPGATE_ICAP_URL: `icaps://localhost:${port}/avscan`,
      NODE_EXTRA_CA_CERTS: ca,
    })
    await program.ended
    expect(program.stdout()).toMatch(told)
  })
})
