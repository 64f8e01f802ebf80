/** One request on the platform's surface. */
export interface LoggedRequest {
  method: string
  /** Without query: it may hold signatures. */
  path: string
  /** 0: the connection was cut instead of answered. */
  status: number
  /** ISO 8601, when the request arrived. */
  at: string
}

export interface RequestLog {
  /** Returns what must be called once the answer is known; until then the request is not listed. */
  arrived(method: string, path: string): (status: number) => void
  /** In the order of arrival, newest last. */
  list(): LoggedRequest[]
}

const mostKept = 10_000

export function createRequestLog(now: () => Date): RequestLog {
  const entries: { method: string; path: string; status?: number; at: string }[] = []
  return {
    arrived(method, path) {
      const entry: (typeof entries)[number] = { method, path, at: now().toISOString() }
      entries.push(entry)
      if (entries.length > mostKept) entries.shift()
      return (status) => {
        entry.status = status
      }
    },
    list() {
      return entries.flatMap(({ method, path, status, at }) =>
        status === undefined ? [] : { method, path, status, at },
      )
    },
  }
}
