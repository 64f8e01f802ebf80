/** What several rounds gave. */
export interface Spread {
  median: number
  min: number
  max: number
}

export function spreadOf(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return {
    median: (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2,
    min: sorted[0]!,
    max: sorted.at(-1)!,
  }
}

/** What one did over what the other did, round by round: the median, and between which the middle half of them lies. */
export function ratioOf(ones: number[], others: number[]): Spread {
  const ratios = ones.map((one, round) => one / others[round]!).sort((a, b) => a - b)
  return { median: spreadOf(ratios).median, min: percentile(ratios, 25), max: percentile(ratios, 75) }
}

/** Nearest rank. `sorted` in ascending order, not empty. */
export function percentile(sorted: ArrayLike<number>, percent: number): number {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]!
}
