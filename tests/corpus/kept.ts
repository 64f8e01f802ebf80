import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RefusalCode } from '../../src/errors.ts'

export interface Kept {
  file: string
  name: string
  type: string
  origin: string
  code: RefusalCode | null
}

const folder = import.meta.dirname

/** Every file of the corpus. */
export const corpus = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as Kept[]

export const bytesOf = ({ file }: Pick<Kept, 'file'>): Buffer => readFileSync(join(folder, file))

/** The good one of this name. */
export function genuine(name: string): Buffer {
  const found = corpus.find((one) => one.name === name && one.code === null)
  if (!found) throw new Error(`the corpus has no ${name}`)
  return bytesOf(found)
}
