import { readFileSync } from 'node:fs'
import { Ajv, type ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'

interface Schema {
  [keyword: string]: unknown
}
interface ResponseObject {
  $ref?: string
  content?: Record<string, { schema: Schema }>
}
interface Document {
  paths: Record<string, Record<string, { responses?: Record<string, ResponseObject> }>>
  components: { schemas: Record<string, Schema>; responses: Record<string, ResponseObject> }
}

const documentFile = new URL('../../emulator/openapi-subset.json', import.meta.url)
const document = JSON.parse(readFileSync(documentFile, 'utf8')) as Document

// The reading side of a schema allows members that it does not name. The emulator, which writes, may only use named ones.
for (const schema of Object.values(document.components.schemas)) {
  if (schema.properties && schema.additionalProperties === undefined) schema.additionalProperties = false
}

// `nullable` of OpenAPI 3.0 is a keyword that Ajv knows; `example` and the `x-` members are none, hence no strict mode.
const ajv = new Ajv({ strict: false, allErrors: true })
ajvFormats.default(ajv)
ajv.addSchema(document, 'genesys')

/** The validator of one of the document's schemas, by name. */
export function schema(name: string): ValidateFunction {
  const validate = ajv.getSchema(`genesys#/components/schemas/${name}`)
  if (!validate) throw new Error(`no schema ${name}`)
  return validate
}

/** Throws with what is wrong unless a value is valid by one of the document's schemas. */
export function validate(name: string, value: unknown): void {
  const holds = schema(name)
  if (!holds(value)) throw new Error(`not a valid ${name}: ${ajv.errorsText(holds.errors)}\n${JSON.stringify(value)}`)
}

/** The document has ErrorBody for every status of the Platform API that it names; those that it does not name have it too. */
const errorSchemaOf = (path: string) => (path.startsWith('/oauth/') ? 'OAuthTokenError' : 'ErrorBody')

/**
 * `fetch` against a server that plays Genesys Cloud: every answer must be one that `openapi-subset.json` describes for its
 * path, method and status, else the promise rejects. A path without host is taken from `baseUrl`.
 */
export function validatedFetch(baseUrl: string): typeof fetch {
  return async (input, init) => {
    const request = new Request(typeof input === 'string' ? new URL(input, baseUrl) : input, init)
    const response = await fetch(request)
    await check(request.method, new URL(response.url).pathname, response.clone())
    return response
  }
}

async function check(method: string, path: string, response: Response): Promise<void> {
  const what = `${method} ${path} → ${response.status}`
  const problem = await problemOf(method, path, response)
  if (problem !== undefined) throw new Error(`${what} is not what the document describes: ${problem}`)
}

async function problemOf(method: string, path: string, response: Response): Promise<string | undefined> {
  const operation = operationOf(method, path)
  if (!operation) return 'no such operation'
  const correlationId = response.headers.get('ININ-Correlation-Id')
  if (!correlationId) return 'no ININ-Correlation-Id'
  const described = resolve(operation.responses?.[response.status])
  if (!described && response.ok) return 'no such status'

  if (method === 'HEAD') return undefined
  const body = await response.text()
  const expected = described ? described.content?.['application/json']?.schema : refTo(errorSchemaOf(path))
  // The document describes the downloads call with a redirect or a url in JSON; the bytes themselves come from there too.
  if (path.startsWith('/api/v2/downloads/') && response.status === 200 && !isJson(response)) return undefined
  if (!expected) return body === '' ? undefined : 'a body where none is described'
  if (!isJson(response)) return 'not JSON'

  const value: unknown = JSON.parse(body)
  const validate = validatorOf(expected)
  if (!validate(value)) return ajv.errorsText(validate.errors)
  if (response.ok || path.startsWith('/oauth/')) return undefined
  const { contextId, status } = value as { contextId?: string; status?: number }
  if (contextId !== correlationId) return 'contextId is not the correlation id'
  if (status !== response.status) return 'the status in the body is another one'
  return response.status === 429 && !response.headers.has('retry-after') ? 'a 429 without Retry-After' : undefined
}

const isJson = (response: Response) => response.headers.get('content-type')?.startsWith('application/json') === true
const refTo = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` })

function resolve(response: ResponseObject | undefined): ResponseObject | undefined {
  const name = response?.$ref?.split('/').at(-1)
  return name === undefined ? response : document.components.responses[name]
}

const validators = new Map<string, ValidateFunction>()

function validatorOf(described: Schema): ValidateFunction {
  const text = JSON.stringify(described).replaceAll('"#/components/', '"genesys#/components/')
  const known = validators.get(text) ?? ajv.compile(JSON.parse(text) as Schema)
  validators.set(text, known)
  return known
}

/** Paths with fewer parameters first, as routers do: `/messages/agentless` is not a conversation. */
const templates = Object.keys(document.paths)
  .map((template) => ({ template, pattern: new RegExp(`^${template.replace(/\{[^}]+\}/g, '[^/]+')}$`) }))
  .sort((a, b) => parametersIn(a.template) - parametersIn(b.template))

function parametersIn(template: string): number {
  return template.split('{').length
}

function operationOf(method: string, path: string) {
  const found = templates.find(({ pattern }) => pattern.test(path))
  return found && document.paths[found.template]?.[method.toLowerCase()]
}
