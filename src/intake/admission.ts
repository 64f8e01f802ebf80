import { statfs } from 'node:fs/promises'
import { Conflict, Unavailable } from '../errors.ts'
import { createPlaces } from './places.ts'

export interface AdmissionLimits {
  /** Files at once; as many again may wait, up to `waitMs`. */
  maxUploads: number
  waitMs: number
  /** Largest file, in bytes: what each file at once may still need on the disk. */
  maxFileBytes: number
}

/** Room that is left alone for the database and the system, in bytes. */
const reserveBytes = 64 * 1024 * 1024

/** Of all places, how many more there are for senders whose signature holds, or not, at the end of their body. */
const unprovenShare = 1 / 16

/** Who may begin: files at once, room on the disk, and no delivery twice at the same time. */
export interface Admission {
  /**
   * Resolves when a file may come in; its bytes are unread until then. The returned function gives the place back.
   * Throws `Unavailable` when no place comes free in time or the disk has no room, `Conflict` when a delivery of this
   * name is running. Senders who are not `proven` yet have a small pool of their own.
   */
  enter(delivery: { scope: string; key: string } | null, proven?: boolean): Promise<() => void>
  /** Throws `Unavailable` when the disk has no room for another file. */
  check(): Promise<void>
  running(): number
}

export function createAdmission(limits: AdmissionLimits, spoolDir: string): Admission {
  const deliveries = new Set<string>()
  const known = createPlaces(limits.maxUploads, limits.waitMs)
  const unproven = createPlaces(Math.max(1, Math.floor(limits.maxUploads * unprovenShare)), limits.waitMs)
  const running = () => known.taken() + unproven.taken()

  async function roomOnDisk(files: number): Promise<void> {
    const { bavail, bsize } = await statfs(spoolDir).catch((cause) => {
      throw new Unavailable('the spool cannot be reached', { cause })
    })
    if (bavail * bsize < reserveBytes + files * limits.maxFileBytes)
      throw new Unavailable('the disk is full', { retryAfterSeconds: 30 })
  }

  return {
    async enter(delivery, proven = true) {
      // Who has proved nothing yet must not keep others from a delivery by naming it.
      const name = delivery && proven && JSON.stringify([delivery.scope, delivery.key])
      if (name && deliveries.has(name)) throw new Conflict('in_progress', 'This delivery is still running.')
      if (name) deliveries.add(name)
      try {
        const leave = await (proven ? known : unproven).take()
        try {
          await roomOnDisk(running())
        } catch (error) {
          leave()
          throw error
        }
        return () => {
          leave()
          if (name) deliveries.delete(name)
        }
      } catch (error) {
        if (name) deliveries.delete(name)
        throw error
      }
    },
    check: () => roomOnDisk(running() + 1),
    running,
  }
}
