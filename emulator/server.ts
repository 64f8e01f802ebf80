import fastify, { type FastifyInstance } from 'fastify'
import { createFaults } from './faults.ts'
import { type Control, createControl } from './own/control.ts'
import { ownRoutes } from './own/routes.ts'
import { attributeRoutes } from './platform/attributes.ts'
import { authorizer } from './platform/authorize.ts'
import { conversationRoutes } from './platform/conversations.ts'
import { downloadRoute, downloadUrls } from './platform/downloads.ts'
import { oauthRoutes } from './platform/oauth.ts'
import { createRateLimit } from './platform/rateLimit.ts'
import { sendRoutes } from './platform/send.ts'
import { createSignedUrls } from './platform/signedUrls.ts'
import { dressAsPlatform } from './platform/surface.ts'
import { createTokens } from './platform/tokens.ts'
import { tokensMeRoute } from './platform/tokensMe.ts'
import { createRequestLog } from './requestLog.ts'
import { defaultSwitches } from './switches.ts'
import { createWorld } from './world/world.ts'

/** The one place where the parts meet. `origin` is asked only once the server listens. */
export function createServer(now: () => Date, origin: () => string): { app: FastifyInstance; control: Control } {
  const switches = { ...defaultSwitches }
  const faults = createFaults()
  const requestLog = createRequestLog(now)
  const world = createWorld(now)
  const tokens = createTokens(now)
  const rateLimit = createRateLimit(now)
  const authorize = authorizer(tokens, rateLimit, switches)
  const signedUrls = createSignedUrls(now)
  const urlOf = downloadUrls({ switches, signedUrls, origin })
  const control = createControl({ world, switches, faults, tokens, rateLimit, requestLog, now })

  const app = fastify({ forceCloseConnections: true, exposeHeadRoutes: false })
  readEmptyJsonAsNothing(app)
  dressAsPlatform(app, { faults, requestLog })
  app.register(oauthRoutes({ tokens, switches }))
  app.register(async (api) => {
    api.addHook('onRequest', authorize)
    api.register(conversationRoutes({ world, urlOf }))
    api.register(sendRoutes({ world, switches, urlOf }))
    api.register(attributeRoutes(world))
    api.register(tokensMeRoute)
  })
  // Outside the scope above: a signed url is its own credential.
  app.register(downloadRoute({ world, switches, signedUrls, authorize, origin, now }))
  app.register(ownRoutes(control))
  return { app, control }
}

/** A client that always names JSON as its type may send no body; the routes then say what they miss. */
function readEmptyJsonAsNothing(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'ignore')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, String(body), done)
  })
}
