import type { z } from 'zod'
import type { Viewers } from '../access/viewers.ts'
import { Conflict } from '../errors.ts'
import { listKeys } from '../keys/listed.ts'
import type { Overview } from '../overview/overview.ts'
import type { Records } from '../records/records.ts'
import { letView } from './letIn.ts'
import type { Routes } from './server.ts'
import { differencesAnswer, keysAnswer, overviewAnswer, overviewQuery, problemShape } from './shapes.ts'

export interface OverviewRouteParts {
  viewers: Viewers
  overview(days: number): Promise<Overview>
  /** What Genesys Cloud lets in that we do not, and the other way round. Null: it cannot be asked. */
  differences: (() => Promise<z.input<typeof differencesAnswer>['differences']>) | null
  records: Pick<Records, 'masterKeys' | 'filesByMasterKey'>
}

const problems = (...statuses: number[]) => Object.fromEntries(statuses.map((status) => [status, problemShape]))

/** How the installation does: /v1/overview, /v1/policy/differences, /v1/keys. */
export function overviewRoutes({ viewers, overview, differences, records }: OverviewRouteParts): Routes {
  const security = [{ apiKey: [] }]
  const tags = ['operations']
  const onRequest = letView(viewers, 'admin')

  return (app) => {
    app.route({
      method: 'GET',
      url: '/v1/overview',
      schema: {
        summary: 'Files by day, what waits, engines, and how long it takes',
        description: 'What is counted is at most half a minute old.',
        tags,
        security,
        querystring: overviewQuery,
        response: { 200: overviewAnswer, ...problems(400, 401, 403, 503) },
      },
      onRequest,
      handler: async (request) => {
        const { engines, ...found } = await overview(request.query.days)
        return {
          ...found,
          engines: engines.map(({ signaturesAt, ...engine }) => ({
            ...engine,
            signaturesAt: signaturesAt?.toISOString() ?? null,
          })),
        }
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/policy/differences',
      schema: {
        summary: 'Where Genesys Cloud lets in other files than we do',
        description: 'Asked of it now, or half a minute ago. 409: there are no credentials to ask it with.',
        tags,
        security,
        response: { 200: differencesAnswer, ...problems(401, 403, 409, 503) },
      },
      onRequest,
      handler: async () => {
        if (!differences) throw new Conflict('conflict', 'There are no credentials to ask Genesys Cloud with.')
        return { differences: await differences() }
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/keys',
      schema: {
        summary: 'The master keys, and how many files need each',
        tags,
        security,
        response: { 200: keysAnswer, ...problems(401, 403, 503) },
      },
      onRequest,
      handler: async () => ({
        keys: (await listKeys(records)).map(({ id, state, files, since, retiredAt }) => ({
          id,
          current: state === 'current',
          state,
          files,
          since: since.toISOString(),
          retiredAt: retiredAt?.toISOString() ?? null,
        })),
      }),
    })
  }
}
