import type { Load, Sample } from '../load/job.ts'

/** How much at once: a row of the table. */
export interface Row {
  name: string
  size: number
  atOnce: number
}

/** What everybody gets. */
export interface Stage {
  /** Where the templates lie. */
  templates: string
  emulator: { url: string; conversations: string[] }
  /** The process that makes the load; the same for all that speak HTTP. */
  load(job: unknown): Promise<Load>
}

/** Something that takes files in, in a process of its own. */
export interface Contender {
  name: string
  kind: 'product' | 'floor' | 'peer'
  /** What it does not do that Clipgate does. */
  leavesOut: string
  /** Where it begins with what is there already. Without, it gets an empty folder. */
  folder?: string
  /** `folder` is its own. */
  start(folder: string, row: Row, stage: Stage): Promise<Running>
}

export interface Running {
  pid: number
  /** Takes files in for so long. */
  run(seconds: number): Promise<Load>
  /** Throws unless what was kept of this upload is what was sent. */
  verify(sample: Sample, sent: Buffer): Promise<void>
  stop(): Promise<void>
}
