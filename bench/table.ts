import type { Spread } from './stats.ts'

/** A table in Markdown; numbers stand to the right. */
export function table(head: string[], rows: string[][]): string {
  const right = head.map((_, column) => rows.every((row) => /^(\*\*)?[\d.,–() %-]*(\*\*)?$/.test(row[column] ?? '')))
  return [head, right.map((isRight) => (isRight ? '---:' : '---')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

/** Three significant digits, thousands parted by commas. */
export function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(value >= 10 ? 1 : 2)
}

/** The median, and in brackets the least and the most. */
export function spread({ median, min, max }: Spread): string {
  return `${number(median)} (${number(min)}–${number(max)})`
}

export const mebibytes = (bytes: number) => number(bytes / (1024 * 1024))
