import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { ListedObject } from './manifest.ts'

/** What was done, kept over a process that dies: a line each. What it has forgotten at a power cut is done again. */
export interface Journal {
  has(key: string): boolean
  add(object: ListedObject): Promise<void>
  close(): Promise<void>
}

export async function openJournal(path: string): Promise<Journal> {
  const file = await open(path, 'a+', 0o600)
  const keys = new Set<string>()
  for await (const line of createInterface({ input: createReadStream(path, 'utf8') })) {
    // The last line of a process that died may be half.
    const [, key] = /^\{"key":"([a-z0-9_]+)",.*\}$/.exec(line) ?? []
    if (key !== undefined) keys.add(key)
  }
  let writing = file.writeFile('\n')
  return {
    has: (key) => keys.has(key),
    async add({ key, bytes, sha256 }) {
      keys.add(key)
      writing = writing.then(() => file.writeFile(`${JSON.stringify({ key, bytes, sha256 })}\n`))
      await writing
    },
    async close() {
      await writing
      await file.close()
    },
  }
}
