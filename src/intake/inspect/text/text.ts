import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'

/**
 * Plain text. That every byte of it is text, and that it does not open as a page or a program, is known from the pass over
 * its bytes; a program that is met further down is read, not run.
 */
export const textReader: Reader = {
  types: ['text/plain'],
  read(file: Source): Found {
    return { type: 'text/plain', end: file.size }
  },
}
