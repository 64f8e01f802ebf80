import { paces } from './limits.ts'
import { GuestPace } from './refusal.ts'

export interface GuestPaces {
  /** Counts one. Throws `GuestPace` when it is one too many. */
  count(pace: keyof typeof paces, of: string): void
}

/** Windows begin with what is counted first; how the platform cuts its windows is not documented. */
export function createGuestPaces(now: () => Date): GuestPaces {
  const windows = new Map<string, { endsAt: number; count: number }>()
  return {
    count(pace, of) {
      const { most, seconds } = paces[pace]
      const at = now().getTime()
      const key = `${pace} ${of}`
      let window = windows.get(key)
      if (!window || at >= window.endsAt) {
        window = { endsAt: at + seconds * 1000, count: 0 }
        windows.set(key, window)
      }
      window.count += 1
      if (window.count > most) {
        throw new GuestPace(Math.ceil((window.endsAt - at) / 1000), 'Message rate too high for this session')
      }
    },
  }
}
