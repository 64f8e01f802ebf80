/** `disk`: the file is only written, durably. `work`: it is hashed and sealed as well. */
export type Floor = 'disk' | 'work'

/** What each thread is told at its start. */
export interface ThreadStart {
  floor: Floor
  templates: string
  size: number
  folder: string
  index: number
}

/** What a thread did within the time it was given. */
export interface ThreadDone {
  times: number[]
  last: Kept
}

/** The last file that it kept, to be read back. */
export interface Kept {
  ending: string
  mark: string
  path: string
  /** How it was sealed; null when it was not. */
  sealed: { id: string; dataKey: string; sha256: string } | null
}

/** Behind HTTP: what came of a request's body. */
export interface BodyOrder {
  body: number
  chunks: Uint8Array<ArrayBuffer>[]
  last: boolean
}

/** So many bytes of it were written; or it is kept. */
export type BodyReport = { body: number } & ({ taken: number } | { done: BodyDone })

export interface BodyDone {
  path: string
  dataKey: string
  lengths: number[]
  sha256: string
}
