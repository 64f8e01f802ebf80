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
  /** Where a redirecting download leads: the same origin, the emulator's other one, or this address whatever it is. */
  redirectDownloadsTo: string
  /** UNCONFIRMED for web messaging: whether an attachment in a message carries its size and its sha256. */
  attachmentSizeAndHash: 'given' | 'absent'
  /** UNCONFIRMED for web messaging: whether messages in notifications still list their files in `media`. */
  mediaInNotifications: 'absent' | 'given'
  /** Whether the caller has the permission that a notification topic asks for. */
  notificationTopics: 'permitted' | 'rejected'
  /** Who comes back from the login page, or that nobody does. */
  signIn: 'agent' | 'otherAgent' | 'supervisor' | 'denied'
  /** What `users/me` says of everyone. */
  userState: 'active' | 'inactive'
  /** Whether tokens of users say that someone else acts in the user's place. */
  clonedUser: boolean
  /** Host names from which the deployment may be used; null: all. */
  allowedDomains: string[] | null
  /** Whether the deployment lets customers send files. */
  attachments: 'enabled' | 'disabled'
  /** Life of tokens issued from now on. */
  tokenLifetimeSeconds: number
}

export const defaultSwitches: Readonly<Switches> = {
  sendWithClientCredentials: 'works',
  rateLimitPerMinute: null,
  downloads: 'signed',
  signedUrlLifetimeSeconds: 600,
  redirectDownloadsTo: 'self',
  attachmentSizeAndHash: 'given',
  mediaInNotifications: 'absent',
  notificationTopics: 'permitted',
  signIn: 'agent',
  userState: 'active',
  clonedUser: false,
  allowedDomains: null,
  attachments: 'enabled',
  tokenLifetimeSeconds: 86399,
}

const isOneOf =
  (...allowed: string[]) =>
  (value: unknown) =>
    allowed.includes(value as string)
const isUrl = (value: string) => URL.canParse(value)
const isAtLeastOne = (value: unknown) => isWholeNumber(value, 1)

const isValidFor: Record<keyof Switches, (value: unknown) => boolean> = {
  sendWithClientCredentials: isOneOf('works', 'userContextRequired'),
  rateLimitPerMinute: (value) => value === null || isAtLeastOne(value),
  downloads: isOneOf('signed', 'bearer', 'redirect'),
  signedUrlLifetimeSeconds: isAtLeastOne,
  redirectDownloadsTo: (value) => typeof value === 'string' && (['self', 'elsewhere'].includes(value) || isUrl(value)),
  attachmentSizeAndHash: isOneOf('given', 'absent'),
  mediaInNotifications: isOneOf('absent', 'given'),
  notificationTopics: isOneOf('permitted', 'rejected'),
  signIn: isOneOf('agent', 'otherAgent', 'supervisor', 'denied'),
  userState: isOneOf('active', 'inactive'),
  clonedUser: (value) => typeof value === 'boolean',
  allowedDomains: (value) => value === null || (Array.isArray(value) && value.every((one) => typeof one === 'string')),
  attachments: isOneOf('enabled', 'disabled'),
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
