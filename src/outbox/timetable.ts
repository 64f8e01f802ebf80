/**
 * When a confirmation that failed is tried again: seconds after the first, the second, … attempt. About two days in all;
 * after the attempt that follows the last wait it is parked.
 */
export const timetable = [5, 30, 2 * 60, 10 * 60, 30 * 60, 2 * 3600, 6 * 3600, 12 * 3600, 24 * 3600] as const

/** Each wait is longer or shorter by up to this part, so that what failed together does not come back together. */
export const jitter = 0.1

/** A platform that asks for more than a day is asked again after a day: nothing waits for ever. */
export const longestRetryAfterSeconds = 24 * 3600

/**
 * When to try again after `attempts` attempts, never before the platform asked for (`retryAfterSeconds`). Null: no more.
 * `random`: 0 to 1.
 */
export function nextAttemptAt(
  attempts: number,
  now: Date,
  { retryAfterSeconds = null, random = Math.random }: { retryAfterSeconds?: number | null; random?: () => number } = {},
): Date | null {
  const seconds = timetable[attempts - 1]
  if (seconds === undefined) return null
  const spread = seconds * (1 + jitter * (2 * random() - 1))
  const asked = Math.min(retryAfterSeconds ?? 0, longestRetryAfterSeconds)
  return new Date(now.getTime() + Math.round(Math.max(spread, asked) * 1000))
}
