import type { Work } from './limits.ts'
import type { Source } from './source.ts'

/** What a reader finds of a file that is whole, bounded, and carries nothing active. */
export interface Found {
  /** Canonical: what it really is. Another than the asked one is a mismatch, which the caller says. */
  type: string
  /** Where the format's own bytes end. What follows is trailing data. */
  end: number
}

/**
 * Reads the structure of one family of types to its end. Throws `Refused` when a file is not whole, not bounded, or carries
 * active content; the detail is a sentence for the admin. A reader believes no number in the file: each read is checked
 * against the file's end, each loop calls `work.step`, and each byte that it unpacks is counted.
 */
export interface Reader {
  /** The canonical types that it reads. */
  types: readonly string[]
  read(file: Source, asked: string, work: Work): Found | Promise<Found>
}
