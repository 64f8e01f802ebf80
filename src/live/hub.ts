import type { Attachment, AttachmentId } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { Unavailable } from '../errors.ts'
import type { Records } from '../records/records.ts'

/** Somebody who watches, and is told in this order: what there is, the oldest first; that this was all; what changes. */
export interface Watcher {
  changed(attachment: Attachment): void
  /** What was on its way under one id is here under another. */
  became(id: string, other: AttachmentId): void
  ready(): void
  /** Nothing more comes. */
  ended(): void
}

/** Tells of attachments as they come and change, through this process or another. */
export interface Hub {
  /**
   * Watches one conversation, or all with null. Returns how to stop. Throws `Unavailable` when too many watch, or the service is
   * stopping.
   */
  watch(conversationId: string | null, watcher: Watcher): () => void
  /** This one may be another than before. */
  changed(id: string): void
  /** Some may be: another process has done something. */
  wake(): void
  start(): void
  /** Ends all who watch. */
  stop(): Promise<void>
}

export interface HubOptions {
  records: Pick<Records, 'attachment' | 'listAttachments'>
  clock: Clock
  /** It could not look, and looks again. */
  failed(error: unknown): void
  mostWatchers?: number
}

/** Of what is watched so many are looked at, the newest. Of older ones only what this process changes is told. */
const mostShown = 100
/** Other processes need not wake us. */
const everyMs = 5000
/** While nobody watches. */
const longestRestMs = 60 * 60 * 1000
/** Others may be busy: not more often for all that they do. */
const wokenEveryMs = 1000

interface Watched {
  conversationId: string | null
  /** Each with whether it was told what there is. */
  watchers: Map<Watcher, boolean>
  /** As watchers know them. */
  told: Map<string, Attachment>
  lookedAt: number
  dueAt: number
}

/** NOTE: one question after the other, so that what was asked earlier is never told after what was asked later. */
export function createHub({ records, clock, failed, mostWatchers = 1000 }: HubOptions): Hub {
  const watched = new Map<string | null, Watched>()
  const changedIds = new Set<string>()
  const stopping = new AbortController()
  let rest = new AbortController()
  let loop: Promise<void> | null = null
  let count = 0

  const now = () => clock.now().getTime()
  const lookAgain = () => rest.abort()

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // Made before it is looked at: who wakes us from here on is not missed.
      rest = new AbortController()
      await lookAround()
      if (!stopping.signal.aborted) await clock.wait(restMs(), rest.signal)
    }
  }

  function restMs(): number {
    const due = [...watched.values()].map(({ dueAt }) => dueAt - now())
    return Math.max(Math.min(...due, longestRestMs), 0)
  }

  async function lookAround(): Promise<void> {
    while (!stopping.signal.aborted) {
      const [id] = changedIds
      const due = [...watched.values()].find((one) => now() >= one.dueAt || now() < one.lookedAt)
      if (id !== undefined) {
        changedIds.delete(id)
        await tellOf(id).catch((error: unknown) => {
          failed(error)
          for (const one of watched.values()) one.dueAt = now() + wokenEveryMs
        })
      } else if (due) {
        due.lookedAt = now()
        due.dueAt = due.lookedAt + everyMs
        await look(due).catch((error: unknown) => {
          failed(error)
          due.dueAt = now() + wokenEveryMs
        })
      } else return
    }
  }

  /** What has changed among the newest; and all of them to who was told nothing yet. */
  async function look(one: Watched): Promise<void> {
    const { conversationId, told } = one
    const newest = await records.listAttachments({
      limit: mostShown,
      ...(conversationId !== null && { conversationId }),
    })
    one.told = new Map(newest.map((attachment) => [attachment.id, attachment]))
    for (const { id, state } of told.values())
      if (!one.told.has(id as AttachmentId) && (state === 'fetching' || state === 'unfetched')) {
        const found = await records.attachment(id)
        if (found && found.id !== id) each(one, (watcher) => watcher.became(id, found.id))
      }
    for (const attachment of newest.toReversed())
      if (!isSame(told.get(attachment.id), attachment)) each(one, (watcher) => watcher.changed(attachment))
    for (const [watcher, ready] of one.watchers) {
      if (ready) continue
      one.watchers.set(watcher, true)
      for (const attachment of newest.toReversed()) watcher.changed(attachment)
      watcher.ready()
    }
  }

  async function tellOf(id: string): Promise<void> {
    const attachment = watched.size > 0 ? await records.attachment(id) : null
    if (!attachment) return
    for (const one of [watched.get(null), watched.get(attachment.conversationId ?? '')]) {
      if (!one) continue
      if (attachment.id !== id && one.told.delete(id)) each(one, (watcher) => watcher.became(id, attachment.id))
      if (isSame(one.told.get(attachment.id), attachment)) continue
      one.told.set(attachment.id, attachment)
      each(one, (watcher) => watcher.changed(attachment))
    }
  }

  /** Who was not told what there is yet will be told it as it is then. */
  function each({ watchers }: Watched, tell: (watcher: Watcher) => void): void {
    for (const [watcher, ready] of watchers) if (ready) tell(watcher)
  }

  return {
    watch(conversationId, watcher) {
      if (stopping.signal.aborted) throw new Unavailable('the service is stopping')
      if (count >= mostWatchers) throw new Unavailable(`${mostWatchers} watch already`)
      const one = watched.get(conversationId) ?? {
        conversationId,
        watchers: new Map(),
        told: new Map(),
        lookedAt: 0,
        dueAt: 0,
      }
      watched.set(conversationId, one)
      one.watchers.set(watcher, false)
      one.dueAt = now()
      count++
      lookAgain()
      return () => {
        if (!one.watchers.delete(watcher)) return
        count--
        if (one.watchers.size === 0) watched.delete(conversationId)
      }
    },
    changed(id) {
      if (watched.size === 0) return
      changedIds.add(id)
      lookAgain()
    },
    wake() {
      for (const one of watched.values()) one.dueAt = Math.min(one.dueAt, one.lookedAt + wokenEveryMs)
      lookAgain()
    },
    start() {
      loop ??= run()
    },
    async stop() {
      stopping.abort()
      lookAgain()
      for (const { watchers } of watched.values()) for (const watcher of [...watchers.keys()]) watcher.ended()
      await loop
    },
  }
}

function isSame(before: Attachment | undefined, now: Attachment): boolean {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(now)
}
