import { randomUUID } from 'node:crypto'
import { open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Unavailable } from '../errors.ts'

/** Throws `Unavailable` when no file can be made in `dir` now. Leaves none. */
export async function requireWritable(dir: string): Promise<void> {
  try {
    const probe = join(dir, `probe-${randomUUID()}`)
    const handle = await open(probe, 'w', 0o600)
    try {
      await handle.writeFile('probe').finally(() => handle.close())
    } finally {
      await unlink(probe)
    }
  } catch (cause) {
    throw new Unavailable('storage cannot be written', { cause })
  }
}
