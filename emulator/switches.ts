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
  /** Whether tokens say that they were given to another app. */
  otherClient: boolean
  /** Host names from which the deployment may be used; null: all. */
  allowedDomains: string[] | null
  /** Whether the deployment lets customers send files. */
  attachments: 'enabled' | 'disabled'
  /** Whether an agent takes a conversation at once that a customer begins, on the guest socket or over Open Messaging. */
  agentTakesGuests: boolean
  /** What a guest may do once the conversation was ended: nothing more, or begin another one by sending. */
  conversationDisconnect: 'ReadOnly' | 'Send'
  conversationClear: 'enabled' | 'disabled'
  /** How long a session lives after its last message. The platform allows 15 minutes to 18 months. */
  sessionDurationSeconds: number
  /** UNCONFIRMED: two public sources show refused uploads in two frames. */
  uploadRefusals: 'response400' | 'message200'
  /** UNCONFIRMED on the platform: how long one upload url lives. */
  uploadUrlLifetimeSeconds: number
  /** UNCONFIRMED on the platform: whether the signature of an upload url covers the Content-Type that was announced. */
  uploadSignsContentType: boolean
  /** UNCONFIRMED on the platform: whether an upload must have the size that was announced. */
  uploadSizeChecked: boolean
  /** Whether bytes that are not of the announced type fail the upload (4003). What the platform looks at is UNCONFIRMED. */
  uploadContentChecked: boolean
  /** How long after an upload its outcome is told on the socket. */
  uploadEventDelaySeconds: number
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
  otherClient: false,
  allowedDomains: null,
  agentTakesGuests: true,
  conversationDisconnect: 'ReadOnly',
  conversationClear: 'enabled',
  sessionDurationSeconds: 259_200,
  uploadRefusals: 'response400',
  uploadUrlLifetimeSeconds: 3600,
  uploadSignsContentType: false,
  uploadSizeChecked: false,
  uploadContentChecked: false,
  uploadEventDelaySeconds: 0,
  attachments: 'enabled',
  tokenLifetimeSeconds: 86399,
}

const isOneOf =
  (...allowed: string[]) =>
  (value: unknown) =>
    allowed.includes(value as string)
const isBoolean = (value: unknown) => typeof value === 'boolean'
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
  clonedUser: isBoolean,
  otherClient: isBoolean,
  agentTakesGuests: isBoolean,
  conversationDisconnect: isOneOf('ReadOnly', 'Send'),
  conversationClear: isOneOf('enabled', 'disabled'),
  sessionDurationSeconds: isAtLeastOne,
  uploadRefusals: isOneOf('response400', 'message200'),
  uploadUrlLifetimeSeconds: isAtLeastOne,
  uploadSignsContentType: isBoolean,
  uploadSizeChecked: isBoolean,
  uploadContentChecked: isBoolean,
  uploadEventDelaySeconds: (value) => isWholeNumber(value, 0),
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
