import { describe, expect, it } from 'vitest'
import type { Fault, Switches } from '../../emulator/index.ts'
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

describe('a redirect', () => {
  async function locationOf(redirectDownloadsTo: string) {
    const started = await fileBehind('redirect')
    started.emulator.setSwitches({ redirectDownloadsTo })
    const answer = await started.platform(await started.url(), { ...withToken(started.token), ...manual })
    return { ...started, location: String(answer.headers.get('location')) }
  }

  it('can lead to another host, where no token is wanted', async () => {
    const { emulator, location } = await locationOf('elsewhere')
    expect(new URL(location).origin).toBe(emulator.elsewhereUrl)
    expect(emulator.elsewhereUrl).not.toBe(emulator.url)
    expect(await bytesOf(await fetch(location))).toEqual(pdf().bytes)
    expect(emulator.requests().at(-1)).toMatchObject({ status: 200 })
  })

  it('can lead to wherever a test wants', async () => {
    expect((await locationOf('http://169.254.169.254/latest')).location).toBe('http://169.254.169.254/latest')
  })
})

describe('an attachment in a message', () => {
  it('has size and sha256 unless the switch says otherwise', async () => {
    const { emulator, client } = await start()
    const { messageId } = conversationWithFile(emulator)
    const call = await client()
    const attachment = async () => {
      const { normalizedMessage } = await read<Schemas['MessageData']>(
        call('GET', `/api/v2/conversations/messages/${messageId}/details`),
      )
      return normalizedMessage?.content?.[0]?.attachment
    }
    expect(await attachment()).toMatchObject({ contentSizeBytes: 15, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })
    emulator.setSwitches({ attachmentSizeAndHash: 'absent' })
    expect(Object.keys((await attachment()) ?? {}).sort()).toEqual(['filename', 'id', 'mediaType', 'mime', 'url'])
  })
})

describe('a download under a fault', () => {
  /** The head's claim, and what came before the end or the cut. */
  async function damagedDownload(damage: Omit<Fault, 'route'>) {
    const { emulator, url } = await fileBehind('signed')
    emulator.setFaults([{ route: 'GET /api/v2/downloads/*', ...damage }])
    const address = await url()
    const hangUp = new AbortController()
    const response = await fetch(address, { signal: hangUp.signal })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    return { emulator, response, length: response.headers.get('content-length'), reader, hangUp }
  }

  async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>) {
    const pieces: Uint8Array[] = []
    let end = 'end'
    for (;;) {
      const piece = await reader.read().catch((error: Error) => {
        end = error.message
      })
      if (!piece || piece.done) return { bytes: Buffer.concat(pieces), end }
      pieces.push(piece.value)
    }
  }

  it('is cut in mid-body', async () => {
    const { reader, length } = await damagedDownload({ cutAfterBytes: 4 })
    expect(length).toBe('15')
    expect(await readAll(reader)).toEqual({ bytes: Buffer.from('%PDF'), end: 'terminated' })
  })

  it('is cut before its first byte', async () => {
    const { reader, response } = await damagedDownload({ cutAfterBytes: 0 })
    expect(response.status).toBe(200)
    expect(await readAll(reader)).toEqual({ bytes: Buffer.alloc(0), end: 'terminated' })
  })

  it('stalls in mid-body until the caller hangs up', async () => {
    const { reader, hangUp } = await damagedDownload({ stallAfterBytes: 4 })
    expect(Buffer.from((await reader.read()).value ?? [])).toEqual(Buffer.from('%PDF'))
    const waiting = reader.read().catch((error: Error) => error.name)
    hangUp.abort()
    expect(await waiting).toBe('AbortError')
  })

  it('claims more than it has', async () => {
    const { reader, length } = await damagedDownload({ contentLength: 1000 })
    expect(length).toBe('1000')
    expect(await readAll(reader)).toEqual({ bytes: pdf().bytes, end: 'terminated' })
  })

  it('claims less than it has', async () => {
    const { reader, length } = await damagedDownload({ contentLength: 4 })
    expect(length).toBe('4')
    expect((await readAll(reader)).bytes).toEqual(Buffer.from('%PDF'))
  })

  it('never ends', async () => {
    const { reader, length, hangUp } = await damagedDownload({ endless: true })
    expect(length).toBeNull()
    let seen = 0
    while (seen < 20 * 1024 * 1024) seen += (await reader.read()).value?.length ?? Number.NaN
    expect(seen).toBeGreaterThan(20 * 1024 * 1024 - 1)
    hangUp.abort()
  })

  it('has other bytes than were sent, as many', async () => {
    const { reader, length } = await damagedDownload({ garbled: true })
    const { bytes, end } = await readAll(reader)
    expect([length, end, bytes.length]).toEqual(['15', 'end', 15])
    expect(bytes).not.toEqual(pdf().bytes)
  })

  it('does not hold up the end of the emulator', async () => {
    const { emulator, reader } = await damagedDownload({ stallAfterBytes: 1 })
    await emulator.close()
    expect((await readAll(reader)).end).toBe('terminated')
  })

  it('is as always once the fault is used up', async () => {
    const { emulator, url } = await fileBehind('signed')
    emulator.setFaults([{ route: 'GET /api/v2/downloads/*', cutAfterBytes: 4 }])
    await expect((await fetch(await url())).arrayBuffer()).rejects.toThrow('terminated')
    expect(await bytesOf(await fetch(await url()))).toEqual(pdf().bytes)
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
