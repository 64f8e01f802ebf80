/** Whether a deployment may be used from an Origin header's host: exactly, or by a suffix that begins at a dot. */
export function isAllowedOrigin(origin: string | undefined, allowedDomains: string[] | null): boolean {
  if (allowedDomains === null) return true
  const host = hostOf(origin ?? '')
  return allowedDomains.some((domain) => host === domain || host.endsWith(`.${domain}`))
}

/** The mobile SDK sends a bare host name, browsers an origin; scheme and port do not count. */
function hostOf(origin: string): string {
  return origin
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/:\d+$/, '')
    .toLowerCase()
}
