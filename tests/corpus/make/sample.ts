import type { RefusalCode } from '../../../src/errors.ts'

/** A file of the corpus. */
export interface Sample {
  /** As its sender calls it. */
  name: string
  /** As its sender declares it. */
  type: string
  /** The program that made it, or what it stands for. */
  origin: string
  /** What it must be refused as; null: it must be accepted. */
  code: RefusalCode | null
  bytes: Buffer
}

export type Good = Omit<Sample, 'code'>
export type Bad = Omit<Sample, 'code'> & { code: RefusalCode }
