/** Most that the files of one thread may have kept at once. */
const mostBytes = 16 * 1024 * 1024

/** Memory for the plaintext of small files until they are whole, used again and again: as garbage it would gather. */
export interface Kept {
  /** Counts bytes in. False: it is full, and the file takes the longer way. */
  take(bytes: number): boolean
  /** A copy that is given back later. */
  copy(piece: Uint8Array): Uint8Array
  giveBack(piece: Uint8Array): void
}

export function createKept(pieceBytes: number): Kept {
  const spare: ArrayBuffer[] = []
  const ours = new Set<ArrayBufferLike>()
  let taken = 0
  return {
    take(bytes) {
      if (taken + bytes > mostBytes) return false
      taken += bytes
      return true
    },
    copy(piece) {
      const buffer = spare.pop() ?? new ArrayBuffer(pieceBytes)
      ours.add(buffer)
      const copy = new Uint8Array(buffer, 0, piece.length)
      copy.set(piece)
      return copy
    },
    giveBack({ buffer, length }) {
      taken -= length
      if (ours.delete(buffer)) spare.push(buffer as ArrayBuffer)
    },
  }
}
