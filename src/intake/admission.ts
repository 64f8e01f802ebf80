import { statfs } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import { Conflict, Unavailable } from '../errors.ts'
import { createPlaces } from './places.ts'

export interface AdmissionLimits {
  /** Files at once; as many again may wait, up to `waitMs`. */
  maxUploads: number
  waitMs: number
  /** Largest file, in bytes: what each file at once may still need on the disk. */
  maxFileBytes: number
}

/** Room that is left alone, for the database's commits and the system: so much, or a twentieth of a small disk. In bytes. */
const mostReserve = 64 * 1024 * 1024
const reservePart = 1 / 20

/** How long the room on the disk is taken for known. Others write there too. */
const measuredForMs = 1000

/** Of all places, how many more there are for senders whose signature holds, or not, at the end of their body. */
const unprovenShare = 1 / 16

/** Who may begin: files at once, room on the disk, and no delivery twice at the same time. */
export interface Admission {
  /**
   * Resolves when a file may come in; its bytes are unread until then. The returned function gives the place back.
   * Throws `Unavailable` when no place comes free in time or the disk has no room, `Conflict` when a delivery of this
   * name is running, `SenderGone` when the sender leaves while it waits. Those who are `unproven` yet have a small pool of
   * their own.
   */
  enter(
    delivery: { scope: string; key: string } | null,
    sender?: { unproven?: boolean; gone?: AbortSignal },
  ): Promise<() => void>
  /** Throws `Unavailable` when the disk has no room for another file. */
  check(): Promise<void>
  running(): number
}

interface Measured {
  at: number
  /** What the disk had, in bytes, beside the reserve. */
  room: Promise<number>
  /** Files that have left since: each may have taken as much as a file may. */
  left: number
}

export function createAdmission(limits: AdmissionLimits, spoolDir: string, clock: Clock): Admission {
  const deliveries = new Set<string>()
  const known = createPlaces(limits.maxUploads, limits.waitMs)
  const unknown = createPlaces(Math.max(1, Math.floor(limits.maxUploads * unprovenShare)), limits.waitMs)
  const running = () => known.taken() + unknown.taken()
  let measured: Measured | null = null

  function measure(): Measured {
    const now: Measured = { at: clock.now().getTime(), room: roomIn(spoolDir), left: 0 }
    // Trouble is no measure.
    now.room.catch(() => {
      if (measured === now) measured = null
    })
    measured = now
    return now
  }

  async function roomOnDisk(files: number): Promise<void> {
    const fresh = measured !== null && Math.abs(clock.now().getTime() - measured.at) < measuredForMs
    const last = measured !== null && fresh ? measured : measure()
    const needed = files * limits.maxFileBytes
    let room = await last.room
    if (room >= needed && room < needed + last.left * limits.maxFileBytes) room = await measure().room
    if (room < needed) throw new Unavailable('the disk is full', { retryAfterSeconds: 30 })
  }

  return {
    async enter(delivery, { unproven = false, gone } = {}) {
      // Who has proved nothing yet must not keep others from a delivery by naming it.
      const name = delivery && !unproven && JSON.stringify([delivery.scope, delivery.key])
      if (name && deliveries.has(name)) throw new Conflict('in_progress', 'This delivery is still running.')
      if (name) deliveries.add(name)
      try {
        const giveBack = await (unproven ? unknown : known).take(gone)
        const leave = () => {
          if (measured) measured.left++
          giveBack()
        }
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
    check() {
      measure()
      return roomOnDisk(running() + 1)
    },
    running,
  }
}

async function roomIn(folder: string): Promise<number> {
  const { bavail, blocks, bsize } = await statfs(folder).catch((cause) => {
    throw new Unavailable('the spool cannot be reached', { cause })
  })
  return bavail * bsize - Math.min(mostReserve, blocks * bsize * reservePart)
}
