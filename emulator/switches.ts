import { isRecord, isWholeNumber, Malformed } from './parse.ts'

/** How the platform behaves where its real behaviour is unknown, or where a test needs the other case. */
export interface Switches {
  /** UNCONFIRMED on the platform: whether client credentials may send on the agent's communication. */
  sendWithClientCredentials: 'works' | 'userContextRequired'
  /** Requests a minute that one token may make on `/api/v2`. The real default is 300; here none is enforced. */
  rateLimitPerMinute: number | null
  /** UNCONFIRMED for web messaging over REST: whether an attachment's url is signed, wants the token, or redirects. */
  downloads: 'signed' | 'bearer' | 'redirect'
  /** UNCONFIRMED on the platform: how long one signed url lives. */
  signedUrlLifetimeSeconds: number
  /** Life of tokens issued from now on. */
  tokenLifetimeSeconds: number
}

export const defaultSwitches: Readonly<Switches> = {
  sendWithClientCredentials: 'works',
  rateLimitPerMinute: null,
  downloads: 'signed',
  signedUrlLifetimeSeconds: 600,
  tokenLifetimeSeconds: 86399,
}

const isOneOf =
  (...allowed: string[]) =>
  (value: unknown) =>
    allowed.includes(value as string)
const isAtLeastOne = (value: unknown) => isWholeNumber(value, 1)

const isValidFor: Record<keyof Switches, (value: unknown) => boolean> = {
  sendWithClientCredentials: isOneOf('works', 'userContextRequired'),
  rateLimitPerMinute: (value) => value === null || isAtLeastOne(value),
  downloads: isOneOf('signed', 'bearer', 'redirect'),
  signedUrlLifetimeSeconds: isAtLeastOne,
  tokenLifetimeSeconds: isAtLeastOne,
}

/** Throws `Malformed` naming the first unknown switch or value; then nothing has changed. */
export function parseSwitches(value: unknown): Partial<Switches> {
  if (!isRecord(value)) throw new Malformed('switches must be an object')
  for (const [name, setting] of Object.entries(value)) {
    if (!Object.hasOwn(isValidFor, name)) throw new Malformed(`unknown switch: ${name}`)
    if (!isValidFor[name as keyof Switches](setting)) {
      throw new Malformed(`unknown value for switch ${name}: ${JSON.stringify(setting)}`)
    }
  }
  return value
}
