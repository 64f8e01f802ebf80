import { describe, expect, it } from 'vitest'
import type { Switches } from '../../emulator/index.ts'
import { conversationWithFile, pdf, read, type Schemas, start, withToken } from './start.ts'

/** A message with a file, and how to ask for the url that it carries now. */
async function fileBehind(downloads: Switches['downloads']) {
  const started = await start()
  started.emulator.setSwitches({ downloads })
  const { messageId } = conversationWithFile(started.emulator)
  const token = await started.login()
  const url = async () => {
    const details = started.platform(`/api/v2/conversations/messages/${messageId}/details`, withToken(token))
    const { normalizedMessage } = await read<Schemas['MessageData']>(details)
    return String(normalizedMessage?.content?.[0]?.attachment?.url)
  }
  return { ...started, token, url }
}

const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer())
const manual = { redirect: 'manual' } as const

describe('a signed url', () => {
  it('gives the very bytes to whoever has it, with name and type', async () => {
    const { platform, url } = await fileBehind('signed')
    const answer = await platform(await url())
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/pdf')
    expect(answer.headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''passport-scan.pdf")
    expect(await bytesOf(answer)).toEqual(pdf().bytes)
  })

  it('expires; the message then carries a fresh one', async () => {
    const { platform, url, passSeconds } = await fileBehind('signed')
    const old = await url()
    passSeconds(599)
    expect((await platform(old)).status).toBe(200)
    passSeconds(1)
    expect((await platform(old)).status).toBe(403)
    expect((await platform(await url())).status).toBe(200)
  })

  it.each([
    ['signature', /Signature=.*/, 'Signature=00'],
    ['expiry', /Expires=\d+/, 'Expires=9999999999'],
  ])('with another %s is refused', async (_, found, other) => {
    const { platform, url } = await fileBehind('signed')
    expect((await platform((await url()).replace(found, other))).status).toBe(403)
  })
})

describe('a url that wants the token', () => {
  it('gives the bytes with it and 401 without', async () => {
    const { platform, url, token } = await fileBehind('bearer')
    const address = await url()
    expect(address).not.toContain('?')
    expect((await platform(address)).status).toBe(401)
    expect(await bytesOf(await platform(address, withToken(token)))).toEqual(pdf().bytes)
  })
})

describe('a url that redirects', () => {
  it('wants the token and leads to a signed url that does not', async () => {
    const { platform, url, token } = await fileBehind('redirect')
    const address = await url()
    expect((await platform(address, manual)).status).toBe(401)
    const answer = await platform(address, { ...withToken(token), ...manual })
    expect(answer.status).toBe(302)
    const signed = String(answer.headers.get('location'))
    expect(await bytesOf(await platform(signed, manual))).toEqual(pdf().bytes)
  })

  it('says the signed url instead if asked not to redirect', async () => {
    const { platform, url, token } = await fileBehind('redirect')
    const answer = await read<Schemas['UrlResponse']>(platform(`${await url()}?issueRedirect=false`, withToken(token)))
    expect(await bytesOf(await platform(String(answer.url)))).toEqual(pdf().bytes)
  })
})

describe('a file', () => {
  it('is gone 30 days after it was sent, though its message still carries a url', async () => {
    const { platform, url, login, passSeconds, emulator } = await fileBehind('bearer')
    const address = await url()
    emulator.setSwitches({ tokenLifetimeSeconds: 60 * 24 * 3600 })
    const token = await login()
    passSeconds(30 * 24 * 3600 - 1)
    expect((await platform(address, withToken(token))).status).toBe(200)
    passSeconds(1)
    expect((await platform(address, withToken(token))).status).toBe(404)
  })

  it('that nobody sent is not found', async () => {
    const { client } = await start()
    const call = await client()
    expect((await call('GET', '/api/v2/downloads/6f2a1e7d0c9b8a76')).status).toBe(404)
  })
})
