import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../errors.ts'

/** A step of the schema: a file `0001_what.sql`. */
export interface Step {
  number: number
  name: string
  sql: string
  sha256: string
}

/** A step that a database says was made. */
export interface MadeStep {
  number: number
  name: string
  sha256: string
  /** A program that does not know it works all the same. */
  additive: boolean
}

export function readSteps(folder: string): Step[] {
  return readdirSync(folder)
    .filter((file) => /^\d{4}_.*\.sql$/.test(file))
    .sort()
    .map((file) => {
      const sql = readFileSync(join(folder, file), 'utf8')
      return { number: Number(file.slice(0, 4)), name: file.slice(0, -'.sql'.length), sql, sha256: sha256Hex(sql) }
    })
}

/**
 * The steps that a database lacks. Throws `ConfigError` when it is newer than this program, or a step has changed since it was
 * made; and when one is missing and may not be made.
 */
export function missingSteps(known: Step[], made: MadeStep[], apply: boolean): Step[] {
  for (const step of made) {
    const same = known.find(({ number }) => number === step.number)
    if (!same && step.additive) continue
    if (!same)
      throw new ConfigError([
        `The database is newer than this program: it has ${step.name}. Run the program that made it, or a later one.`,
      ])
    if (same.sha256 !== step.sha256)
      throw new ConfigError([`The schema step ${step.name} is not the one that this database was made with.`])
  }
  const missing = known.filter(({ number }) => !made.some((step) => step.number === number))
  if (missing.length > 0 && !apply)
    throw new ConfigError([`The database lacks ${missing.map(({ name }) => name).join(', ')}. Run: clipgate migrate`])
  return missing
}

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
