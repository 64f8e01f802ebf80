import type { FastifyInstance } from 'fastify'
import { org } from '../org.ts'
import type { components } from '../platform.d.ts'
import type { Switches } from '../switches.ts'
import type { Profiles } from '../world/profiles.ts'
import { notFound } from './errors.ts'

type Schemas = components['schemas']

const base = '/api/v2/webdeployments/deployments'
const configurationId = '00000000-0000-4000-8000-00000000d101'
export const configurationVersion = '1'

/** The one web deployment, as the Platform API shows it, and its configuration. */
export function deploymentRoutes({ profiles, switches }: { profiles: Profiles; switches: Switches }) {
  const deployment = () => ({
    id: org.deploymentId,
    name: 'Demo deployment',
    allowAllDomains: switches.allowedDomains === null,
    allowedDomains: switches.allowedDomains ?? [],
    supportedContent: { id: profiles.ofDeployment().id },
    status: 'Active' as const,
    configuration: { id: configurationId, version: configurationVersion, name: 'Demo configuration' },
    selfUri: `${base}/${org.deploymentId}`,
  })

  return async (app: FastifyInstance) => {
    app.get(base, async (): Promise<Schemas['ExpandableWebDeploymentEntityListing']> => {
      return { entities: [deployment()], total: 1, selfUri: base }
    })
    app.get<{ Params: { id: string } }>(`${base}/:id`, async ({ params }): Promise<Schemas['WebDeployment']> => {
      if (params.id !== org.deploymentId) throw notFound()
      return deployment()
    })
    app.get<{ Params: { id: string; version: string } }>(
      '/api/v2/webdeployments/configurations/:id/versions/:version',
      async ({ params }): Promise<Schemas['WebDeploymentConfigurationVersion']> => {
        if (params.id !== configurationId || params.version !== configurationVersion) throw notFound()
        return {
          id: configurationId,
          name: 'Demo configuration',
          version: configurationVersion,
          languages: ['en-us'],
          defaultLanguage: 'en-us',
          messenger: {
            enabled: true,
            fileUpload: { enableAttachments: switches.attachments === 'enabled', modes: [] },
          },
          status: 'Active',
          selfUri: `/api/v2/webdeployments/configurations/${configurationId}/versions/${configurationVersion}`,
        }
      },
    )
  }
}
