import { z } from 'zod'
import type { Asker } from '../access/asker.ts'
import { cookieWith, noCookie, readCookie } from '../access/cookie.ts'
import { refuseOtherPages, requireOwnPage } from '../access/ownPages.ts'
import { mostCharacters } from '../access/passwords.ts'
import { type Sessions, whoOf } from '../access/sessions.ts'
import type { SignIn } from '../access/signIn.ts'
import type { PeopleViewers, SignedIn } from '../access/viewers.ts'
import { Unauthorized, Unavailable } from '../errors.ts'
import { sessionRoles } from '../records/questions/sessions.ts'
import type { Records } from '../records/records.ts'
import { readJson } from './json.ts'
import type { Routes } from './server.ts'
import { problemShape } from './shapes.ts'

export interface SessionRouteParts {
  viewers: Pick<PeopleViewers, 'signedIn' | 'of'>
  signIn: SignIn
  sessions: Pick<Sessions, 'find' | 'end'>
  records: Pick<Records, 'hasAccounts'>
  /** Where people sign in at the platform. Null: nobody does. */
  genesys: { authorizeUrl: string; clientId: string } | null
  redirectUri(): string
  publicUrl(): string
}

const problems = (...statuses: number[]) => Object.fromEntries(statuses.map((status) => [status, problemShape]))

const visible = /^[\x21-\x7e]+$/
const signInRequest = z.union(
  [
    z.strictObject({
      code: z.string().max(4096).regex(visible),
      codeVerifier: z
        .string()
        .regex(/^[A-Za-z0-9._~-]{43,128}$/)
        .describe('RFC 7636.'),
    }),
    z.strictObject({ name: z.string().min(1).max(64), password: z.string().min(1).max(mostCharacters) }),
  ],
  { error: 'either code and codeVerifier, or name and password' },
)

const sessionShape = z.object({
  who: z.object({
    id: z.string().describe('As in the audit trail: `user:` and the id at Genesys Cloud, or `account:` and a name.'),
    name: z.string(),
  }),
  role: z.enum(sessionRoles),
  seesAll: z.boolean().describe('Otherwise: the files of the conversations that they take, or took, part in.'),
  mayOriginals: z.boolean().describe('Whether files are given as they came, and not only their safe copies.'),
  expiresAt: z.iso.datetime().describe('At the latest. It ends earlier when it is not used for an hour.'),
})

/** /v1/sign-in and /v1/session: how people come in, who they are, and how they leave. */
export function sessionRoutes(parts: SessionRouteParts): Routes {
  const { viewers, signIn, sessions, records, genesys, redirectUri, publicUrl } = parts
  const tags = ['people']
  const asker = ({ method, headers }: Asker): Asker => ({ method, headers })

  return (app) => {
    readJson(app)
    app.addHook('onRequest', async (_request, reply) => void reply.header('cache-control', 'no-store'))

    app.route({
      method: 'GET',
      url: '/v1/sign-in',
      schema: {
        summary: 'How people can sign in here, and whether who asks has done so',
        tags,
        response: {
          200: z.object({
            genesys: z
              .object({ authorizeUrl: z.string(), clientId: z.string(), redirectUri: z.string() })
              .nullable()
              .describe('Authorization code with PKCE (S256). Null: not by Genesys Cloud.'),
            local: z.boolean().describe('By name and password.'),
            session: sessionShape.nullable().describe('As of /v1/session. Null: nobody is signed in.'),
            known: z
              .boolean()
              .describe('False: there may be a session, and Genesys Cloud cannot be asked about it now.'),
          }),
          ...problems(503),
        },
      },
      handler: async (request) => {
        const [signedIn, known] = await viewers.signedIn(asker(request)).then(
          (one) => [one, true] as const,
          (error: unknown) => {
            if (error instanceof Unauthorized) return [null, true] as const
            // While Genesys Cloud is away, whoever has a password can still come in.
            if (error instanceof Unavailable) return [null, false] as const
            throw error
          },
        )
        return {
          genesys: genesys && { ...genesys, redirectUri: redirectUri() },
          local: await records.hasAccounts(),
          session: signedIn && shown(signedIn),
          known,
        }
      },
    })

    app.route({
      method: 'POST',
      url: '/v1/session',
      schema: {
        summary: 'Signs a person in',
        description:
          'With the code and the verifier of a sign-in at Genesys Cloud, or with a name and a password. The session is in a cookie. What the cookie changes later must be asked for by a page of this service.',
        tags,
        body: signInRequest,
        response: { 201: sessionShape, ...problems(400, 401, 403, 408, 429, 503) },
      },
      onRequest: async (request) => {
        const require = readCookie(request.headers) === null ? refuseOtherPages : requireOwnPage
        require(asker(request), publicUrl())
      },
      handler: async (request, reply) => {
        const { body, headers, id: requestId, ip: address } = request
        const entry = { address, requestId, before: readCookie(headers) }
        const { secret, session } = await ('code' in body ? signIn.byCode(body, entry) : signIn.byPassword(body, entry))
        request.who = whoOf(session)
        const answer = shown({ session, viewer: viewers.of(session) })
        return reply.code(201).header('set-cookie', cookieWith(secret)).send(answer)
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/session',
      schema: {
        summary: 'Who is signed in, and what they may',
        tags,
        security: [{ session: [] }],
        response: { 200: sessionShape, ...problems(401, 503) },
      },
      handler: async (request) => {
        const signedIn = await viewers.signedIn(asker(request))
        if (!signedIn) throw new Unauthorized('Nobody is signed in.')
        request.who = signedIn.viewer.who
        return shown(signedIn)
      },
    })

    app.route({
      method: 'DELETE',
      url: '/v1/session',
      schema: {
        summary: 'Signs out',
        description: 'The session and all that came of it end. Without one there is nothing to do, and that is done.',
        tags,
        security: [{ session: [] }],
        response: { 204: z.null(), ...problems(403, 503) },
      },
      handler: async (request, reply) => {
        const secret = request.headers.authorization === undefined ? readCookie(request.headers) : null
        if (secret !== null) {
          requireOwnPage(asker(request), publicUrl())
          // Whether the person is still known matters not, and the platform need not be there.
          const session = await sessions.find(secret)
          if (session) {
            request.who = whoOf(session)
            await sessions.end(session, 'signed out', request.id)
          }
        }
        return reply.code(204).header('set-cookie', noCookie).send(null)
      },
    })
  }
}

function shown({ session, viewer }: SignedIn): z.output<typeof sessionShape> {
  return {
    who: { id: viewer.who, name: session.name },
    role: session.role,
    seesAll: viewer.seesAll,
    mayOriginals: viewer.mayOriginals,
    expiresAt: session.expiresAt.toISOString(),
  }
}
