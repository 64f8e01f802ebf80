import { Refused } from '../../errors.ts'
import { beginWork, type Strictness, type Work } from './limits.ts'
import { checkDisguises } from './polyglot.ts'
import type { Found } from './reader.ts'
import { readerOf } from './readers.ts'
import { isPadding, type Source } from './source.ts'

/** `end`: how many of its bytes are to be kept; fewer than there are only when the policy has the rest cut off. */
export type Examined = Found

/**
 * Is this file what it says, whole, bounded and free of active content? Throws `Refused`. A type that we have no reader for is
 * looked at for other formats only.
 */
export async function examine(
  file: Source,
  asked: string,
  { limits, trailingData }: Strictness,
  mostSteps?: number,
): Promise<Examined> {
  const reader = readerOf(asked)
  const found = reader
    ? await reader.read(file, asked, beginWork(limits, readInside, mostSteps))
    : { type: asked, end: file.size }
  if (found.type !== asked) throw new Refused('type_mismatch', `Declared as ${asked}, but it is ${found.type}.`)
  checkDisguises(file, found)
  if (found.end === file.size || isPadding(file, found.end)) return { ...found, end: file.size }
  if (trailingData === 'cut') return found
  throw new Refused('polyglot', `${file.size - found.end} bytes follow the end of the file at ${found.end}`)
}

/** What follows the end of something inside of a file is refused as it would be of the file. */
async function readInside(file: Source, type: string, work: Work): Promise<void> {
  const found = await readerOf(type)?.read(file, type, work)
  if (found && found.end < file.size && !isPadding(file, found.end))
    throw new Refused('polyglot', `${file.size - found.end} bytes follow the end of something inside of it`)
}
