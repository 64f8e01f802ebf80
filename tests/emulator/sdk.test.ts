import { describe, expect, it } from 'vitest'
import { officialSdk } from './officialSdk.ts'
import { conversationWithFile, start } from './start.ts'

const { queue, agent } = {
  queue: '00000000-0000-4000-8000-00000000c001',
  agent: '00000000-0000-4000-8000-00000000e001',
}

/** The official SDK, pointed at an emulator of the test's own and logged in as the demo client. */
async function sdk() {
  const started = await start()
  const { client, api } = officialSdk(started.emulator)
  await client.loginClientCredentialsGrant('demo-client', 'demo-secret')
  return { ...started, api, client, conversations: new api.ConversationsApi() }
}

describe('the official SDK', () => {
  it('finds a conversation, its participants and their messages', async () => {
    const { emulator, conversations } = await sdk()
    const { id, messageId, agentCommunicationId } = conversationWithFile(emulator)
    const full = await conversations.getConversation(id)
    const agents = full.participants.filter(({ purpose }) => purpose === 'agent')
    expect(agents.at(-1)?.messages?.[0]?.id).toBe(agentCommunicationId)
    const { participants } = await conversations.getConversationsMessage(id)
    const ids = participants?.flatMap(({ messages = [] }) => messages.map((message) => message.messageId))
    expect(ids).toEqual([messageId])
  })

  it('reads messages in the three ways, and downloads a file', async () => {
    const { emulator, conversations } = await sdk()
    const { id, messageId } = conversationWithFile(emulator)
    const details = await conversations.getConversationsMessageDetails(messageId)
    expect(details.conversationId).toBe(id)
    const message = await conversations.getConversationsMessageMessage(id, messageId)
    const { entities } = await conversations.postConversationsMessageMessagesBulk(id, { body: [messageId] })
    expect(entities?.map((one) => one.id)).toEqual([message.id])
    const attachment = message.normalizedMessage?.content?.[0]?.attachment
    expect(attachment).toMatchObject({ filename: 'passport-scan.pdf', contentSizeBytes: 15 })
    expect((await fetch(String(attachment?.url))).status).toBe(200)
  })

  it('sends on the agent’s communication', async () => {
    const { emulator, conversations } = await sdk()
    const { id, agentCommunicationId } = emulator.createConversation()
    const sent = await conversations.postConversationsMessageCommunicationMessages(id, String(agentCommunicationId), {
      textBody: 'We have your file.',
    })
    expect(emulator.conversation(id).messages).toMatchObject([{ id: sent.id, text: 'We have your file.' }])
  })

  it('sets attributes by both calls', async () => {
    const { emulator, conversations } = await sdk()
    const { id, customerParticipantId } = emulator.createConversation()
    await conversations.patchConversationParticipantAttributes(id, customerParticipantId, { attributes: { a: '1' } })
    await conversations.patchConversationsMessageParticipantAttributes(id, customerParticipantId, {
      body: { attributes: { b: '2' } },
    })
    expect(emulator.conversation(id).attributes).toEqual({ a: '1', b: '2' })
  })

  it('makes a channel, subscribes, and gives it up', async () => {
    const { api } = await sdk()
    const notifications = new api.NotificationsApi()
    const { id = '' } = await notifications.postNotificationsChannels()
    const topic = `v2.routing.queues.${queue}.conversations.messages`
    await notifications.putNotificationsChannelSubscriptions(id, [{ id: topic }])
    const { entities } = await notifications.getNotificationsChannelSubscriptions(id)
    expect(entities).toMatchObject([{ id: topic, state: 'Permitted' }])
    await notifications.headNotificationsChannel(id)
    await notifications.deleteNotificationsChannelSubscriptions(id)
    expect((await notifications.getNotificationsChannelSubscriptions(id)).entities).toEqual([])
    expect((await notifications.getNotificationsChannels()).entities).toMatchObject([{ id }])
  })

  it('changes a supported content profile', async () => {
    const { conversations } = await sdk()
    const { id } = await conversations.postConversationsMessagingSupportedcontent({ id: '', name: 'PDF' })
    const allow = { inbound: [{ type: 'application/pdf' }] }
    await conversations.patchConversationsMessagingSupportedcontentSupportedContentId(id, {
      mediaTypes: { allow },
    } as never)
    const profile = await conversations.getConversationsMessagingSupportedcontentSupportedContentId(id)
    expect(profile.mediaTypes?.allow).toMatchObject(allow)
    await conversations.deleteConversationsMessagingSupportedcontentSupportedContentId(id)
    expect((await conversations.getConversationsMessagingSupportedcontent()).total).toBe(1)
  })

  it('is told that client credentials have no user', async () => {
    const { api } = await sdk()
    await expect(new api.UsersApi().getUsersMe()).rejects.toMatchObject({ status: 400 })
    expect(await new api.TokensApi().getTokensMe()).toMatchObject({ OAuthClient: { id: 'demo-client' } })
  })

  it('signs a person in with a code, and is that person', async () => {
    const { emulator, api, client, conversations } = await sdk()
    const redirectUri = 'http://localhost:8080/signed-in'
    const query = new URLSearchParams({ client_id: 'demo-client', response_type: 'code', redirect_uri: redirectUri })
    const { headers } = await fetch(`${emulator.url}/oauth/authorize?${query}`, { redirect: 'manual' })
    const code = new URL(String(headers.get('location'))).searchParams.get('code')
    await client.loginCodeAuthorizationGrant('demo-client', 'demo-secret', String(code), redirectUri)
    const me = await new api.UsersApi().getUsersMe({ expand: ['authorization', 'organization'] })
    expect(me).toMatchObject({ id: agent, state: 'active', organization: { name: 'Example Org' } })
    const { id } = emulator.createConversation()
    const mine = await conversations.getConversationsMessages()
    expect(mine.entities?.map((one) => one.id)).toEqual([id])
  })

  it('gets the platform’s errors', async () => {
    const { emulator, conversations } = await sdk()
    await expect(conversations.getConversation('unknown')).rejects.toMatchObject({ status: 404 })
    emulator.setFaults([{ route: 'GET /api/v2/conversations/*', status: 429, retryAfter: 7 }])
    await expect(conversations.getConversation('unknown')).rejects.toMatchObject({
      status: 429,
      message: expect.stringContaining('[7] seconds'),
    })
  })
})
