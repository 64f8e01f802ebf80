import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { jpeg, png } from '../fixtures/files.ts'
import { hurriedClock } from '../genesys/clock.ts'
import { eventually, keys, pushTo, temporaryFolder } from '../harness.ts'
import { startPull } from './pulling.ts'

const secret = 'a-webhook-secret-0123456789'

interface Told {
  id: string
  kind: string
  at: string
  attachment: Attachment
}

/** A receiver that answers with what `answers` says, then with 204, and checks each signature as the page on it tells. */
async function receiver(answers: number[] = []) {
  const got: { told: Told; alertId: string; proven: boolean }[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const [, time, signature] =
        /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(request.headers['x-clipgate-signature'])) ?? []
      const expected = createHmac('sha256', secret).update(`${time}.POST ${request.url}\n`).update(body).digest('hex')
      got.push({
        told: JSON.parse(body.toString()),
        alertId: String(request.headers['x-clipgate-alert-id']),
        proven: signature === expected,
      })
      response.writeHead(answers.shift() ?? 204).end('ok')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?from=clipgate`
  return { got, url, env: { ALERT_WEBHOOK: url, ALERT_WEBHOOK_SECRET: secret } }
}

const bad = { name: 'photo.jpg', type: 'image/jpeg', bytes: Buffer.from('<html></html>') }

describe('a bad file that an agent may have seen', () => {
  it('is told to the webhook at once, signed, and to the agent’s script', async () => {
    const { got, env } = await receiver()
    const { conversation, customerSends, pull, emulator, confirmations } = await startPull({ env })
    const conversationId = conversation()
    const messageId = customerSends(conversationId, bad)
    const { body } = await pull({ conversationId, messageId })
    const [one] = await eventually(
      () => got,
      (all) => all.length > 0,
    )
    expect(one).toMatchObject({
      proven: true,
      told: {
        id: one!.alertId,
        kind: 'file.refused',
        attachment: {
          id: body.attachments[0]!.id,
          state: 'refused',
          code: 'type_mismatch',
          conversationId,
          messageId,
          agentMayHaveSeen: true,
        },
      },
    })
    expect(one!.alertId).toMatch(/^alr_[0-9a-f]{32}$/)
    // The customer is told by a message, and the script by attributes all the same.
    expect(await confirmations(conversationId)).toHaveLength(1)
    const { clipgate_state, clipgate_files } = emulator.conversation(conversationId).attributes
    expect(clipgate_state).toBe('refused')
    expect(JSON.parse(clipgate_files ?? '')).toMatchObject([{ name: 'photo.jpg', state: 'refused', seen: true }])
  })

  it('is told until the webhook takes it, always under the same id', async () => {
    const { got, env } = await receiver([500, 302, 404])
    let jump = 0
    const clock = { ...hurriedClock, now: () => new Date(Date.now() + jump) }
    const { conversation, customerSends, pull, url, logged } = await startPull({ env, overrides: { clock } })
    const conversationId = conversation()
    customerSends(conversationId, bad)
    await pull({ conversationId })
    for (let attempt = 1; attempt <= 3; attempt++) {
      const delayed = () => logged.filter(({ msg }) => msg === 'alert delayed').length
      await eventually(delayed, (count) => count === attempt)
      jump += 3600_000
    }
    await eventually(
      () => logged,
      (lines) => lines.some(({ msg }) => msg === 'alert delivered'),
    )
    expect(got.map(({ proven }) => proven)).toEqual([true, true, true, true])
    expect(new Set(got.map(({ alertId }) => alertId)).size).toBe(1)
    const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${keys.read}` } })
    expect(await metrics.text()).toContain('clipgate_alerts_total{kind="refused",outcome="delivered"} 1')
  })

  it('is still told when the service ends before the webhook could be reached', async () => {
    const { got, env } = await receiver()
    const dataDir = await temporaryFolder()
    const nobody = { ...env, ALERT_WEBHOOK: 'http://127.0.0.1:1/hook' }
    const first = await startPull({ env: nobody, dataDir })
    const conversationId = first.conversation()
    first.customerSends(conversationId, bad)
    await first.pull({ conversationId })
    await eventually(
      () => first.logged,
      (lines) => lines.some(({ msg }) => msg === 'alert delayed'),
    )
    await first.service.stop()
    expect(got).toEqual([])
    const clock = { ...hurriedClock, now: () => new Date(Date.now() + 60_000) }
    await startPull({ env, dataDir, emulator: first.emulator, overrides: { clock } })
    await eventually(
      () => got,
      (all) => all.length === 1,
    )
  })

  it('is not told of any more when it was erased', async () => {
    const { got, env } = await receiver([503])
    let jump = 0
    const clock = { ...hurriedClock, now: () => new Date(Date.now() + jump) }
    const { conversation, customerSends, pull, url, logged, get } = await startPull({ env, overrides: { clock } })
    const conversationId = conversation()
    customerSends(conversationId, bad)
    const { body } = await pull({ conversationId })
    await eventually(
      () => logged,
      (lines) => lines.some(({ msg }) => msg === 'alert delayed'),
    )
    const headers = { authorization: `Bearer ${keys.all}` }
    const { id } = body.attachments[0]!
    expect((await fetch(`${url}/v1/attachments/${id}`, { method: 'DELETE', headers })).status).toBe(200)
    jump = 3600_000
    const waiting = async () => (await fetch(`${url}/metrics`, { headers })).text()
    await eventually(waiting, (text) => text.includes('clipgate_alerts_waiting{state="pending"} 0'))
    expect(got).toHaveLength(1)
    expect((await get('/health/live')).status).toBe(200)
  })
})

describe('what the webhook is told of', () => {
  it('is by default nothing of files that are good, or were held back until judged', async () => {
    const { got, env } = await receiver()
    const { conversation, customerSends, pull, url } = await startPull({ env })
    const conversationId = conversation()
    customerSends(conversationId, await png())
    await pull({ conversationId })
    await pushTo(url, bad, { conversationId, key: keys.push })
    customerSends(conversationId, { ...bad, name: 'last.jpg' })
    await pull({ conversationId })
    await eventually(
      () => got,
      (all) => all.length > 0,
    )
    expect(got.map(({ told }) => told.attachment.filename)).toEqual(['last.jpg'])
  })

  it('may be every file that is accepted, through whatever door, and what could not be fetched', async () => {
    const { got, env } = await receiver()
    const { conversation, customerSends, pull, url, emulator } = await startPull({
      env: { ...env, ALERT_ON: 'accepted,unfetched' },
    })
    const conversationId = conversation()
    await pushTo(url, await jpeg('pushed.jpg'), { conversationId, key: keys.push })
    customerSends(conversationId, await png('pulled.png'))
    customerSends(conversationId, bad)
    await pull({ conversationId })
    emulator.setSwitches({ downloads: 'redirect', redirectDownloadsTo: 'http://169.254.169.254/latest' })
    customerSends(conversationId, await png('lost.png'))
    await pull({ conversationId })
    await eventually(
      () => got,
      (all) => all.length === 3,
    )
    expect(got.map(({ told }) => [told.kind, told.attachment.filename]).sort()).toEqual([
      ['file.accepted', 'pulled.png'],
      ['file.accepted', 'pushed.jpg'],
      ['file.unfetched', 'lost.png'],
    ])
  })
})
