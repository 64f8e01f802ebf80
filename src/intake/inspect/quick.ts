import { type Examined, examine } from './examine.ts'
import type { Limits, Strictness } from './limits.ts'
import type { Source } from './source.ts'

/** As what a file is to be read, and how. */
export interface Inspection {
  asked: string
  strictness: Strictness
}

/** So much that a file which asks for no more holds nobody up for long: some 50 ms in a genuine one. */
const quickSteps = 50_000
const most: Partial<Limits> = {
  unpackedEntry: 4 * 1024 * 1024,
  unpacked: 4 * 1024 * 1024,
  entries: 100,
  depth: 1,
}

/**
 * Reads a small file where it passes by in the clear anyway, which spares waking a thread and opening it again. Null: that did not
 * come to a good end, for whatever reason, and it is for the inspection's own threads to judge, with all that the policy lets a file
 * have. What is good within less is good within more.
 */
export async function examineQuickly(file: Source, { asked, strictness }: Inspection): Promise<Examined | null> {
  const { limits, trailingData } = strictness
  const less = Object.entries(most).map(([name, value]) => [name, Math.min(value, limits[name as keyof Limits])])
  const quick = { trailingData, limits: { ...limits, ...Object.fromEntries(less) } }
  return examine(file, asked, quick, quickSteps).catch(() => null)
}
