import { Forbidden } from '../errors.ts'
import type { Asker } from './asker.ts'

const onlyReads = ['GET', 'HEAD']

/**
 * A browser adds our cookie to whatever any page has it send. So what changes something, and comes by a cookie, must say that it
 * comes from a page of ours: in headers that no page can write. Throws `Forbidden`.
 */
export function requireOwnPage({ method, headers }: Asker, publicUrl: string): void {
  if (onlyReads.includes(method)) return
  const site = headers['sec-fetch-site']
  // An origin that is said counts, whatever else is: a browser that tells both tells the same.
  const isOurs = headers.origin === undefined ? site === 'same-origin' : headers.origin === new URL(publicUrl).origin
  if (!isOurs) throw new Forbidden('What a session changes must be asked for by a page of this service.')
}

/** The same for what comes without a cookie: a page elsewhere must not sign its visitors in. Programs are no pages. */
export function refuseOtherPages(asker: Asker, publicUrl: string): void {
  const { origin, 'sec-fetch-site': site } = asker.headers
  if (origin !== undefined || site !== undefined) requireOwnPage(asker, publicUrl)
}
