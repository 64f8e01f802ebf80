import { closeSync, constants, fdatasyncSync, fsyncSync, openSync, renameSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'

/** A file to be taken over: from the spool to where it stays. */
export interface Adoption {
  from: string
  to: string
}

/** Why one was not taken over; null: it was, and would survive a crash. */
export type Adopted = { code: string | undefined; message: string } | null

/**
 * Takes over files that came together: the data of each is synced, then all are renamed, then each folder is synced once.
 * One that fails does not fail its neighbours, but those of a folder that cannot be synced fail together.
 * Blocks: it runs in a thread, where a few calls in a row cost less than each as a task of its own.
 */
export function adoptAll(batch: Adoption[]): Adopted[] {
  const failures = new Map<Adoption, Adopted>()
  const attempt = (of: Adoption[], work: () => void) => {
    try {
      work()
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      for (const one of of) failures.set(one, { code, message })
    }
  }
  const left = () => batch.filter((one) => !failures.has(one))

  for (const one of left()) attempt([one], () => syncData(one.from))
  for (const one of left()) attempt([one], () => renameSync(one.from, one.to))
  for (const [folder, renamed] of byFolder(left())) {
    attempt(renamed, () => syncFolder(folder))
    // No record will claim them, and on a full disk their room is wanted before the sweep comes by.
    for (const one of renamed) if (failures.has(one)) attempt([], () => unlinkSync(one.to))
  }
  return batch.map((one) => failures.get(one) ?? null)
}

function syncData(path: string): void {
  const file = openSync(path, constants.O_RDWR)
  try {
    fdatasyncSync(file)
  } finally {
    closeSync(file)
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function byFolder(batch: Adoption[]): Map<string, Adoption[]> {
  const folders = new Map<string, Adoption[]>()
  for (const one of batch) {
    const folder = dirname(one.to)
    const there = folders.get(folder)
    if (there) there.push(one)
    else folders.set(folder, [one])
  }
  return folders
}
