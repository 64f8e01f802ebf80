import { lookup as systemLookup } from 'node:dns'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { isPublic } from './addresses.ts'
import { MediaForbidden } from './errors.ts'

/** All addresses of a name; `dns.lookup` unless a test says otherwise. */
export type Resolve = (hostname: string) => Promise<string[]>

/**
 * Gives a connection its address, after looking at it: what is checked is what is connected to, so that a name whose
 * answer changes from one question to the next (rebinding) gains nothing. One address inside condemns the whole name.
 */
export function publicLookup(resolve: Resolve = resolveBySystem): LookupFunction {
  return (hostname, { all }, give) => {
    resolve(hostname).then(
      (addresses) => {
        const inside = addresses.find((address) => !isPublic(address))
        if (inside !== undefined || addresses.length === 0)
          return give(new MediaForbidden(`${hostname} has an address that is not public`), '')
        const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
        if (all) return give(null, found)
        return give(null, found[0]!.address, found[0]!.family)
      },
      (error: NodeJS.ErrnoException) => give(error, ''),
    )
  }
}

const resolveBySystem: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) =>
      error ? reject(error) : resolve(addresses.map(({ address }) => address)),
    )
  })

export interface GetOptions {
  headers: Record<string, string>
  signal: AbortSignal
  /** Null: any address will do. */
  lookup: LookupFunction | null
}

/** One GET on a connection of its own, up to the head of its answer. Redirects are answers. */
export function get(url: URL, { headers, signal, lookup }: GetOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const ask = url.protocol === 'https:' ? httpsRequest : httpRequest
    const asked = ask(url, { headers, signal, agent: false, ...(lookup && { lookup }) })
    asked.once('response', resolve).on('error', reject).end()
  })
}
