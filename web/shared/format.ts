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
    /** The time of day for today, else with the day. */
    when(iso: string): string {
      const at = new Date(iso)
      return (at.toDateString() === new Date().toDateString() ? time : day).format(at)
    },
  }
}

export type Formats = ReturnType<typeof formats>
