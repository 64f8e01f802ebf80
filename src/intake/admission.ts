import { statfs } from 'node:fs/promises'
import { Conflict, Unavailable } from '../errors.ts'

export interface AdmissionLimits {
  /** Files at once; as many again may wait, up to `waitMs`. */
  maxUploads: number
  waitMs: number
  /** Largest file, in bytes: what each file at once may still need on the disk. */
  maxFileBytes: number
}

/** Room that is left alone for the database and the system, in bytes. */
const reserveBytes = 64 * 1024 * 1024

/** Who may begin: files at once, room on the disk, and no delivery twice at the same time. */
export interface Admission {
  /**
   * Resolves when a file may come in; its bytes are unread until then. The returned function gives the place back.
   * Throws `Unavailable` when no place comes free in time or the disk has no room, `Conflict` when a delivery of this
   * name is running.
   */
  enter(delivery: { scope: string; key: string } | null): Promise<() => void>
  /** Throws `Unavailable` when the disk has no room for another file. */
  check(): Promise<void>
  running(): number
}

export function createAdmission(limits: AdmissionLimits, spoolDir: string): Admission {
  const deliveries = new Set<string>()
  const waiting: (() => void)[] = []
  let running = 0

  async function place(): Promise<void> {
    if (running < limits.maxUploads) {
      running++
      return
    }
    if (waiting.length >= limits.maxUploads) throw new Unavailable('too many uploads at once', { retryAfterSeconds: 2 })
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(given), 1)
        reject(new Unavailable('too many uploads at once', { retryAfterSeconds: 2 }))
      }, limits.waitMs)
      const given = () => {
        clearTimeout(timer)
        resolve()
      }
      waiting.push(given)
    })
  }

  /** The place goes straight to the next that waits. */
  function leave(): void {
    const next = waiting.shift()
    if (next) next()
    else running--
  }

  async function roomOnDisk(files: number): Promise<void> {
    const { bavail, bsize } = await statfs(spoolDir).catch((cause) => {
      throw new Unavailable('the spool cannot be reached', { cause })
    })
    if (bavail * bsize < reserveBytes + files * limits.maxFileBytes)
      throw new Unavailable('the disk is full', { retryAfterSeconds: 30 })
  }

  return {
    async enter(delivery) {
      const name = delivery && JSON.stringify([delivery.scope, delivery.key])
      if (name && deliveries.has(name)) throw new Conflict('in_progress', 'This delivery is still running.')
      if (name) deliveries.add(name)
      try {
        await place()
        try {
          await roomOnDisk(running)
        } catch (error) {
          leave()
          throw error
        }
      } catch (error) {
        if (name) deliveries.delete(name)
        throw error
      }
      return () => {
        leave()
        if (name) deliveries.delete(name)
      }
    },
    check: () => roomOnDisk(running + 1),
    running: () => running,
  }
}
