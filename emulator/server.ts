import fastify, { type FastifyInstance } from 'fastify'
import type { Clock } from './clock.ts'
import { createFaults } from './faults.ts'
import { createGuests } from './guest/guests.ts'
import { typingRoute } from './guest/typing.ts'
import { authorizeRoute } from './login/authorize.ts'
import { createCodes } from './login/codes.ts'
import { tokenRoute } from './login/token.ts'
import { createOpenMessaging } from './open/openMessaging.ts'
import { type Control, createControl } from './own/control.ts'
import { ownRoutes } from './own/routes.ts'
import { attributeRoutes } from './platform/attributes.ts'
import { createAccess } from './platform/authorize.ts'
import { conversationRoutes } from './platform/conversations.ts'
import { allowCrossOrigin } from './platform/cors.ts'
import { deploymentRoutes } from './platform/deployments.ts'
import { downloadRoute, downloadUrls, guestDownloadUrls } from './platform/downloads.ts'
import { endingRoute } from './platform/ending.ts'
import { meRoutes } from './platform/me.ts'
import { createOutboundMedia } from './platform/media.ts'
import { myConversationRoutes } from './platform/mine.ts'
import { createChannels } from './platform/notifications/channels.ts'
import { notificationRoutes } from './platform/notifications/routes.ts'
import { notificationStream } from './platform/notifications/stream.ts'
import { createRateLimit } from './platform/rateLimit.ts'
import { sendRoutes } from './platform/send.ts'
import { createSignedUrls } from './platform/signedUrls.ts'
import { supportedContentRoutes } from './platform/supportedContent.ts'
import { dressAsPlatform } from './platform/surface.ts'
import { createTokens } from './platform/tokens.ts'
import { createRequestLog } from './requestLog.ts'
import { openSockets, type Sockets } from './sockets.ts'
import { defaultSwitches } from './switches.ts'
import { createProfiles } from './world/profiles.ts'
import { createWorld } from './world/world.ts'

export interface Origins {
  own: () => string
  elsewhere: () => string
}

interface Server {
  app: FastifyInstance
  control: Control
  sockets: Sockets
}

/** The one place where the parts meet. The origins are asked for only once the server listens. */
export function createServer(clock: Clock, origins: Origins): Server {
  const now = clock.now
  const switches = { ...defaultSwitches }
  const faults = createFaults()
  const requestLog = createRequestLog(now)
  const profiles = createProfiles(now)
  const allowed = () => ({ attachments: switches.attachments === 'enabled', types: profiles.ofDeployment().inbound })
  const world = createWorld(now, allowed)
  const tokens = createTokens(now)
  const codes = createCodes(now)
  const rateLimit = createRateLimit(now)
  const access = createAccess(tokens, rateLimit, switches)
  const channels = createChannels(clock)
  const signedUrls = createSignedUrls(now)
  const urlOf = downloadUrls({ switches, signedUrls, origin: origins.own })
  const files = { urlOf, withSizeAndHash: () => switches.attachmentSizeAndHash === 'given' }
  const stream = notificationStream({ channels, world, switches, urlOf, clock })
  const media = createOutboundMedia({ world, signedUrls, urlOf, origin: origins.own, now })
  const openMessaging = createOpenMessaging({ world, profiles, switches, files, clock })
  const guestUrlOf = guestDownloadUrls({ switches, signedUrls, origin: origins.own })
  const guests = createGuests({ world, profiles, switches, clock, origin: origins.own, urlOf: guestUrlOf })
  const app = fastify({ forceCloseConnections: true, exposeHeadRoutes: false })
  const sockets = openSockets(app.server, [stream, guests.socket], { faults, requestLog })
  const parts = { world, switches, faults, tokens, rateLimit, requestLog, stream, sockets, profiles, clock }
  const control = createControl({ ...parts, sessions: guests.sessions, openMessaging })
  readEmptyJsonAsNothing(app)
  dressAsPlatform(app, { faults, requestLog })
  allowCrossOrigin(app)
  app.register(authorizeRoute({ codes, switches }))
  app.register(tokenRoute({ tokens, codes, switches }))
  app.register(async (api) => {
    api.addHook('onRequest', access.check)
    api.register(conversationRoutes({ world, files }))
    api.register(openMessaging.routes)
    api.register(media.routes)
    api.register(sendRoutes({ world, switches, files, access, media, profiles }))
    api.register(attributeRoutes(world))
    api.register(endingRoute(world))
    api.register(typingRoute({ world, sessions: guests.sessions, now }))
    api.register(supportedContentRoutes(profiles))
    api.register(deploymentRoutes({ profiles, switches }))
    api.register(meRoutes({ access, tokens, switches }))
    api.register(myConversationRoutes({ world, access }))
    const socketOrigin = () => origins.own().replace('http', 'ws')
    api.register(notificationRoutes({ channels, access, switches, socketOrigin }))
  })
  // Outside the scope above: a signed url is its own credential.
  app.register(
    downloadRoute({ world, switches, signedUrls, access, origin: origins.own, elsewhere: origins.elsewhere, now }),
  )
  app.register(media.uploadRoute)
  app.register(guests.routes)
  app.register(ownRoutes(control))
  return { app, control, sockets }
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
