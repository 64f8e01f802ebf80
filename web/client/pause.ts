/** Ends after `ms`, or, if told to, as soon as the device is online again. Rejects with the signal's reason when it is cancelled. */
export function pause(
  ms: number,
  { signal, orOnline }: { signal: AbortSignal | undefined; orOnline: boolean },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      removeEventListener('online', end)
      signal?.removeEventListener('abort', end)
      if (signal?.aborted) reject(signal.reason)
      else resolve()
    }
    const timer = setTimeout(end, ms)
    if (orOnline) addEventListener('online', end)
    signal?.addEventListener('abort', end)
    if (signal?.aborted) end()
  })
}
