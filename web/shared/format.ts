/** Sizes and times as people of a language write them. */
export function formats(language: string) {
  const [time, day] = [
    new Intl.DateTimeFormat(language, { timeStyle: 'short' }),
    new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }),
  ]
  return {
    size(bytes: number): string {
      const [unit, size] =
        bytes >= 1024 * 1024
          ? ['megabyte', bytes / (1024 * 1024)]
          : bytes >= 1024
            ? ['kilobyte', bytes / 1024]
            : ['byte', bytes]
      const digits = unit === 'byte' || size >= 100 ? 0 : 1
      return new Intl.NumberFormat(language, {
        style: 'unit',
        unit,
        unitDisplay: unit === 'byte' ? 'long' : 'short',
        maximumFractionDigits: digits,
      }).format(size)
    },
    number: (value: number): string => new Intl.NumberFormat(language).format(value),
    /** A share of a second, or a few. */
    seconds: (seconds: number): string =>
      new Intl.NumberFormat(language, {
        style: 'unit',
        unit: seconds < 1 ? 'millisecond' : 'second',
        unitDisplay: 'short',
        maximumSignificantDigits: 2,
      }).format(seconds < 1 ? seconds * 1000 : seconds),
    /** How long ago, roughly. */
    ago(iso: string): string {
      const hours = Math.max(0, (Date.now() - Date.parse(iso)) / 3_600_000)
      const [count, unit] = hours < 48 ? [hours, 'hour' as const] : [hours / 24, 'day' as const]
      return new Intl.RelativeTimeFormat(language).format(-Math.round(count), unit)
    },
    /** `2026-11-29`, a day of UTC. */
    day: (day: string): string =>
      new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short', timeZone: 'UTC' }).format(new Date(day)),
    /** The time of day for today, else with the day. */
    when(iso: string): string {
      const at = new Date(iso)
      return (at.toDateString() === new Date().toDateString() ? time : day).format(at)
    },
  }
}

export type Formats = ReturnType<typeof formats>
