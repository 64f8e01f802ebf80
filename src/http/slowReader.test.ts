import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { watchReader } from './slowReader.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A reader of 1,000 bytes a second at least, looked at each second. What it has taken is set by hand. */
function reader({ isQueued = false, hasGone = false } = {}) {
  const socket = { bytesWritten: 0, writableLength: 0 }
  const response = Object.assign(new EventEmitter(), { socket: isQueued ? null : socket, destroyed: hasGone })
  let slow = 0
  watchReader(response as unknown as ServerResponse, { windowMs: 1000, leastBytesPerSecond: 1000 }, () => slow++)
  return {
    response,
    /** Its turn comes. */
    turn: () => response.emit('socket', socket),
    /** A second in which it takes so much, and leaves so much waiting. */
    second(taken: number, waiting: number) {
      socket.bytesWritten += taken + waiting - socket.writableLength
      socket.writableLength = waiting
      vi.advanceTimersByTime(1000)
      return slow
    },
  }
}

describe('a reader', () => {
  it('that takes enough of what waits for it is let be', () => {
    const { second } = reader()
    expect([second(1000, 64_000), second(5000, 64_000), second(1000, 1)]).toEqual([0, 0, 0])
  })

  it('that takes a byte too little is slow, once', () => {
    const { second } = reader()
    expect([second(1000, 64_000), second(999, 64_000), second(0, 64_000)]).toEqual([0, 1, 1])
  })

  it('for which nothing waits is not to blame', () => {
    const { second } = reader()
    expect([second(0, 0), second(10, 0), second(999, 1)]).toEqual([0, 0, 1])
  })

  it('is not watched any more when its answer has ended', () => {
    const { second, response } = reader()
    response.emit('close')
    expect([second(0, 64_000), vi.getTimerCount()]).toEqual([0, 0])
  })

  it('that has gone already is not watched', () => {
    reader({ hasGone: true })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('that waits for its turn on a connection is watched from then on', () => {
    const { second, turn } = reader({ isQueued: true })
    expect([second(0, 64_000), vi.getTimerCount()]).toEqual([0, 0])
    turn()
    expect([second(1000, 64_000), second(999, 64_000)]).toEqual([0, 1])
  })
})
