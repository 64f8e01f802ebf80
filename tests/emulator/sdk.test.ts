import { describe, expect, it } from 'vitest'
import { officialSdk } from './officialSdk.ts'
import { start } from './start.ts'

/** The official SDK, pointed at an emulator of the test's own and logged in as the demo client. */
async function sdk() {
  const started = await start()
  const { client, api } = officialSdk(started.emulator)
  await client.loginClientCredentialsGrant('demo-client', 'demo-secret')
  return { ...started, api }
}

describe('the official SDK', () => {
  it('makes a channel, subscribes and hears of its topics', async () => {
    const { api } = await sdk()
    const notifications = new api.NotificationsApi()
    const { id } = await notifications.postNotificationsChannels()
    const topic = 'v2.routing.queues.00000000-0000-4000-8000-00000000c001.conversations.messages'
    await notifications.putNotificationsChannelSubscriptions(String(id), [{ id: topic }])
    const { entities } = await notifications.getNotificationsChannelSubscriptions(String(id))
    expect(entities).toMatchObject([{ id: topic, state: 'Permitted' }])
  })
})
