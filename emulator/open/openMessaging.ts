import type { FastifyInstance } from 'fastify'
import type { Clock } from '../clock.ts'
import type { FileView } from '../platform/views.ts'
import type { Switches } from '../switches.ts'
import type { Profiles } from '../world/profiles.ts'
import type { World } from '../world/world.ts'
import { agentlessRoute } from './agentless.ts'
import { inboundRoutes } from './inbound.ts'
import { integrationRoutes } from './integrationRoutes.ts'
import { createIntegrations } from './integrations.ts'
import { type Delivery, postWebhooks } from './webhooks.ts'

interface Parts {
  world: World
  profiles: Profiles
  switches: Switches
  files: FileView
  clock: Clock
}

export interface OpenMessaging {
  /** Behind the token, as all of the Platform API. */
  routes: (api: FastifyInstance) => Promise<void>
  deliveries(): Delivery[]
}

/** The channel that one makes oneself: integrations, what comes in over them, and what goes out to their webhooks. */
export function createOpenMessaging({ world, profiles, switches, files, clock }: Parts): OpenMessaging {
  const integrations = createIntegrations(clock.now)
  const { deliveries } = postWebhooks({ world, integrations, clock })
  return {
    deliveries,
    async routes(api) {
      api.register(integrationRoutes({ integrations, profiles }))
      api.register(inboundRoutes({ integrations, profiles, world, switches, now: clock.now }))
      api.register(agentlessRoute({ integrations, world, files }))
    },
  }
}
