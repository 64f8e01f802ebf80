import { openSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { givenAhead, syncingOf, turnsOf } from './ahead.ts'

const mebibytes = 1024 * 1024
/** No disk: it takes no sync. */
const unsyncable = () => openSync('/dev/null', 'w')

describe('turns', () => {
  it('are two at a time, of all threads together', () => {
    const syncing = syncingOf(4)
    const threads = [0, 1, 2, 3].map((thread) => turnsOf(syncing, thread))
    expect(threads.map((turns) => turns.take())).toEqual([true, true, false, false])
    threads[0]!.giveBack()
    expect(threads.map((turns) => turns.take())).toEqual([true, false, false, false])
  })

  it('are one at a time for a thread', () => {
    const turns = turnsOf(syncingOf(4), 2)
    expect([turns.take(), turns.take()]).toEqual([true, false])
    turns.giveBack()
    expect(turns.take()).toBe(true)
  })
})

describe('a file that is written', () => {
  it('is closed with what the disk said of its first part, and the turn is given back', async () => {
    const turns = turnsOf(syncingOf(1), 0)
    const ahead = givenAhead(unsyncable(), turns)
    ahead.wrote(4 * mebibytes)
    await expect(ahead.close()).rejects.toThrow('EINVAL')
    expect(turns.take()).toBe(true)
  })

  it('stays failed when the disk says it once, and takes what comes after', async () => {
    let asked = 0
    const once = async () => {
      asked++
      if (asked === 1) throw new Error('it cannot be written')
    }
    const ahead = givenAhead(unsyncable(), turnsOf(syncingOf(1), 0), once)
    ahead.wrote(4 * mebibytes)
    expect(ahead.isWaiting()).toBe(true)
    await new Promise(setImmediate)
    expect(ahead.isWaiting()).toBe(false)
    ahead.wrote(8 * mebibytes)
    await expect(ahead.close()).rejects.toThrow('it cannot be written')
  })

  it('is not synced ahead when it is small, or when others have the turns', async () => {
    const small = givenAhead(unsyncable(), turnsOf(syncingOf(1), 0))
    small.wrote(mebibytes)
    await small.close()
    const syncing = syncingOf(3)
    for (const thread of [0, 1]) turnsOf(syncing, thread).take()
    const large = givenAhead(unsyncable(), turnsOf(syncing, 2))
    large.wrote(100 * mebibytes)
    await large.close()
  })
})
