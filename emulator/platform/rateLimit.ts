/** Where one token stands in its minute. */
export interface RateLimitState {
  /** Requests in this minute, this one included. */
  count: number
  allowed: number
  /** Whole seconds until the minute is over, at least 1. */
  resetSeconds: number
}

export interface RateLimit {
  /** Counts one request of a token against `allowed` a minute. */
  count(token: string, allowed: number): RateLimitState
  /** Every token begins a new minute. */
  reset(): void
}

const windowMs = 60_000

/** A fixed window that begins with a token's first request; how the platform cuts its minutes is not documented. */
export function createRateLimit(now: () => Date): RateLimit {
  const windows = new Map<string, { endsAt: number; count: number }>()
  return {
    count(token, allowed) {
      const at = now().getTime()
      let window = windows.get(token)
      if (!window || at >= window.endsAt) {
        window = { endsAt: at + windowMs, count: 0 }
        windows.set(token, window)
      }
      window.count += 1
      return { count: window.count, allowed, resetSeconds: Math.ceil((window.endsAt - at) / 1000) }
    },
    reset() {
      windows.clear()
    },
  }
}
