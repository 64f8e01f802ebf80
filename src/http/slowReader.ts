import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** How little a reader may take. */
export interface ReaderLimits {
  windowMs: number
  leastBytesPerSecond: number
}

/**
 * Calls `onSlow` once when a reader, in one window, has taken less than it must of what was waiting for it. A disk of ours
 * that is slow leaves nothing waiting, and is not held against it.
 */
export function watchReader(response: ServerResponse, limits: ReaderLimits, onSlow: () => void): void {
  const least = (limits.leastBytesPerSecond * limits.windowMs) / 1000
  const watch = (socket: Socket) => {
    const takenBy = () => socket.bytesWritten - socket.writableLength
    let before = takenBy()
    const window = setInterval(() => {
      const taken = takenBy() - before
      before += taken
      if (socket.writableLength === 0 || taken >= least) return
      clearInterval(window)
      onSlow()
    }, limits.windowMs)
    response.once('close', () => clearInterval(window))
  }
  // Nothing would tell of the end of one that has gone.
  if (response.destroyed) return
  // One that is not the first on its connection has to wait for its turn.
  if (response.socket) watch(response.socket)
  else response.once('socket', watch)
}
