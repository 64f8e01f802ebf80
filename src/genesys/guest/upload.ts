import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Clock } from '../../clock.ts'
import { GenesysRefused, GenesysUnavailable } from '../errors.ts'
import { publicLookup, type Resolve } from '../media/connect.ts'
import type { MediaHosts } from '../media/hosts.ts'

/** Where the platform wants a file, as a PresignedUrlResponse says it (FACTS 1.4). The address is a secret. */
export interface PresignedTarget {
  url: URL
  headers: Record<string, string>
}

export interface PutFile {
  contentType: string
  /** Bytes. */
  size: number
  /** Asked for again at each attempt. */
  open(): Promise<AsyncIterable<Buffer>>
}

export interface GuestUpload {
  /** Null: it leads nowhere that we go, or is none. */
  targetOf(body: Record<string, unknown>): PresignedTarget | null
  /** Throws `GenesysRefused` at a definite no, and `GenesysUnavailable` when it did not work in a few attempts. */
  put(target: PresignedTarget, file: PutFile): Promise<void>
}

export interface GuestUploadOptions {
  hosts: MediaHosts
  clock: Clock
  /** Longest time of one attempt. */
  totalMs?: number
  resolve?: Resolve
}

const pausesMs = [500, 2000]

/** Puts files where the platform wants them: only to hosts of UPLOAD_HOSTS, and none whose address is not public. */
export function createGuestUpload(options: GuestUploadOptions): GuestUpload {
  const { hosts, clock, totalMs = 5 * 60_000 } = options
  const lookup = publicLookup(options.resolve)

  async function attempt({ url, headers }: PresignedTarget, { contentType, size, open }: PutFile): Promise<number> {
    const { exempt } = hosts.check(url)
    const over = new AbortController()
    const ended = new AbortController()
    void clock.wait(totalMs, ended.signal).then(() => {
      if (!ended.signal.aborted) over.abort(new Error('it takes too long'))
    })
    const ask = url.protocol === 'https:' ? requestTls : requestPlain
    const request = ask(url, {
      method: 'PUT',
      agent: false,
      signal: over.signal,
      // What the platform names itself is as it wants it.
      headers: { 'content-type': contentType, ...headers, 'content-length': size },
      ...(!exempt && { lookup }),
    })
    let wake = () => {}
    let answered = false
    request.on('drain', () => wake())
    const status = new Promise<number>((resolve, reject) => {
      request.once('response', (answer) => {
        answered = true
        wake()
        answer.resume()
        resolve(answer.statusCode ?? 0)
      })
      request.once('error', reject)
      request.once('close', () => {
        answered = true
        wake()
        reject(new GenesysUnavailable('the upload was cut'))
      })
    })
    status.catch(() => {})
    try {
      for await (const piece of await open()) {
        if (answered) break
        if (request.write(piece)) continue
        await new Promise<void>((resolve) => {
          wake = resolve
          if (answered) resolve()
        })
      }
      request.end()
      return await status
    } finally {
      ended.abort()
      request.destroy()
    }
  }

  return {
    targetOf({ url, headers }) {
      if (typeof url !== 'string' || !URL.canParse(url)) return null
      const target = { url: new URL(url), headers: {} as Record<string, string> }
      for (const [name, value] of Object.entries((headers ?? {}) as Record<string, unknown>)) {
        if (typeof value !== 'string' || !/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[\r\n\0]/.test(value)) return null
        if (/^(host|content-length|connection|transfer-encoding|expect)$/i.test(name)) continue
        target.headers[name.toLowerCase()] = value
      }
      try {
        hosts.check(target.url)
        return target
      } catch {
        return null
      }
    },

    async put(target, file) {
      for (let tried = 0; ; tried++) {
        let trouble: unknown
        try {
          const status = await attempt(target, file)
          if (status >= 200 && status < 300) return
          if (status < 500 && status !== 408 && status !== 429) throw new GenesysRefused('PUT (upload)', { status })
          trouble = new GenesysUnavailable(`PUT (upload): ${status}`)
        } catch (error) {
          const isNetwork =
            typeof (error as NodeJS.ErrnoException).code === 'string' || (error as Error).name === 'AbortError'
          if (!isNetwork && !(error instanceof GenesysUnavailable)) throw error
          trouble = error
        }
        const pause = pausesMs[tried]
        if (pause === undefined) throw new GenesysUnavailable('the file could not be handed on', { cause: trouble })
        await clock.wait(pause)
      }
    },
  }
}
