import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { expect } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { dataPaths } from '../../src/installation.ts'
import type { Fixture } from '../fixtures/files.ts'
import { keys, type Pushed, pushTo, sha256, testEnvironment } from '../harness.ts'
import { run, servingAt } from '../journeys/process.ts'

const headers = { authorization: `Bearer ${keys.all}` }

export function environment(dataDir: string): Record<string, string> {
  return { ...testEnvironment(dataDir, 'http://127.0.0.1:9'), CLIPGATE_CONFIRM: 'off', UV_THREADPOOL_SIZE: '1' }
}

/** The built program; it may run a single thread for files, so that its calls are counted in one row. */
export async function served(dataDir: string, acknowledged = new Map<string, string | null>()) {
  const program = run(['serve'], environment(dataDir))
  const [, url] = await program.until(servingAt)
  const { objects } = dataPaths(dataDir)
  const get = async (path: string) => {
    const response = await fetch(url + path, { headers })
    return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) }
  }
  let alive = true
  void program.ended.then(() => (alive = false))
  const service = {
    pid: program.pid,
    alive: () => alive,
    /** Digests of what was acknowledged and not erased since; null: erased. */
    acknowledged,
    newest: () => [...acknowledged].filter(([, digest]) => digest !== null).at(-1)![0],
    get,
    async push(file: Fixture, idempotencyKey = randomUUID()) {
      const { status, body }: Pushed = await pushTo(url!, file, { idempotencyKey })
      const id = body.attachment?.id ?? ''
      if (status === 200) acknowledged.set(id, sha256(file.bytes))
      return { status, id, file, problem: body.detail as string | undefined }
    },
    async read(id: string) {
      const { status, bytes } = await get(`/v1/attachments/${id}/content`)
      return { status, sha256: status === 200 ? sha256(bytes) : null }
    },
    async erase(id: string) {
      const response = await fetch(`${url}/v1/attachments/${id}`, { headers, method: 'DELETE' })
      await response.arrayBuffer()
      // It may have been done however it was answered.
      acknowledged.set(id, null)
      return response.status
    },
    /** What was acknowledged reads back, what is recorded as accepted has its bytes, what was erased has none. */
    async expectWhole(about: string) {
      const items: Attachment[] = []
      for (let cursor: string | null = ''; cursor !== null; ) {
        const { bytes } = await get(`/v1/attachments?limit=200${cursor && `&cursor=${cursor}`}`)
        const page = JSON.parse(bytes.toString()) as { items: Attachment[]; next: string | null }
        items.push(...page.items)
        cursor = page.next
      }
      const files = new Set((await readdir(objects, { recursive: true })).map((name) => name.slice(2)))
      const accepted = items.filter(({ state }) => state === 'accepted')
      for (const { id, sha256: digest } of accepted)
        expect([about, id, files.has(id), await service.read(id)]).toEqual([
          about,
          id,
          true,
          { status: 200, sha256: digest },
        ])
      for (const [id, digest] of acknowledged) {
        if (digest !== null)
          expect([about, id, accepted.some((one) => one.id === id && one.sha256 === digest)]).toEqual([about, id, true])
        else expect([about, id, files.has(id)]).toEqual([about, id, false])
      }
    },
    async kill() {
      program.child.kill('SIGKILL')
      await program.ended
    },
  }
  return service
}
