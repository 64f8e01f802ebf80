import type { FastifyInstance } from 'fastify'
import { org } from '../org.ts'
import { configurationVersion } from '../platform/deployments.ts'
import type { components } from '../platform.d.ts'
import type { Switches } from '../switches.ts'
import { maxFileSizeKB } from './limits.ts'

type Schemas = components['schemas']
type Route = { Params: { deploymentId: string } }

/** The only types that `modes` can name. */
const modeTypes = ['image/png', 'image/jpeg', 'image/gif']

/** The deployment's two public files. They need no token, and any page may read them. An unknown id is answered 403. */
export function deploymentFiles({ switches, origin }: { switches: Switches; origin: () => string }) {
  // What stands in the file's objects is not typed by the document.
  const config = (): Omit<Schemas['DeploymentConfig'], 'messenger' | 'journeyEvents' | 'auth'> &
    Record<string, unknown> => ({
    id: org.deploymentId,
    version: configurationVersion,
    languages: ['en-us'],
    defaultLanguage: 'en-us',
    apiEndpoint: origin(),
    messenger: {
      enabled: true,
      apps: {
        conversations: {
          enabled: true,
          messagingEndpoint: origin().replace('http', 'ws'),
          showAgentTypingIndicator: true,
          showUserTypingIndicator: true,
          autoStart: { enabled: false },
          conversationDisconnect: { enabled: true, type: switches.conversationDisconnect },
          conversationClear: { enabled: switches.conversationClear === 'enabled' },
          sessionDurationSeconds: switches.sessionDurationSeconds,
        },
      },
      styles: { primaryColor: '#0165A7' },
      launcherButton: { visibility: 'On' },
      fileUpload: {
        enableAttachments: switches.attachments === 'enabled',
        modes: [{ fileTypes: modeTypes, maxFileSizeKB }],
      },
    },
    journeyEvents: { enabled: false },
    status: 'Active',
    auth: { enabled: true, allowSessionUpgrade: false },
  })

  const domains = (): Schemas['DeploymentDomains'] => ({
    allowAllDomains: switches.allowedDomains === null,
    allowedDomains: switches.allowedDomains ?? [],
  })

  return async (app: FastifyInstance) => {
    for (const [name, content] of Object.entries({ config, domains })) {
      app.get<Route>(`/webdeployments/v1/deployments/:deploymentId/${name}.json`, async ({ params }, reply) => {
        return params.deploymentId === org.deploymentId ? content() : reply.code(403).send()
      })
    }
  }
}
