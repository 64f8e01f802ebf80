import type { Stage } from '../contenders/contender.ts'
import type { Figure } from '../report.ts'
import { type Spread, spreadOf } from '../stats.ts'

/** What a part is given. */
export interface PartOptions {
  checkout: string
  rounds: number
  seconds: number
  /** How many records a large installation has. */
  records: number
  /** How many uploads a process takes in before its memory is looked at. */
  uploads: number
  /** Where it may write. */
  folder: string
  stage: Stage
  told: (line: string) => void
}

export function figure(name: string, unit: string, better: Figure['better'], values: number[] | Spread): Figure {
  return { name, unit, better, ...(Array.isArray(values) ? spreadOf(values) : values) }
}

export async function inTurn<T>(count: number, one: (turn: number) => Promise<T>): Promise<T[]> {
  const all: T[] = []
  for (let turn = 0; turn < count; turn++) all.push(await one(turn))
  return all
}
