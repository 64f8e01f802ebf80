import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'
import { riffChunks, riffEnd } from './riff.ts'

/** WAVE (RIFF): chunks in order, with a format before the sound. */
export const wavReader: Reader = {
  types: ['audio/wav'],
  read(file: Source, _asked: string, work: Work): Found {
    const end = riffEnd(file, 'WAVE')
    let format = false
    let sound = false
    for (const { id, length } of riffChunks(file, 12, end, work)) {
      if (id === 'fmt ') format = length >= 14
      if (id === 'data') {
        if (!format || sound) throw new Refused('corrupt', 'its sound does not follow its format')
        sound = true
      }
    }
    if (!sound) throw new Refused('corrupt', 'it has no sound')
    return { type: 'audio/wav', end }
  },
}
