import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

/** Makes the names in a folder durable: what was created, renamed or removed in it. */
export async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
