import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { finding, marker } from '../fixtures/engines.ts'
import { jpeg, text } from '../fixtures/files.ts'
import { temporaryFolder } from '../folder.ts'
import { until } from '../genesys/clock.ts'
import { rawGuest, startGateway } from './start.ts'

async function start(agentFiles: 'ignore' | 'record', options: Parameters<typeof startGateway>[0] = {}) {
  const path = join(await temporaryFolder(), 'policy.json')
  await writeFile(path, JSON.stringify({ agentFiles }))
  const gateway = await startGateway({ ...options, env: { POLICY_FILE: path } })
  const customer = await rawGuest(gateway.address)
  await customer.configure()
  await customer.ask({ action: 'onMessage', message: { type: 'Text', text: 'hello' } })
  const [conversation] = gateway.emulator.conversations()
  return { ...gateway, customer, conversationId: conversation!.id }
}

const asMime = ({ name, type, bytes }: { name: string; type: string; bytes: Buffer }) => ({ name, mime: type, bytes })

it('a file that an agent sends reaches the customer at once, and is fetched, judged and recorded by policy', async () => {
  const { customer, emulator, conversationId, records } = await start('record')
  const file = await jpeg('form.jpg')
  const { messageId } = emulator.agentSends(conversationId, 'Please fill this in', asMime(file))
  const heard = await customer.take(({ body }) => body.direction === 'Outbound' && body.content !== undefined)
  expect(heard.body).toMatchObject({ id: messageId, content: [{ attachment: { filename: 'form.jpg' } }] })
  await until(async () => (await records())[0]?.state === 'accepted')
  expect(await records()).toEqual([
    expect.objectContaining({
      conversationId,
      messageId,
      door: 'pull',
      sentBy: 'agent',
      filename: 'form.jpg',
      size: file.bytes.length,
      confirmation: { state: 'off', way: null, at: null },
    }),
  ])
  expect(await records()).not.toMatchObject([{ agentMayHaveSeen: true }])
  const said = emulator.conversation(conversationId).messages.filter(({ direction }) => direction === 'outbound')
  expect(said.map(({ text }) => text)).toEqual(['Please fill this in'])
})

it('one that is refused is refused on record', async () => {
  const { emulator, conversationId, records } = await start('record', { overrides: { scanners: [finding] } })
  emulator.agentSends(conversationId, '', asMime(text('letter.txt', `Dear customer, ${marker}`)))
  await until(async () => (await records())[0]?.state === 'refused')
  expect(await records()).toMatchObject([{ sentBy: 'agent', code: 'malware', confirmation: { state: 'off' } }])
})

it('passes unseen where the policy does not ask for it', async () => {
  const { customer, emulator, conversationId, records, get } = await start('ignore')
  emulator.agentSends(conversationId, '', asMime(await jpeg()))
  await customer.take(({ body }) => body.direction === 'Outbound' && body.content !== undefined)
  const own = await jpeg('own.jpg')
  const { body } = await customer.announce(own)
  await customer.put(body, own.bytes)
  await customer.outcomeOf(body.attachmentId)
  await customer.sendFile(body.attachmentId)
  await until(async () => (await records())[0]?.conversationId === conversationId)
  expect(await records()).toMatchObject([{ filename: 'own.jpg' }])
  expect((await get<{ agentFiles: string }>('/v1/policy')).body.agentFiles).toBe('ignore')
})
