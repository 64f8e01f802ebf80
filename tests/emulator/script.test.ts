import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { GuestRefusal, NoAgent, openGuest } from '../../emulator/index.ts'
import { deploymentId, guestUrl } from './guest.ts'
import { pdf, read, start } from './start.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('a scripted conversation', () => {
  it('tells a story in the order in which it happened', async () => {
    const { emulator } = await start()
    const talk = emulator.startConversation({ agent: false })
    talk.customer.sends('Hello')
    const fileId = talk.customer.sends(pdf(), 'Here is my scan')
    talk.agent.joins()
    const answerId = talk.agent.sends('Thank you')
    expect(talk.read()).toMatchObject({
      id: talk.id,
      messages: [
        { text: 'Hello', direction: 'inbound' },
        { id: fileId, text: 'Here is my scan', attachments: [{ filename: 'passport-scan.pdf' }] },
        { id: answerId, text: 'Thank you', direction: 'outbound' },
      ],
    })
  })

  it('has an agent who comes and goes, and an end', async () => {
    const { emulator } = await start()
    const talk = emulator.startConversation()
    expect(talk.ids().agentCommunicationId).not.toBeNull()
    talk.agent.leaves()
    expect(talk.ids().agentCommunicationId).toBeNull()
    expect(() => talk.agent.sends('Hello?')).toThrow(NoAgent)
    talk.ends()
    expect(() => talk.customer.sends('Hello?')).toThrow(GuestRefusal)
  })

  it('refuses what the Guest API would', async () => {
    const { emulator } = await start()
    expect(() => emulator.startConversation().customer.sends(pdf('a.exe'))).toThrow('.exe not supported')
  })

  it('lets its agent speak over HTTP too', async () => {
    const { emulator, own } = await start()
    const talk = emulator.startConversation()
    const path = `/conversations/${talk.id}/agent/messages`
    const { messageId } = await read<{ messageId: string }>(own('POST', path, { text: 'Hello' }))
    expect(talk.read().messages).toMatchObject([{ id: messageId, text: 'Hello', direction: 'outbound' }])
    expect((await own('POST', path, {})).status).toBe(400)
    expect((await own('POST', path, { text: '' })).status).toBe(400)
    talk.agent.leaves()
    expect((await own('POST', path, { text: 'Hello' })).status).toBe(409)
  })
})

describe('a guest’s client', () => {
  it('sends texts and files as the stock Messenger does, and gets their echoes', async () => {
    const { emulator } = await start()
    const guest = await emulator.openGuest()
    expect(await guest.configure()).toMatchObject({ body: { newSession: true } })
    expect(await guest.sendsText('Hello')).toMatchObject({ body: { text: 'Hello' } })
    expect(await guest.sendsFile(pdf(), 'My scan')).toMatchObject({
      class: 'StructuredMessage',
      body: { text: 'My scan' },
    })
    expect(await guest.sendsFile(pdf())).toMatchObject({ class: 'StructuredMessage' })
    const [{ id }] = emulator.conversations() as [{ id: string }]
    expect(emulator.conversation(id).messages.map(({ attachments }) => attachments.length)).toEqual([0, 1, 1])
    expect(guest.waiting()).toEqual([])
  })

  it('gets the first refusal on the way of a file', async () => {
    const { emulator } = await start()
    const guest = await emulator.openGuest()
    await guest.configure()
    expect(await guest.sendsFile(pdf('a.exe'))).toMatchObject({ class: 'GenerateUrlError', body: { errorCode: 4001 } })
    emulator.setSwitches({ uploadContentChecked: true })
    expect(await guest.sendsFile(pdf('a.pdf', Buffer.from('no')))).toMatchObject({
      class: 'UploadFailureEvent',
      body: { errorCode: 4003 },
    })
    emulator.setFaults([{ route: 'PUT /uploads/*', status: 503 }])
    await expect(guest.sendsFile(pdf())).rejects.toThrow('503')
  })

  it('takes the frame that it asks for, and is told when none can come any more', async () => {
    const { emulator } = await start()
    const guest = await emulator.openGuest()
    await guest.configure()
    const second = await emulator.openGuest({ token: guest.token })
    await second.configure()
    await second.sendsText('1')
    await second.sendsText('2')
    const saying = (text: string) => (frame: { body: object | string }) =>
      (frame.body as { text?: string }).text === text
    expect(await guest.next(saying('2'))).toMatchObject({ body: { text: '2' } })
    expect(guest.waiting()).toMatchObject([{ body: { text: '1' } }])
    const waits = guest.next(saying('3'))
    emulator.cutSockets({ kind: 'guest' })
    await expect(waits).rejects.toThrow('1006')
    await expect(guest.next(saying('4'))).rejects.toThrow('1006')
    expect(await guest.next()).toMatchObject({ body: { text: '1' } })
    expect(await guest.closed).toBe(1006)
  })

  it('can be sent to another address, and be refused there', async () => {
    const { emulator } = await start()
    const address = guestUrl(emulator).split('?')[0] as string
    const guest = await openGuest(address, { deploymentId, token: 't' })
    onTestFinished(() => guest.drop())
    guest.send({ action: 'getJwt' })
    expect(await guest.next()).toMatchObject({ code: 4007 })
    emulator.setSwitches({ allowedDomains: ['www.example.com'] })
    await expect(openGuest(address, { deploymentId, origin: 'https://evil.example' })).rejects.toThrow('403')
  })
})

describe('the package', () => {
  it('gives the emulator to other projects’ tests as clipgate/emulator', async () => {
    const program = `
      import { startEmulator } from 'clipgate/emulator'
      const emulator = await startEmulator()
      const talk = emulator.startConversation()
      talk.customer.sends({ name: 'a.pdf', mime: 'application/pdf', bytes: Buffer.from('%PDF-') })
      console.log(talk.read().messages.length)
      await emulator.close()`
    const node = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { cwd: root })
    expect((await node).stdout).toBe('1\n')
  })
})
