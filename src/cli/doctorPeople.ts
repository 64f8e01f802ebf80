import type { Config } from '../config.ts'
import type { Find } from './finding.ts'

/**
 * What people need to sign in by Genesys Cloud. Whether its client has that redirect address and those scopes only a sign-in can tell: a
 * login page says nothing to a program (UNCONFIRMED what it would).
 */
export function examinePeople(
  { people: { login }, http: { publicUrl } }: Pick<Config, 'people' | 'http'>,
  find: Find,
): void {
  if (!login) return
  const { clientId, loginUrl, adminPermissions } = login
  find(
    'people',
    'ok',
    `sign in at ${loginUrl}; there the client ${clientId} must have the redirect address ${publicUrl}/sign-in`,
  )
  if (adminPermissions.length === 0)
    find(
      'people',
      'warning',
      'nobody is an admin by Genesys Cloud: name who is by CLIPGATE_ADMIN_PERMISSIONS, or make accounts',
    )
}
