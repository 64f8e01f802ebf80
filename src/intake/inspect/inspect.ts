import type { WholeFile } from '../spool/spool.ts'

/** Reads the structure of one type of file. Throws `Refused` when it is not whole, not bounded, or carries active content. */
export interface Inspection {
  /** The canonical types that it reads. */
  types: string[]
  inspect(file: WholeFile): Promise<void>
}

/** Runs the inspections that know this file's type. */
export async function inspectWithAll(inspections: Inspection[], file: WholeFile): Promise<void> {
  for (const { types, inspect } of inspections) if (file.type && types.includes(file.type)) await inspect(file)
}
