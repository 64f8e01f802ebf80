import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { certificateFor } from '../certificates.ts'
import { temporaryFolder } from '../folder.ts'
import { freePort } from '../freePort.ts'

const deployed = (name: string) => readFile(new URL(`../../deploy/${name}`, import.meta.url), 'utf8')

/** In which both have a place even where `/usr/sbin` is in no path. */
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }
const has = (program: string, args: string[]) => spawnSync(program, args, { env }).status === 0
export const hasNginx = has('nginx', ['-v'])
export const hasCaddy = has('caddy', ['version'])
if (process.env.TEST_REQUIRE === 'all' && !hasNginx)
  throw new Error('nginx is missing: apt-get install --no-install-recommends nginx-light')
if (process.env.TEST_REQUIRE === 'all' && !hasCaddy)
  throw new Error('caddy is missing: apt-get install --no-install-recommends caddy')

const outsideName = 'clipgate.example.com'
const insideName = 'clipgate.internal'

export interface Face {
  port: number
  name: string
  certificate: string
}

/** A proxy with the configuration that we ship, but for addresses, ports, certificates and folders. It ends with the test. */
export interface Standing {
  /** For senders, and for inside. */
  outside: Face
  inside: Face
  /** What it says of its own configuration. */
  check(): { status: number | null; said: string }
  /** All that it has logged. */
  logged(): Promise<string>
  stop(): Promise<void>
}

/** Replaces each of these, which must be there. */
function replaced(text: string, changes: [string, string][]): string {
  return changes.reduce((all, [from, to]) => {
    if (!all.includes(from)) throw new Error(`the configuration has no ${from}`)
    return all.replaceAll(from, to)
  }, text)
}

export async function startNginx(upstream: string): Promise<Standing> {
  const folder = await temporaryFolder()
  const path = (name: string) => join(folder, name)
  const { outside, inside, files, plain } = await faces()
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${path(name)};`)
  const config = replaced(await deployed('nginx.conf'), [
    ['user www-data;', process.getuid?.() === 0 ? 'user root;' : ''],
    ['worker_processes auto;', 'worker_processes 1;'],
    ['worker_rlimit_nofile 65536;', ''],
    ['worker_connections 20000;', 'worker_connections 512;'],
    ['pid /run/nginx.pid;', `pid ${path('pid')};`],
    ['/var/log/nginx/', `${folder}/`],
    ['server_tokens off;', ['server_tokens off;', ...folders].join(' ')],
    ['server 127.0.0.1:8080;', `server ${new URL(upstream).host};`],
    ['/etc/nginx/tls/clipgate.crt', files.cert],
    ['/etc/nginx/tls/clipgate.key', files.key],
    ['listen 80 ', `listen 127.0.0.1:${plain} `],
    ['listen 443 ', `listen 127.0.0.1:${outside.port} `],
    ['listen 127.0.0.1:8443 ', `listen 127.0.0.1:${inside.port} `],
  ])
  await writeFile(path('nginx.conf'), config)
  const args = ['-c', path('nginx.conf'), '-e', path('start.log')]
  return running({
    outside,
    inside,
    line: ['nginx', ...args, '-g', 'daemon off;'],
    check: ['nginx', ...args, '-t'],
    logs: ['access.log', 'error.log', 'start.log'].map(path),
    env,
  })
}

export async function startCaddy(upstream: string): Promise<Standing> {
  const folder = await temporaryFolder()
  const path = (name: string) => join(folder, name)
  const { outside, inside, files, plain } = await faces()
  const config = replaced(await deployed('Caddyfile'), [
    ['grace_period 11m', `grace_period 11m\n\tadmin off\n\tauto_https disable_redirects\n\thttp_port ${plain}`],
    ['127.0.0.1:8080', new URL(upstream).host],
    [
      `${outsideName} {`,
      `https://${outsideName}:${outside.port} {\n\tbind 127.0.0.1\n\ttls ${files.cert} ${files.key}`,
    ],
    [`${insideName}:8443`, `${insideName}:${inside.port}`],
    ['tls internal', `tls ${files.cert} ${files.key}`],
  ])
  await writeFile(path('Caddyfile'), config)
  await mkdir(path('home'))
  const args = ['--config', path('Caddyfile'), '--adapter', 'caddyfile']
  return running({
    outside,
    inside,
    line: ['caddy', 'run', ...args],
    check: ['caddy', 'validate', ...args],
    logs: [],
    env: { ...env, HOME: path('home'), XDG_DATA_HOME: path('home'), XDG_CONFIG_HOME: path('home') },
  })
}

