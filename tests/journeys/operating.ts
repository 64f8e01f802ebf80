import { expect } from 'vitest'
import { text } from '../fixtures/files.ts'
import { keys, pushTo, sha256 } from '../harness.ts'
import { run, servingAt } from './process.ts'

/** One command to its end. */
export async function clipgate(env: Record<string, string>, ...args: string[]) {
  const program = run(args, env)
  const code = await program.ended
  return { code, out: program.stdout(), err: program.stderr() }
}

export interface Sent {
  id: string
  sha256: string
}

/** `clipgate serve` as a process of its own, and what is asked of it. */
export async function serving(env: Record<string, string>) {
  const program = run(['serve'], env)
  const [, url] = await program.until(servingAt)
  const headers = { authorization: `Bearer ${keys.all}` }
  return {
    url: url!,
    push: async (file = text()): Promise<Sent> => {
      const { status, body } = await pushTo(url!, file)
      expect(status).toBe(200)
      return { id: body.attachment.id, sha256: sha256(file.bytes) }
    },
    read: (id: string) => fetch(`${url}/v1/attachments/${id}/content`, { headers }),
    erase: (id: string) => fetch(`${url}/v1/attachments/${id}`, { method: 'DELETE', headers }),
    /** What it logged so far. */
    logged: () => program.stdout(),
    until: (pattern: RegExp) => program.until(pattern),
    async stop() {
      program.child.kill('SIGTERM')
      expect(await program.ended).toBe(0)
    },
  }
}

export type Served = Awaited<ReturnType<typeof serving>>

export async function pushed({ push }: Served, count: number): Promise<Sent[]> {
  const files: Sent[] = []
  for (let i = 0; i < count; i++) files.push(await push())
  return files
}

/** Each is there with its digest. */
export async function expectAll({ read }: Served, files: Sent[]): Promise<void> {
  for (const { id, sha256: expected } of files) {
    const answer = await read(id)
    expect([id, answer.status, sha256(Buffer.from(await answer.arrayBuffer()))]).toEqual([id, 200, expected])
  }
}
