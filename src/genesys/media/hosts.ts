import { isIP } from 'node:net'
import { mediaHostsOf } from '../regions.ts'
import { MediaForbidden } from './errors.ts'

export interface HostSettings {
  domain: string
  apiUrl: string
  loginUrl: string
  /** Origins that the operator has set in place of the platform's: no https and no public address is asked of them. */
  exemptOrigins: string[]
  /** Further hosts, as `files.example.com` or `*.example.com`. */
  further: string[]
}

/** What may be asked of an address. */
export interface Permitted {
  /** Whether it may be any address, and plain HTTP. */
  exempt: boolean
  /** Whether it is one of the region's own hosts, which alone get the token. */
  own: boolean
}

export interface MediaHosts {
  /** Throws `MediaForbidden`. */
  check(url: URL): Permitted
  /** Whether somebody who is sent there is asked to log in. */
  isLogin(url: URL): boolean
}

/** Hosts of the region that take the token on a download (FACTS 2.6). */
const ownNames = ['api', 'api-downloads', 'apps']

export function mediaHosts({ domain, apiUrl, loginUrl, exemptOrigins, further }: HostSettings): MediaHosts {
  const allowed = [...mediaHostsOf(domain), ...further.map((host) => host.toLowerCase())]
  const own = ownNames.map((name) => `https://${name}.${domain}`)
  const [api, login] = [new URL(apiUrl).origin, new URL(loginUrl).origin]
  return {
    check(url) {
      if (exemptOrigins.includes(url.origin) && !url.username && !url.password)
        return { exempt: true, own: url.origin === api }
      if (url.protocol !== 'https:') throw new MediaForbidden(`only https is asked, not ${url.protocol}`)
      if (url.username || url.password) throw new MediaForbidden('an address with credentials in it')
      if (url.port !== '') throw new MediaForbidden(`the port ${url.port} is not asked`)
      // The names of the list are no addresses; one that is written as a number is an address by now.
      const { hostname } = url
      if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 || !allowed.some((pattern) => matches(hostname, pattern)))
        throw new MediaForbidden(`the host ${hostname} is not in DOWNLOAD_HOSTS`)
      return { exempt: false, own: own.includes(url.origin) }
    },
    isLogin: (url) =>
      url.hostname === `login.${domain}` ||
      (url.origin === login && (login !== api || /^\/(oauth|login)\b/.test(url.pathname))),
  }
}

function matches(hostname: string, pattern: string): boolean {
  if (!pattern.startsWith('*.')) return hostname === pattern
  return hostname.endsWith(pattern.slice(1)) && hostname.length > pattern.length - 1
}
