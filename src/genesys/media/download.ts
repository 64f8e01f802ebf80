import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../clock.ts'
import type { Events } from '../../telemetry/events.ts'
import { retryAfterOf } from '../ask.ts'
import { CredentialsRefused, GenesysRefused, GenesysUnavailable } from '../errors.ts'
import type { Bearer } from '../token.ts'
import { get, publicLookup, type Resolve } from './connect.ts'
import { MediaDiffers, MediaForbidden, MediaGone } from './errors.ts'
import type { MediaHosts } from './hosts.ts'

/** A file as a message names it. */
export interface MediaSource {
  url: string
  /** Bytes, as the message says; null when it says nothing. */
  size: number | null
  /** In lower-case hex; null when the message says nothing. */
  sha256: string | null
}

export interface Media {
  /**
   * The bytes of a file, as they come. Nothing is asked before the first is read, and whoever stops reading ends it.
   * When the first address leads to nothing any more, `fresh` is asked for another, once.
   * Throws `MediaForbidden`, `MediaGone`, `MediaDiffers` and the errors of the Genesys client; it ends well only when
   * length and digest are as the message says.
   */
  download(source: MediaSource, fresh: () => Promise<MediaSource>): AsyncGenerator<Buffer>
}

export interface MediaOptions {
  hosts: MediaHosts
  bearer: Bearer
  /** No more is read of any file, in bytes; one chunk beyond it still comes, so that who reads can tell. */
  maxBytes: number
  clock: Clock
  events: Pick<Events, 'genesysAnswered'>
  /** Longest silence of the other side. */
  idleMs?: number
  /** Longest time of one download. */
  totalMs?: number
  resolve?: Resolve
}

const mostRedirects = 4
const gone = [401, 403, 404, 410]

/** What a try is counted as: the path of a file's address is a secret. */
const route = 'GET (media)'

export function createMedia(options: MediaOptions): Media {
  const { hosts, bearer, maxBytes, clock, events } = options
  const { idleMs = 20_000, totalMs = 5 * 60_000 } = options
  const lookup = publicLookup(options.resolve)

  async function* download(source: MediaSource, fresh: () => Promise<MediaSource>): AsyncGenerator<Buffer> {
    const over = new AbortController()
    const ended = new AbortController()
    let moved = 0
    void watch(() => moved, over, ended.signal)
    let answer: IncomingMessage | null = null
    try {
      const opened = await openFresh(source, fresh, over.signal)
      answer = opened.answer
      for await (const chunk of checked(answer, opened.source)) {
        moved++
        yield chunk
      }
    } catch (error) {
      if (over.signal.aborted) throw new GenesysUnavailable((over.signal.reason as Error).message)
      throw asOurs(error)
    } finally {
      ended.abort()
      answer?.destroy()
    }
  }

  /** Ends a download that stands still, or never ends. */
  async function watch(moved: () => number, over: AbortController, ended: AbortSignal): Promise<void> {
    const until = clock.now().getTime() + totalMs
    for (let before = -1; !ended.aborted; ) {
      const now = moved()
      const late = clock.now().getTime() >= until
      if (now === before || late)
        return over.abort(new Error(late ? 'the file takes too long' : 'the host of the file is silent'))
      before = now
      await clock.wait(idleMs, ended)
    }
  }

  async function openFresh(source: MediaSource, fresh: () => Promise<MediaSource>, signal: AbortSignal) {
    try {
      return { source, answer: await open(source.url, signal) }
    } catch (error) {
      if (!(error instanceof MediaGone)) throw error
      const again = await fresh()
      return { source: again, answer: await open(again.url, signal) }
    }
  }

  /** The answer that has the file in it. The token goes with it only where it is asked for, and only to hosts of the region. */
  async function open(address: string, signal: AbortSignal): Promise<IncomingMessage> {
    let url = parse(address)
    let token: string | null = null
    let renewed = false
    for (let redirects = 0; ; ) {
      const { exempt, own } = hosts.check(url)
      const answer = await get(url, {
        headers: { 'accept-encoding': 'identity', ...(token !== null && { authorization: `Bearer ${token}` }) },
        signal,
        lookup: exempt ? null : lookup,
      })
      const status = answer.statusCode ?? 0
      events.genesysAnswered({ route, status, count: null, allowed: null })
      if (status === 200) return answer
      answer.destroy()
      const target = isRedirect(status) ? targetOf(answer, url) : null
      const wantsToken = status === 401 || status === 403 || (target !== null && hosts.isLogin(target))
      if (wantsToken && own && token === null) {
        token = await bearer.get()
        continue
      }
      if (status === 401 && token !== null) {
        bearer.drop(token)
        if (renewed) throw new CredentialsRefused(`${route}: 401, with a token that was just given`)
        renewed = true
        token = await bearer.get()
        continue
      }
      if (target === null) throw failureOf(answer, url, clock.now())
      if (hosts.isLogin(target)) throw new MediaGone(status, url.hostname)
      if (++redirects > mostRedirects) throw new GenesysUnavailable('the file is redirected too often')
      if (target.origin !== url.origin) token = null
      url = target
    }
  }

  /** As the message says: not longer, not shorter, and the same digest. */
  async function* checked(answer: IncomingMessage, { size, sha256 }: MediaSource): AsyncGenerator<Buffer> {
    if (![undefined, 'identity'].includes(answer.headers['content-encoding']))
      throw new GenesysUnavailable('the file came compressed, and was asked for as it is')
    const digest = createHash('sha256')
    let seen = 0
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      seen += chunk.length
      digest.update(chunk)
      if (size !== null && seen > size) throw new MediaDiffers(`longer than the ${size} bytes that the message says`)
      yield chunk
      if (seen > maxBytes) throw new MediaDiffers(`longer than ${maxBytes} bytes`)
    }
    if (size !== null && seen !== size)
      throw new MediaDiffers(`${seen} bytes, and not the ${size} that the message says`)
    if (sha256 !== null && digest.digest('hex') !== sha256.toLowerCase())
      throw new MediaDiffers('another digest than the message says')
  }

  return { download }
}

function parse(address: string): URL {
  if (!URL.canParse(address)) throw new MediaForbidden('the message names no address')
  return new URL(address)
}

const isRedirect = (status: number) => [301, 302, 303, 307, 308].includes(status)

function targetOf({ headers }: IncomingMessage, base: URL): URL {
  if (headers.location === undefined || !URL.canParse(headers.location, base.href))
    throw new GenesysUnavailable('a redirect to nowhere')
  return new URL(headers.location, base)
}

function failureOf({ statusCode: status = 0, headers }: IncomingMessage, { hostname }: URL, now: Date): Error {
  if (gone.includes(status)) return new MediaGone(status, hostname)
  if (status === 408 || status === 429 || status >= 500) {
    const retryAfterSeconds = retryAfterOf(new Headers({ 'retry-after': headers['retry-after'] ?? '' }), now)
    return new GenesysUnavailable(`${route}: ${status}`, { retryAfterSeconds })
  }
  return new GenesysRefused(route, { status })
}

/** What the network did to us, in our words. */
function asOurs(error: unknown): unknown {
  const isOurs = error instanceof MediaForbidden || error instanceof GenesysRefused
  if (isOurs || typeof (error as NodeJS.ErrnoException).code !== 'string') return error
  return new GenesysUnavailable('the file did not come', { cause: error })
}