async function faces() {
  const files = await certificateFor(outsideName, insideName)
  const certificate = await readFile(files.cert, 'utf8')
  const face = async (name: string): Promise<Face> => ({ port: await freePort(), name, certificate })
  return { files, outside: await face(outsideName), inside: await face(insideName), plain: await freePort() }
}

interface Started {
  outside: Face
  inside: Face
  line: string[]
  check: string[]
  logs: string[]
  env: NodeJS.ProcessEnv
}

async function running({ outside, inside, line, check, logs, env }: Started): Promise<Standing> {
  const [program, ...args] = line
  let said = ''
  const child = spawn(program!, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  onTestFinished(() => end(child))
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  for (const face of [outside, inside]) while (!isOver() && !(await takes(face)));
  if (isOver()) throw new Error(`${program} did not start: ${said}`)
  return {
    outside,
    inside,
    check() {
      const [command, ...rest] = check
      const { status, stdout, stderr } = spawnSync(command!, rest, { env, encoding: 'utf8' })
      return { status, said: stdout + stderr }
    },
    async logged() {
      return said + (await Promise.all(logs.map((file) => readFile(file, 'utf8').catch(() => '')))).join('')
    },
    stop: () => end(child),
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  // Nginx ends its workers with this one.
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(late)
}

async function takes(face: Face): Promise<boolean> {
  const socket = tlsTo(face)
  const answer = await once(socket, 'secureConnect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return answer
}

/** A connection as a client of this name would have it; from another address of this machine, where one is given. */
export function tlsTo({ port, name, certificate }: Face, localAddress?: string): TLSSocket {
  return connect({
    host: '127.0.0.1',
    port,
    servername: name,
    ca: certificate,
    ...(localAddress && { localAddress }),
  })
}

export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: string
}

export interface Asked {
  method?: string
  headers?: Record<string, string>
  body?: Buffer
  /** The address on this machine that the client has. */
  from?: string
}

export async function ask(face: Face, path: string, { method, headers, body, from }: Asked = {}): Promise<Answer> {
  const { port, name, certificate: ca } = face
  const asked = request({
    host: '127.0.0.1',
    port,
    path,
    method: method ?? 'GET',
    headers: { host: name, ...headers },
    servername: name,
    ca,
    agent: false,
    ...(from && { localAddress: from }),
  })
  asked.end(body)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  let text = ''
  for await (const piece of answer) text += piece
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: text }
}

/** A guest's socket through the proxy. Rejects with the answer when it is refused. */
export async function guestThrough(face: Face, deploymentId: string) {
  const socket = new WebSocket(`wss://${face.name}/v1?deploymentId=${deploymentId}`, {
    origin: 'https://www.example.com',
    createConnection: () => tlsTo(face),
  })
  onTestFinished(() => socket.terminate())
  // biome-ignore lint/suspicious/noExplicitAny: what a frame has is what tests look at
  const heard: any[] = []
  let wake: () => void = () => {}
  socket.on('message', (data) => {
    heard.push(JSON.parse(String(data)))
    wake()
  })
  await once(socket, 'open')
  return {
    socket,
    say: (frame: Record<string, unknown>) => socket.send(JSON.stringify(frame)),
    // biome-ignore lint/suspicious/noExplicitAny: as above
    async next(fits: (frame: any) => boolean): Promise<any> {
      for (;;) {
        const at = heard.findIndex(fits)
        if (at >= 0) return heard.splice(at, 1)[0]
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}
