import { describe, expect, it } from 'vitest'
import { conversationWithFile, read, type Schemas, start, withToken } from './start.ts'

const me = '/api/v2/tokens/me'
const standing = ({ headers }: Response) =>
  ['count', 'allowed', 'reset'].map((name) => headers.get(`inin-ratelimit-${name}`))

describe('without a rate limit', () => {
  it('no header speaks of one', async () => {
    const { client } = await start()
    const call = await client()
    expect(standing(await call('GET', me))).toEqual([null, null, null])
  })
})

describe('with a rate limit', () => {
  it('each answer says where the token stands in its minute', async () => {
    const { emulator, client, passSeconds } = await start()
    emulator.setSwitches({ rateLimitPerMinute: 2 })
    const call = await client()
    expect(standing(await call('GET', me))).toEqual(['1', '2', '60'])
    passSeconds(20)
    expect(standing(await call('GET', me))).toEqual(['2', '2', '40'])
  })

  it('one request too many is refused until the minute is over', async () => {
    const { emulator, client, passSeconds } = await start()
    emulator.setSwitches({ rateLimitPerMinute: 1 })
    const call = await client()
    await call('GET', me)
    passSeconds(18)
    const refused = await call('GET', me)
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('42')
    expect(await read(refused)).toMatchObject({
      code: 'too.many.requests.retry.after',
      message: expect.stringContaining('[42]'),
    })
    passSeconds(42)
    expect((await call('GET', me)).status).toBe(200)
  })

  it('each token has its own minute', async () => {
    const { emulator, client } = await start()
    emulator.setSwitches({ rateLimitPerMinute: 1 })
    const [one, other] = [await client(), await client()]
    await one('GET', me)
    expect((await other('GET', me)).status).toBe(200)
  })

  it('does not count what needs no token: the login and signed urls', async () => {
    const { emulator, platform, login } = await start()
    emulator.setSwitches({ rateLimitPerMinute: 1 })
    const { messageId } = conversationWithFile(emulator)
    const token = await login()
    const details = platform(`/api/v2/conversations/messages/${messageId}/details`, withToken(token))
    const { normalizedMessage } = await read<Schemas['MessageData']>(details)
    const url = String(normalizedMessage?.content?.[0]?.attachment?.url)
    for (let turn = 0; turn < 2; turn += 1) expect((await platform(url)).status).toBe(200)
    expect((await platform(me, withToken(token))).status).toBe(429)
  })

  it('that changes begins the minute anew', async () => {
    const { emulator, client } = await start()
    emulator.setSwitches({ rateLimitPerMinute: 1 })
    const call = await client()
    await call('GET', me)
    emulator.setSwitches({ rateLimitPerMinute: 1 })
    expect((await call('GET', me)).status).toBe(200)
  })
})
