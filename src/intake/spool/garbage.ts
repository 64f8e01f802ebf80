import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Buffers that a file has passed through are garbage, and V8 lets some 64 MB of them gather in each thread before it
 * looks: two hundred files at once would hold more in garbage than in files. So we ask for a small collection (a
 * millisecond, of young objects only) each time that `everyBytes` went by. V8 offers no limit for this; its `gc` is there
 * to be had without a flag on the command line in this way only.
 *
 * What these buffers hold counts into what the old heap may grow by, though it is given back soon. By itself V8 lets it grow
 * so little that, while large files came, it went through all 32 MB of the main thread's up to ten times a second. Room for as
 * much again is enough.
 */
export function collectEvery(everyBytes: number): (bytes: number) => void {
  setFlagsFromString('--expose-gc')
  setFlagsFromString('--heap-growing-percent=100')
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void
  let since = 0
  return (bytes) => {
    since += bytes
    if (since < everyBytes) return
    since = 0
    collect({ type: 'minor' })
  }
}
