// Cuts emulator/openapi-subset.json down to what the client in src/genesys/ calls: node scripts/genesys-subset.mjs
import { readFile, writeFile } from 'node:fs/promises'

const source = 'emulator/openapi-subset.json'
const target = 'src/genesys/openapi-subset.json'

const operations = [
  ['post', '/oauth/token'],
  ['get', '/api/v2/tokens/me'],
  ['get', '/api/v2/conversations/messages'],
  ['get', '/api/v2/conversations/{conversationId}'],
  ['patch', '/api/v2/conversations/{conversationId}/participants/{participantId}/attributes'],
  ['post', '/api/v2/conversations/messages/{conversationId}/communications/{communicationId}/messages'],
  ['post', '/api/v2/conversations/messages/{conversationId}/messages/bulk'],
  ['get', '/api/v2/conversations/messages/{messageId}/details'],
  ['post', '/api/v2/conversations/messages/agentless'],
  ['get', '/api/v2/conversations/messaging/supportedcontent/default'],
  ['get', '/api/v2/conversations/messaging/supportedcontent/{supportedContentId}'],
  ['patch', '/api/v2/conversations/messaging/supportedcontent/{supportedContentId}'],
  ['get', '/api/v2/webdeployments/deployments'],
  ['get', '/api/v2/webdeployments/configurations/{configurationId}/versions/{versionId}'],
  ['get', '/api/v2/users/me'],
  ['post', '/api/v2/notifications/channels'],
  ['put', '/api/v2/notifications/channels/{channelId}/subscriptions'],
]

const all = JSON.parse(await readFile(source, 'utf8'))

const paths = {}
for (const [method, path] of operations) {
  const { servers, [method]: operation } = all.paths[path]
  paths[path] = { ...paths[path], ...(servers && { servers }), [method]: operation }
}

const components = { securitySchemes: all.components.securitySchemes }
const waiting = [paths]
while (waiting.length > 0) {
  for (const [, kind, name] of JSON.stringify(waiting.pop()).matchAll(/"#\/components\/(\w+)\/([^"]+)"/g)) {
    components[kind] ??= {}
    if (components[kind][name]) continue
    components[kind][name] = all.components[kind][name]
    waiting.push(components[kind][name])
  }
}
for (const kind of ['responses', 'schemas'])
  components[kind] = Object.fromEntries(Object.entries(components[kind]).sort(([a], [b]) => (a < b ? -1 : 1)))

const { openapi, info, servers, security } = all
const subset = {
  openapi,
  info: {
    ...info,
    title: 'Genesys Cloud Platform API, what the client calls',
    description: `The operations that the client calls, and the schemas that they need. ${info.description}`,
    'x-source': `${source}, cut by scripts/genesys-subset.mjs`,
  },
  servers,
  security,
  paths,
  components,
}
await writeFile(target, `${JSON.stringify(subset, null, 1)}\n`)
console.log(`${target}: ${operations.length} operations, ${Object.keys(components.schemas).length} schemas`)
