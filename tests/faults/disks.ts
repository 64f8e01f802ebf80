import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A small file system that can be filled. */
export interface Disk {
  name: string
  mount(folder: string, mebibytes: number): void
}

export const disks: Disk[] = [
  {
    name: 'tmpfs',
    mount: (folder, mebibytes) => execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'none', folder]),
  },
  {
    name: 'ext4',
    mount(folder, mebibytes) {
      const image = `${folder}.img`
      writeFileSync(image, '')
      truncateSync(image, mebibytes * 1024 * 1024)
      execFileSync('mkfs.ext4', ['-q', '-m', '0', image])
      execFileSync('mount', ['-o', 'loop', image, folder], { stdio: 'pipe' })
      // The mount holds it.
      rmSync(image)
    },
  },
]

/** What may be mounted here: file systems want root, and a machine that lets it. */
export function canMount(disk: Disk): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'clipgate-disk-'))
  try {
    disk.mount(folder, 4)
    spawnSync('umount', [folder])
    return true
  } catch {
    return false
  } finally {
    rmSync(`${folder}.img`, { force: true })
    rmdirSync(folder)
  }
}

/** A folder on a disk of its own; both go with the test, after all that was started later. */
export function mounted(disk: Disk, mebibytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'clipgate-disk-'))
  disk.mount(folder, mebibytes)
  onTestFinished(() => {
    execFileSync('umount', [folder])
    rmdirSync(folder)
  })
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  return data
}

/** Takes the room on a disk, to its last block unless told how much. The returned function gives it back. */
export async function fill(path: string, bytes = Number.POSITIVE_INFINITY): Promise<() => Promise<void>> {
  const file = await open(path, 'w')
  let size = 256 * 1024
  for (let written = 0; written < bytes && size > 0; ) {
    try {
      const { bytesWritten } = await file.write(Buffer.alloc(Math.min(size, bytes - written)))
      written += bytesWritten
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      size = Math.floor(size / 2)
    }
  }
  await file.sync()
  await file.close()
  return () => rm(path)
}
