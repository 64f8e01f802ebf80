import type { FastifyInstance } from 'fastify'
import type { Clock } from '../clock.ts'
import type { UrlOf } from '../platform/views.ts'
import type { SocketDoor } from '../sockets.ts'
import type { Switches } from '../switches.ts'
import type { Profiles } from '../world/profiles.ts'
import type { World } from '../world/world.ts'
import { authenticationRoutes } from './authentication.ts'
import { deploymentFiles } from './files.ts'
import { historyRoute } from './history.ts'
import { createJwts } from './jwt.ts'
import { createGuestPaces } from './pace.ts'
import { guestRequests } from './requests.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { guestSocket } from './socket.ts'
import { uploadRoute } from './uploads.ts'
import { createUploadUrls } from './uploadUrls.ts'

interface Parts {
  world: World
  profiles: Profiles
  switches: Switches
  clock: Clock
  origin: () => string
  urlOf: UrlOf
}

export interface Guests {
  sessions: Sessions
  socket: SocketDoor
  routes: (app: FastifyInstance) => Promise<void>
}

/** The Guest API of Web Messaging: the socket, the upload behind it, history, and the deployment's public files. */
export function createGuests({ world, profiles, switches, clock, origin, urlOf }: Parts): Guests {
  const paces = createGuestPaces(clock.now)
  const jwts = createJwts(clock.now)
  const uploadUrls = createUploadUrls({ switches, origin, now: clock.now })
  const sessions = createSessions({ world, switches, clock, urlOf })
  const take = guestRequests({ sessions, world, profiles, switches, paces, jwts, uploadUrls, urlOf })
  return {
    sessions,
    socket: guestSocket({ sessions, switches, paces, take }),
    async routes(app) {
      app.register(deploymentFiles({ switches, origin }))
      app.register(historyRoute({ sessions, jwts, paces, switches, urlOf }))
      app.register(authenticationRoutes({ sessions, jwts }))
      app.register(uploadRoute({ sessions, world, switches, uploadUrls, urlOf, clock }))
    },
  }
}
