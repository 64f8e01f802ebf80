import swaggerUi from '@fastify/swagger-ui'
import { z } from 'zod'
import type { Viewers } from '../access/viewers.ts'
import { type Policy, toldPolicy } from '../intake/policy.ts'
import type { Readiness } from '../telemetry/health.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { letView, letViewAll } from './letIn.ts'
import type { Routes } from './server.ts'
import { policyShape, readyShape } from './shapes.ts'

export interface OperationParts {
  viewers: Viewers
  ready(): Promise<Readiness>
  metrics: Metrics
  policy: Policy
  scan: 'required' | 'off'
  docs: 'open' | 'read'
}

/** /health, /metrics, /v1/policy, /openapi.json, /docs */
export function operationRoutes({ viewers, ready, metrics, policy, scan, docs }: OperationParts): Routes {
  return async (app) => {
    const tags = ['operations']
    app.route({
      method: 'GET',
      url: '/health/live',
      exposeHeadRoute: true,
      schema: { summary: 'The process works', tags, response: { 200: z.object({ live: z.literal(true) }) } },
      handler: async () => ({ live: true as const }),
    })
    app.route({
      method: 'GET',
      url: '/health/ready',
      exposeHeadRoute: true,
      schema: {
        summary: 'Whether files can be taken in, and if not, why',
        tags,
        response: { 200: readyShape, 503: readyShape },
      },
      handler: async (_request, reply) => {
        const answer = await ready()
        return reply
          .code(answer.ready ? 200 : 503)
          .header('cache-control', 'no-store')
          .send(answer)
      },
    })
    app.route({
      method: 'GET',
      url: '/metrics',
      config: { media: 'text/plain' },
      schema: { summary: 'For Prometheus', tags, security: [{ apiKey: [] }], produces: ['text/plain'] },
      onRequest: letViewAll(viewers, 'read'),
      handler: async (_request, reply) =>
        reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
    })
    app.route({
      method: 'GET',
      url: '/v1/policy',
      exposeHeadRoute: true,
      schema: { summary: 'What is taken in', tags, response: { 200: policyShape } },
      handler: async () => ({ ...toldPolicy(policy), scan }),
    })
    const mayReadDocs = docs === 'read' ? letView(viewers, 'read') : async () => {}
    app.route({
      method: 'GET',
      url: '/openapi.json',
      schema: { hide: true },
      onRequest: mayReadDocs,
      handler: async () => app.swagger(),
    })
    await app.register(async (scope) => {
      scope.addHook('onRequest', mayReadDocs)
      scope.addHook('onRoute', (route) => {
        route.config = { ...route.config, media: '*/*' }
      })
      await scope.register(swaggerUi, {
        routePrefix: '/docs',
        staticCSP: true,
        theme: { title: 'Clipgate: HTTP API' },
        uiConfig: { layout: 'BaseLayout', validatorUrl: null },
      })
    })
  }
}
