import { Refused } from '../../errors.ts'
import type { Source } from './source.ts'

/** What a file may ask of whoever opens it. A policy can lower or raise each. Sizes are in bytes. */
export interface Limits {
  /** Of one image or frame: what common decoders take at most. */
  pixels: number
  /** Of a moving image. */
  frames: number
  /** Of all frames of one file together. */
  framePixels: number
  /** Of a progressive JPEG: each makes a decoder go through the whole image again. */
  scans: number
  /** Of a PDF or TIFF. */
  pages: number
  /** Of an archive, in all depths together. */
  entries: number
  /** Archives inside archives. */
  depth: number
  /** One entry of an archive, or one compressed stream of a document, unpacked. */
  unpackedEntry: number
  /** All of them together. */
  unpacked: number
  /** Unpacked size over packed, of an entry that unpacks to more than 1 MiB. */
  ratio: number
}

export const defaultLimits: Limits = {
  pixels: 268_435_456,
  frames: 2000,
  framePixels: 4_294_967_296,
  scans: 100,
  pages: 5000,
  entries: 1000,
  depth: 3,
  unpackedEntry: 20 * 1024 * 1024,
  unpacked: 80 * 1024 * 1024,
  ratio: 200,
}

/** Larger files are not kept in memory to be read as they come. */
export const quickBytes = 10 * 1024 * 1024

/** How a policy has files read. */
export interface Strictness {
  limits: Limits
  /** What becomes of bytes after the end of what a file says it is. */
  trailingData: 'refuse' | 'cut'
}

/** Steps that reading one file may take: what a file names again and again must not keep a reader busy. */
const defaultSteps = 20_000_000

/** What reading one file, with all that is packed in it, has used so far. */
export interface Work {
  readonly limits: Limits
  /** How many archives this one lies in. */
  readonly depth: number
  /** Called for each thing looked at, or with how many. Throws `Refused` (unscannable). */
  step(count?: number): void
  /** Called with each piece that was unpacked, before the next. Throws `Refused` (bomb). */
  unpacked(bytes: number): void
  /** Called for each entry of an archive, before it is looked at. Throws `Refused` (bomb). */
  entry(): void
  /** Reads what lies inside as a file of its own, one level deeper, if its type is known. Throws `Refused`. */
  within(file: Source, type: string): Promise<void>
}

/** Reads a file as a type, in the course of other work. */
export type ReadAs = (file: Source, type: string, work: Work) => Promise<unknown>

export function beginWork(limits: Limits, readAs: ReadAs = async () => {}, mostSteps = defaultSteps): Work {
  let steps = 0
  let unpacked = 0
  let entries = 0
  const at = (depth: number): Work => ({
    limits,
    depth,
    step(count = 1) {
      steps += count
      if (steps > mostSteps) throw new Refused('unscannable', 'its structure is too long to be read')
    },
    unpacked(bytes) {
      unpacked += bytes
      if (unpacked > limits.unpacked)
        throw new Refused('bomb', `it expands to more than ${megabytes(limits.unpacked)} in all`)
    },
    entry() {
      entries += 1
      if (entries > limits.entries) throw new Refused('bomb', `it has more than ${limits.entries} entries`)
    },
    async within(file, type) {
      if (depth >= limits.depth) throw new Refused('bomb', `archives lie deeper than ${limits.depth} in each other`)
      await readAs(file, type, at(depth + 1))
    },
  })
  return at(0)
}

/** "31 MB": as people speak of sizes, in MB of 1024 × 1024 bytes. */
export function megabytes(bytes: number): string {
  const size = bytes / 1024 / 1024
  return `${size < 10 ? Number(size.toFixed(1)) : Math.round(size)} MB`
}
