import type { Clock } from '../clock.ts'
import { Throttled } from '../errors.ts'

/** Who, or from where, and how many attempts may fail in a quarter of an hour. */
export interface Counted {
  key: string
  most: number
}

/** How often somebody may fail to sign in, at this process. */
export interface Attempts {
  /**
   * Counts one attempt that begins, so that many at once are no way around it. Throws `Throttled` when it is one too many; that
   * one is not counted. What it gives takes the attempt back: it has succeeded, or nothing was tried.
   */
  begin(...counted: Counted[]): () => void
}

const windowMs = 15 * 60_000
/** Keys are what callers say: beyond so many the oldest go. */
const mostKeys = 20_000

export function createAttempts(clock: Clock): Attempts {
  const failed = new Map<string, number[]>()
  const recent = (key: string, now: number) => (failed.get(key) ?? []).filter((at) => at <= now && now - at < windowMs)

  return {
    begin(...counted) {
      const now = clock.now().getTime()
      for (const { key, most } of counted) {
        const times = recent(key, now)
        if (times.length >= most) throw new Throttled('rate_limited', Math.ceil((times[0]! + windowMs - now) / 1000))
      }
      for (const { key } of counted) {
        const times = [...recent(key, now), now]
        // To the end: the first in the map are those that were quiet the longest.
        failed.delete(key)
        failed.set(key, times)
      }
      for (const key of failed.keys()) {
        if (failed.size <= mostKeys) break
        failed.delete(key)
      }
      let isBack = false
      return () => {
        if (isBack) return
        isBack = true
        for (const { key } of counted) {
          const times = failed.get(key) ?? []
          const mine = times.indexOf(now)
          if (mine >= 0) times.splice(mine, 1)
          if (times.length === 0) failed.delete(key)
        }
      }
    },
  }
}

/** From where: an address, or of IPv6 the network that one customer of a provider has. */
export function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const [first, last] = [groups(head), groups(tail ?? '')]
  const zeros = tail === undefined ? [] : Array(Math.max(0, 8 - first.length - last.length)).fill('0')
  return `${[...first, ...zeros, ...last].slice(0, 4).join(':')}::/64`
}
