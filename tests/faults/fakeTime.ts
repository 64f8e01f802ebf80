import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const library = readdirSync('/usr/lib')
  .map((name) => join('/usr/lib', name, 'faketime', 'libfaketimeMT.so.1'))
  .find((path) => existsSync(path))
if (!library && process.env.TEST_REQUIRE === 'all')
  throw new Error('libfaketime is missing: apt-get install libfaketime')

/**
 * What a process needs in its environment so that its time of day is off by what a file says, in seconds with a sign, from
 * the moment on that it says so. The clock that timers run by is left alone, as by who sets a clock. Null: not installed.
 */
export const fakeTime = library
  ? (offsetFile: string): Record<string, string> => ({
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: offsetFile,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    })
  : null
