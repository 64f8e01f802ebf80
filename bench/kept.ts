import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchFolder } from './places.ts'
import type { Figure, Report } from './report.ts'
import { number, spread, table } from './table.ts'

const path = join(benchFolder, 'kept.json')

/** Below this share nothing has moved, whatever the ranges say. */
const least = 0.1

export function keep(report: Report): void {
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`)
}

/** Throws when none was kept. */
export function readKept(): Report {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Report
  } catch (cause) {
    throw new Error('No report was kept yet: npm run bench -- --keep', { cause })
  }
}

/**
 * What has moved: the medians are more than a tenth apart, and no round of one run was as those of the other. `worse`: one
 * of our own figures has, and the machine is the same.
 */
export function changesSince(kept: Report, report: Report): { markdown: string; worse: boolean } {
  const before = new Map(figuresOf(kept).map((figure) => [figure.name, figure]))
  const both = figuresOf(report).filter(({ name }) => before.has(name))
  const moved = both.filter((now) => hasMoved(before.get(now.name)!, now))
  const sameMachine = JSON.stringify(kept.machine) === JSON.stringify(report.machine)
  const rows = moved.map((now) => {
    const then = before.get(now.name)!
    return [
      now.name,
      now.unit,
      spread(then),
      spread(now),
      number(now.median / then.median),
      isWorse(then, now) ? '**worse**' : 'better',
    ]
  })
  const lines = [
    `Kept on ${kept.date} by \`${kept.command}\`; ${both.length} figures compared, ${moved.length} moved.`,
    ...(sameMachine ? [] : ['**The machine is another one: what moved says little.**']),
    ...(moved.length > 0 ? [table(['', 'unit', 'then', 'now', 'now ÷ then', ''], rows)] : []),
  ]
  const oursIsWorse = moved.some((now) => isOurs(now) && isWorse(before.get(now.name)!, now))
  return { markdown: lines.join('\n\n'), worse: sameMachine && oursIsWorse }
}

const figuresOf = ({ parts }: Report) => parts.flatMap(({ figures }) => figures)

const isOurs = ({ name }: Figure) => !/^\d+[km]@\d+, (?!Clipgate:|[\d,]+ records:)/.test(name)

const isWorse = (then: Figure, now: Figure) =>
  now.better === 'more' ? now.median < then.median : now.median > then.median

function hasMoved(then: Figure, now: Figure): boolean {
  const apart = now.min > then.max || now.max < then.min
  return apart && Math.abs(now.median / then.median - 1) > least
}
