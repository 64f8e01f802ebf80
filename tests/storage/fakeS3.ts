import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { type Answer, type Asked, type BucketSettings, fakeBucket, refusal } from './fakeBucket.ts'

/**
 * What goes wrong with a request. `lost`: it is done, and its answer does not come. `cut`, `stalled`: half of the answer's body
 * comes, then the connection ends, or nothing more. `deaf`: the body that comes is not read. `changed`: a bit of it is another.
 * `whole`: a range is not heeded. `page`: something before the store answers 502 with a page for people.
 */
export type Fault =
  | { status: number; code: string }
  | 'refused'
  | 'silent'
  | 'lost'
  | 'lostAndSilent'
  | 'cut'
  | 'stalled'
  | 'deaf'
  | 'changed'
  | 'whole'
  | 'page'

type Which = (asked: Pick<Asked, 'method' | 'key' | 'query'>) => boolean

/** An S3 store in this process that fails on command. It is held to the contract as the real ones are, and ends with the test. */
export async function startFakeS3(settings: Partial<BucketSettings> = {}, now = () => new Date()) {
  const whole = {
    name: 'bucket',
    conditional: true,
    sha256: true,
    versions: 'none' as const,
    pageSize: 30,
    ...settings,
  }
  const bucket = fakeBucket(whole, now)
  const faults: { which: Which; fault: Fault; left: number }[] = []
  /** As `PUT key?partNumber`: names of the query, without those of the client. */
  const requests: string[] = []
  /** Who signed. */
  const keyIds = new Set<string>()
  /** Bodies that are on their way. */
  const coming = { now: 0, most: 0 }
  const server = createServer((request, response) => {
    request.on('error', () => {})
    void serve(request, response)
  })

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url!, 'http://fake')
    const [, name = '', ...rest] = decodeURIComponent(pathname).split('/')
    const named = { method: request.method!, key: rest.join('/'), query }
    requests.push(requestLine(named))
    const [, keyId] = /Credential=([^/]+)/.exec(request.headers.authorization ?? '') ?? []
    if (keyId) keyIds.add(keyId)
    const entry = faults.find(({ which, left }) => left > 0 && which(named))
    if (entry) entry.left--
    const fault = entry?.fault
    if (fault === 'refused') return void request.socket.destroy()
    if (fault === 'deaf' || fault === 'silent') return
    const chunks: Buffer[] = []
    coming.most = Math.max(coming.most, ++coming.now)
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      return
    } finally {
      coming.now--
    }
    const body = Buffer.concat(chunks)
    if (fault === 'changed' && body.length > 0) body[body.length >> 1]! ^= 1
    if (fault === 'page') return send(response, { status: 502, body: '<html><p>Bad gateway</html>' })
    if (typeof fault === 'object') return send(response, refusal(fault.status, fault.code))
    const headers = fault === 'whole' ? {} : request.headers
    const answer = bucket.answer(name, { ...named, headers, body })
    if (fault === 'lostAndSilent') return
    if (fault === 'lost') return void request.socket.destroy()
    if (fault === 'cut' || fault === 'stalled') return half(response, answer, fault === 'cut')
    send(response, answer)
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const stop = async () => {
    server.closeAllConnections()
    server.close()
  }
  onTestFinished(stop)
  return {
    ...bucket,
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    keyIds,
    coming,
    stop,
    /** The next `times` requests of which `which` holds go wrong. */
    fail(which: Which, fault: Fault, times = 1) {
      faults.push({ which, fault, left: times })
    },
    /** All goes well again. */
    mend: () => void faults.splice(0),
  }
}

function requestLine({ method, key, query }: Pick<Asked, 'method' | 'key' | 'query'>): string {
  const names = [...query.keys()].filter((name) => name !== 'x-id' && name !== 'uploadId')
  return `${method} ${key}${names.length > 0 ? `?${names.join('&')}` : ''}`
}

function send(response: ServerResponse, { status, headers, body = '' }: Answer): void {
  response.writeHead(status, { ...headers, ...(status !== 204 && { 'content-length': Buffer.byteLength(body) }) })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

function half(response: ServerResponse, { status, headers, body = '' }: Answer, cut: boolean): void {
  const bytes = Buffer.from(body)
  response.writeHead(status, { ...headers, 'content-length': bytes.length })
  response.write(bytes.subarray(0, bytes.length >> 1), () => {
    if (cut) response.socket?.destroy()
  })
}
