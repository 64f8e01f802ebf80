import type { AttachmentId } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { createLoop, type Loop } from '../loop.ts'
import type { Rewrapped } from '../records/questions/rotation.ts'
import type { Records } from '../records/records.ts'
import type { LiveKeyRing } from '../seal/keys.ts'
import type { Events } from '../telemetry/events.ts'
import { byService } from './open.ts'
import type { KeySource } from './source.ts'

export interface RotationOptions {
  source: KeySource
  ring: LiveKeyRing
  records: Records
  /** This process's name among those that serve. */
  process: string
  clock: Clock
  events: Events
}

export interface Rotation extends Loop {
  /** Keys that the records name and this process has not, and how many files are not under the current key yet. */
  state(): { lacks: string[]; toRewrap: number }
}

/** How often a process says what it has, and learns what the others have. */
const restMs = 10_000
const batch = 500

/**
 * Keeps the keys of a running service in step with the records. A key that was announced and is not here is read from the source;
 * once every process has it, it becomes the current one. Then the first of them wraps the keys of stored files anew, so many at a
 * time and no more than half of the time, until none is left under an older one. What is left is found by what wraps it: there is
 * nothing to remember, and a process that dies is followed by the next.
 */
export function createRotation(options: RotationOptions): Rotation {
  const { source, ring, records, process, clock, events } = options
  let lacks: string[] = []
  let toRewrap = 0
  let newest = ring.ids.at(-1)!
  /** Files whose keys do not open, told once. */
  const damaged = new Set<string>()

  async function round(signal: AbortSignal): Promise<void> {
    const known = await records.masterKeys()
    const named = known.filter(({ state }) => state !== 'retired').map(({ id }) => id)
    if (named.some((id) => !ring.ids.includes(id))) await readAgain()
    const here = (id: string) => ring.ids.includes(id)
    const isNews =
      !known.some(({ id }) => id === newest) ||
      known.some(({ id, state }) => here(id) && (state === 'waiting' || (state === 'current' && id !== ring.currentId)))
    const first = records.alone && !isNews ? true : await hold()
    lacks = known.filter(({ state }) => state === 'current' || state === 'old').map(({ id }) => id)
    lacks = lacks.filter((id) => !ring.ids.includes(id))
    const older = named.filter((id) => id !== ring.currentId && ring.ids.includes(id))
    toRewrap = await records.filesUnder(older)
    events.keysCounted(toRewrap)
    if (first && lacks.length === 0 && toRewrap > 0) await rewrapAll(older, signal)
  }

  async function readAgain(): Promise<void> {
    if (!source.changes) return
    try {
      const found = await source.read()
      if (!found) return
      ring.learn(found)
      newest = ring.ids.at(-1)!
    } catch (error) {
      events.keysUnreadable(error)
    }
  }

  /** False: another process wraps anew what is to be. */
  async function hold(): Promise<boolean> {
    const holder = { process: records.alone ? null : process, ids: ring.ids, wrapsWith: ring.currentId }
    const held = await records.holdMasterKeys({ holder, newest, made: false, by: byService(clock) })
    if (held.kind === 'lacks') {
      events.keysLacking(held.ids)
      return false
    }
    if (held.current !== ring.currentId) {
      ring.use(held.current)
      events.keyInUse(held.current)
    }
    return held.first
  }

  async function rewrapAll(older: string[], signal: AbortSignal): Promise<void> {
    let done = 0
    const before = toRewrap
    for (const masterKeyId of older)
      for (let after: string | null = null; !signal.aborted; ) {
        const began = clock.now().getTime()
        const found = await records.keysUnder({ masterKeyId, after, limit: batch })
        if (found.length === 0) break
        after = found.at(-1)!.attachmentId
        done += await records.rewrapKeys({ keys: found.flatMap((one) => rewrapped(masterKeyId, one)) })
        events.keysCounted(Math.max(0, before - done))
        const took = clock.now().getTime() - began
        if (took > 0) await clock.wait(took, signal)
      }
    toRewrap = await records.filesUnder(older)
    events.keysCounted(toRewrap)
    events.keysRewrapped(done, toRewrap)
    if (toRewrap > 0 || done === 0) return
    const detail = JSON.stringify({ files: done })
    await records.audit({ ...byService(clock), what: 'key_rewrap', object: ring.currentId, outcome: 'whole', detail })
  }

  function rewrapped(
    masterKeyId: string,
    { attachmentId, wrapped }: { attachmentId: string; wrapped: Uint8Array },
  ): Rewrapped[] {
    const from = { masterKeyId, wrapped }
    try {
      return [{ attachmentId, from, to: ring.wrap(ring.unwrap(from, attachmentId), attachmentId) }]
    } catch (error) {
      // It stays as it is, and so does the master key: reading it tells of it too.
      if (!damaged.has(attachmentId)) events.fileDamaged(attachmentId as AttachmentId, null, error)
      damaged.add(attachmentId)
      return []
    }
  }

  const loop = createLoop({ round, restMs, clock, failed: (error) => events.rotationFailed(error) })
  return {
    ...loop,
    state: () => ({ lacks, toRewrap }),
    async stop() {
      await loop.stop()
      if (!records.alone) await records.leaveMasterKeys({ process }).catch(() => {})
    },
  }
}
