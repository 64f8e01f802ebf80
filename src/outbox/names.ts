/** Longest name that is shown, in code points. */
const longestName = 100

/** Kept of a longer name's end, so that its ending stays readable. */
const keptEnd = 20

/** Control characters, line separators, bidi controls, and halves of surrogate pairs. */
const unshown = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * A name as given, without the characters that change how the text around it is shown, and at most 100 characters: of a
 * longer one the middle is left out. Never empty.
 */
export function shownName(filename: string): string {
  const shown = filename.replace(unshown, '').trim()
  const points = [...shown]
  if (points.length <= longestName) return shown || '?'
  return [...points.slice(0, longestName - keptEnd - 1), '…', ...points.slice(-keptEnd)].join('')
}
