import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CredentialsRefused, GenesysRefused, GenesysUnavailable } from '../../src/genesys/errors.ts'
import { createMedia, type MediaOptions, type MediaSource } from '../../src/genesys/media/download.ts'
import { MediaDiffers, MediaForbidden, MediaGone } from '../../src/genesys/media/errors.ts'
import { mediaHosts } from '../../src/genesys/media/hosts.ts'
import { sha256 } from '../harness.ts'
import { manualClock, until } from './clock.ts'
import { watchedEvents } from './start.ts'

const content = Buffer.from('what the customer sent, '.repeat(4000))

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A host of files, and who asked it for what, with which token. */
async function host(answer: Answer): Promise<{ url: string; asked: { path: string; token: string | null }[] }> {
  const asked: { path: string; token: string | null }[] = []
  const server = createServer((request, response) => {
    asked.push({ path: request.url ?? '', token: request.headers.authorization ?? null })
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** A downloader for which `api` is the API's own host, and `others` are exempt too. */
function downloader(api: string, others: string[] = [], changed: Partial<MediaOptions> = {}) {
  const clock = manualClock()
  const { events } = watchedEvents()
  const tokens = ['first', 'second', 'third']
  const dropped: string[] = []
  const hosts = mediaHosts({
    domain: 'mypurecloud.ie',
    apiUrl: api,
    loginUrl: api,
    exemptOrigins: [api, ...others].filter((origin) => origin.startsWith('http:')),
    further: [],
  })
  const bearer = {
    get: async () => tokens[0]!,
    drop: (token: string) => {
      if (tokens[0] === token) dropped.push(tokens.shift()!)
    },
  }
  const media = createMedia({ hosts, bearer, maxBytes: 1_000_000, clock, events, ...changed })
  const noFresh = async (): Promise<MediaSource> => {
    throw new Error('a fresh address was asked for')
  }
  return {
    clock,
    dropped,
    download: (url: string, about: Partial<MediaSource> = {}, fresh: () => Promise<MediaSource> = noFresh) =>
      whole(media.download({ url, size: null, sha256: null, ...about }, fresh)),
    start: (url: string) => media.download({ url, size: null, sha256: null }, noFresh),
  }
}

async function whole(bytes: AsyncGenerator<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const source = (url: string): MediaSource => ({ url, size: null, sha256: null })
const redirectTo =
  (target: string): Answer =>
  (_request, response) =>
    void response.writeHead(302, { location: target }).end()

describe('a file behind an address that is signed', () => {
  it('is asked for once, without the token, and is what the message says', async () => {
    const { url, asked } = await host((_, response) => response.end(content))
    const { download } = downloader(url)
    const bytes = await download(`${url}/file?Signature=1`, { size: content.length, sha256: sha256(content) })
    expect(bytes.equals(content)).toBe(true)
    expect(asked).toEqual([{ path: '/file?Signature=1', token: null }])
  })

  it.each([
    ['a size that is larger', { size: content.length + 1 }],
    ['a size that is smaller', { size: content.length - 1 }],
    ['another digest', { sha256: '0'.repeat(64) }],
  ])('fails when the message says %s', async (_, about) => {
    const { url } = await host((_, response) => response.end(content))
    await expect(downloader(url).download(url, about)).rejects.toThrow(MediaDiffers)
  })

  it('may have its digest in capitals', async () => {
    const { url } = await host((_, response) => response.end(content))
    const sha = sha256(content).toUpperCase()
    expect(await downloader(url).download(url, { sha256: sha })).toHaveLength(content.length)
  })
})

describe('a file that wants the token', () => {
  it.each([401, 403])('gets it after a %i, when its host is the region’s own', async (status) => {
    const { url, asked } = await host((request, response) => {
      if (request.headers.authorization === 'Bearer first') response.end(content)
      else response.writeHead(status).end()
    })
    expect(await downloader(url).download(`${url}/file`)).toHaveLength(content.length)
    expect(asked.map(({ token }) => token)).toEqual([null, 'Bearer first'])
  })

  it('gets it after a redirect to the log-in', async () => {
    const { url, asked } = await host((request, response) => {
      if (request.headers.authorization) response.end(content)
      else redirectTo('/oauth/authorize?client_id=x')(request, response)
    })
    expect(await downloader(url).download(`${url}/file`)).toHaveLength(content.length)
    expect(asked.map(({ path }) => path)).toEqual(['/file', '/file'])
  })

  it('gets another one, once, when it was revoked', async () => {
    const { url } = await host((request, response) => {
      if (request.headers.authorization === 'Bearer second') response.end(content)
      else response.writeHead(401).end()
    })
    const { download, dropped } = downloader(url)
    expect(await download(url)).toHaveLength(content.length)
    expect(dropped).toEqual(['first'])
  })

  it('fails when none is taken', async () => {
    const { url, asked } = await host((_, response) => response.writeHead(401).end())
    await expect(downloader(url).download(url)).rejects.toThrow(CredentialsRefused)
    expect(asked.map(({ token }) => token)).toEqual([null, 'Bearer first', 'Bearer second'])
  })

  it('does not get it on any other host, even when that asks for it', async () => {
    const api = await host((_, response) => response.end())
    const other = await host((_, response) => response.writeHead(401).end())
    const { download } = downloader(api.url, [other.url])
    await expect(download(`${other.url}/x`, {}, async () => source(`${other.url}/y`))).rejects.toThrow(MediaGone)
    expect(other.asked).toEqual([
      { path: '/x', token: null },
      { path: '/y', token: null },
    ])
  })

  it('loses it when it is redirected to another host', async () => {
    const storage = await host((_, response) => response.end(content))
    const api = await host((request, response) => {
      if (request.headers.authorization) redirectTo(`${storage.url}/signed`)(request, response)
      else response.writeHead(401).end()
    })
    const { download } = downloader(api.url, [storage.url])
    expect(await download(`${api.url}/file`)).toHaveLength(content.length)
    expect(storage.asked).toEqual([{ path: '/signed', token: null }])
  })
})

describe('a redirect', () => {
  it.each([
    ['http://169.254.169.254/latest/meta-data', 'the metadata of a cloud'],
    ['http://127.0.0.1:1/', 'loopback'],
    ['https://[::ffff:127.0.0.1]/', 'a mapped address'],
    ['https://2130706433/', 'an address as a number'],
    ['https://evil.example/', 'a host that is not listed'],
    ['file:///etc/passwd', 'a file'],
  ])('to %s is not followed (%s)', async (target) => {
    const { url, asked } = await host(redirectTo(target))
    await expect(downloader(url).download(`${url}/file`)).rejects.toThrow(MediaForbidden)
    expect(asked).toHaveLength(1)
  })

  it('is followed a few times only', async () => {
    const { url, asked } = await host((request, response) => redirectTo(`${request.url}x`)(request, response))
    await expect(downloader(url).download(`${url}/`)).rejects.toThrow('redirected too often')
    expect(asked).toHaveLength(5)
  })

  it('to nowhere is trouble of the other side', async () => {
    const { url } = await host((_, response) => response.writeHead(302).end())
    await expect(downloader(url).download(url)).rejects.toThrow(GenesysUnavailable)
  })
})

describe('a name', () => {
  it.each([
    [['10.0.0.1'], 'private'],
    [['169.254.169.254'], 'link-local'],
    [['::1'], 'loopback'],
    [['::ffff:127.0.0.1'], 'mapped'],
    [['93.184.216.34', '127.0.0.1'], 'one of several inside'],
    [[], 'none'],
  ])('that leads to %j is not connected to (%s)', async (addresses) => {
    let resolved = 0
    const server = createTlsServer(() => {})
    let connections = 0
    server.on('connection', () => connections++)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { download } = downloader('https://api.mypurecloud.ie', [], {
      resolve: async () => {
        resolved++
        return addresses
      },
    })
    await expect(download('https://api.mypurecloud.ie/file')).rejects.toThrow(MediaForbidden)
    expect([resolved, connections]).toEqual([1, 0])
  })

  it('is asked for at each connection, so that what was right before proves nothing', async () => {
    const answers = [['127.0.0.1'], ['10.0.0.1']]
    const { download } = downloader('https://api.mypurecloud.ie', [], { resolve: async () => answers.shift()! })
    await expect(download('https://api.mypurecloud.ie/1')).rejects.toThrow(MediaForbidden)
    await expect(download('https://api.mypurecloud.ie/2')).rejects.toThrow(MediaForbidden)
    expect(answers).toEqual([])
  })

  it('that cannot be resolved is trouble that may pass', async () => {
    const { download } = downloader('https://api.mypurecloud.ie', [], {
      resolve: async () => {
        throw Object.assign(new Error('queryA ETIMEOUT'), { code: 'ETIMEOUT' })
      },
    })
    await expect(download('https://api.mypurecloud.ie/1')).rejects.toThrow(GenesysUnavailable)
  })
})

describe('an address that leads to nothing any more', () => {
  it.each([403, 404, 410])('(%i) is replaced by a fresh one, once', async (status) => {
    const { url, asked } = await host((request, response) => {
      if (request.url === '/fresh') response.end(content)
      else response.writeHead(status).end()
    })
    const bytes = await downloader(url).download(`${url}/old`, {}, async () => source(`${url}/fresh`))
    expect(bytes).toHaveLength(content.length)
    expect(asked.map(({ path }) => path).filter((path) => path === '/fresh')).toHaveLength(1)
  })

  it('whose fresh one leads to nothing either is gone', async () => {
    let fresh = 0
    const { url } = await host((_, response) => response.writeHead(410).end())
    const failed = downloader(url).download(`${url}/old`, {}, async () => {
      fresh++
      return source(`${url}/new`)
    })
    await expect(failed).rejects.toThrow(MediaGone)
    expect(fresh).toBe(1)
  })
})

describe('a host of files that is not well', () => {
  it.each([429, 500, 503])('and answers %i is asked again later, not before it says', async (status) => {
    const { url } = await host((_, response) => response.writeHead(status, { 'retry-after': '42' }).end())
    await expect(downloader(url).download(url)).rejects.toMatchObject({ retryAfterSeconds: 42 })
  })

  it('and answers what nobody expects is told', async () => {
    const { url } = await host((_, response) => response.writeHead(418).end())
    await expect(downloader(url).download(url)).rejects.toThrow(GenesysRefused)
  })

  it('and says another length than it sends has sent nothing', async () => {
    const { url } = await host((_, response) => {
      response.writeHead(200, { 'content-length': String(content.length + 10) })
      response.write(content, () => response.destroy())
    })
    await expect(downloader(url).download(url)).rejects.toThrow(GenesysUnavailable)
  })

  it('and cuts the connection has sent nothing', async () => {
    const { url } = await host((_, response) => {
      response.write(content, () => response.destroy())
    })
    await expect(downloader(url).download(url)).rejects.toThrow(GenesysUnavailable)
  })

  it('and compresses what was asked for as it is, is not believed', async () => {
    const { url } = await host((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(content)
    })
    await expect(downloader(url).download(url)).rejects.toThrow('compressed')
  })

  it('and does not answer is left after a while', async () => {
    const { url, asked } = await host(() => {})
    const { download, clock } = downloader(url)
    const failed = expect(download(url)).rejects.toThrow('silent')
    await until(() => asked.length === 1)
    await clock.pass(20_000)
    await failed
  })

  it('and sends a little now and then, for ever, is left in the end', async () => {
    let send = () => {}
    const { url } = await host((_, response) => {
      response.write('first')
      send = () => void response.write('.')
    })
    const { start, clock } = downloader(url)
    const bytes = start(url)
    expect((await bytes.next()).value?.toString()).toBe('first')
    for (let seconds = 0; seconds < 280; seconds += 20) {
      send()
      expect((await bytes.next()).value?.toString()).toBe('.')
      await clock.pass(20_000)
    }
    const failed = expect(bytes.next()).rejects.toThrow('takes too long')
    await clock.pass(20_000)
    await failed
  })

  it('and never ends is cut off at the limit, and its connection is closed', async () => {
    let closed = false
    const { url } = await host((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', more).on('close', () => {
        closed = true
      })
      more()
    })
    await expect(downloader(url).download(url)).rejects.toThrow('longer than 1000000 bytes')
    await until(() => closed)
  })

  it('is left at once by who stops reading', async () => {
    let closed = false
    const { url } = await host((_, response) => {
      response.write('first')
      response.on('close', () => {
        closed = true
      })
    })
    const bytes = downloader(url).start(url)
    await bytes.next()
    await bytes.return(undefined)
    await until(() => closed)
  })
})
