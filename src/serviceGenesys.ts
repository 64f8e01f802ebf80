import type { Clock } from './clock.ts'
import { type Config, isPullOpen, type Secrets } from './config.ts'
import { createGenesysClient, type GenesysClient } from './genesys/client.ts'
import { clientCredentials, userGrant } from './genesys/grants.ts'
import type { Events } from './telemetry/events.ts'

/** Null: nothing is confirmed, and nothing pulled. */
export function openGenesys(config: Config, secrets: Secrets, clock: Clock, events: Events): GenesysClient | null {
  if (config.confirm.ways.length === 0 && !isPullOpen(config, secrets)) return null
  return createGenesysFor(config, secrets, clock, events)
}

/** Null: there are no credentials. */
export function createGenesysFor(config: Config, secrets: Secrets, clock: Clock, events: Events): GenesysClient | null {
  if (!config.genesys || secrets.genesysClientSecret === null) return null
  const grant = clientCredentials(config.genesys.clientId, secrets.genesysClientSecret)
  return createGenesysClient({ ...config.genesys, grant, clock, events })
}

/** Who sends by the token of a service user. Null: none is configured. */
export function createUserFor(config: Config, secrets: Secrets, clock: Clock, events: Events): GenesysClient | null {
  if (!config.genesys?.user) return null
  const { clientId, tokenFile } = config.genesys.user
  const grant = userGrant({ clientId, clientSecret: secrets.genesysUserClientSecret, file: tokenFile })
  return createGenesysClient({ ...config.genesys, grant, clock, events })
}
