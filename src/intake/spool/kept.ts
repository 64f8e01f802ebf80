import { quickBytes } from '../inspect/limits.ts'

/** Most that the files of one thread may have kept at once: two of the largest that are kept, and a few small ones. */
const mostBytes = 2 * quickBytes + 4 * 1024 * 1024

/** Memory for the plaintext of files until they are whole, used again and again: as garbage it would gather. */
export interface Kept {
  /** Counts bytes in. False: it is full, and the file takes the longer way. */
  take(bytes: number): boolean
  /** Keeps the buffer of this piece, and gives another of its size in its place: nothing is copied. */
  swap(piece: Uint8Array<ArrayBuffer>): ArrayBuffer
  giveBack(piece: Uint8Array<ArrayBuffer>): void
}

export function createKept(): Kept {
  const spare: ArrayBuffer[] = []
  const ours = new Set<ArrayBuffer>()
  let taken = 0
  return {
    take(bytes) {
      if (taken + bytes > mostBytes) return false
      taken += bytes
      return true
    },
    swap({ buffer }) {
      ours.add(buffer)
      return spare.pop() ?? new ArrayBuffer(buffer.byteLength)
    },
    giveBack({ buffer, length }) {
      taken -= length
      if (ours.delete(buffer)) spare.push(buffer)
    },
  }
}
