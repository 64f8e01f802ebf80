import { closeSync, constants, fdatasyncSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at)
}

/** As the product keeps a file: synced, closed, moved into a folder of 32, which is synced. Tells where it is now. */
export function settleFile(folder: string, file: number, spooled: string, id: string): string {
  const shard = join(folder, 'objects', id.slice(-1))
  const path = join(shard, id)
  fdatasyncSync(file)
  closeSync(file)
  renameSync(spooled, path)
  const opened = openSync(shard, constants.O_RDONLY | constants.O_DIRECTORY)
  fsyncSync(opened)
  closeSync(opened)
  return path
}
