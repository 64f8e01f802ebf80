import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ClamdAddress } from './settings.ts'

/** What our own reading lets through at most. Sizes in bytes. */
export interface Budgets {
  maxFileBytes: number
  unpackedEntry: number
  unpacked: number
  entries: number
  depth: number
}

/** Where distributions put it; beside its socket for who runs his own. */
const places = [
  '/etc/clamav/clamd.conf',
  '/etc/clamd.d/scan.conf',
  '/usr/local/etc/clamav/clamd.conf',
  '/etc/clamd.conf',
]

/** What clamd 1.4 does where its configuration says nothing (clamd.conf(5)). */
const defaults = {
  StreamMaxLength: 100 * 1024 ** 2,
  MaxFileSize: 100 * 1024 ** 2,
  MaxScanSize: 400 * 1024 ** 2,
  MaxFiles: 10_000,
  MaxRecursion: 17,
}

/** The configuration of the clamd at this address, if it lies on this machine: it names the address. Its protocol tells none. */
export async function findClamdConfig(address: ClamdAddress): Promise<{ path: string; text: string } | null> {
  const beside = 'path' in address ? [join(dirname(address.path), 'clamd.conf')] : []
  for (const path of [...beside, ...places]) {
    const text = await readFile(path, 'utf8').catch(() => null)
    if (text === null) continue
    const named =
      'path' in address
        ? settingIn(text, 'LocalSocket') === address.path
        : settingIn(text, 'TCPSocket') === String(address.port)
    if (named) return { path, text }
  }
  return null
}

/** In what clamd would not look as far as we let files go: each a sentence. What it does not look into, it calls OK. */
export function tooSmall(text: string, { maxFileBytes, unpackedEntry, unpacked, entries, depth }: Budgets): string[] {
  const needed = {
    StreamMaxLength: maxFileBytes,
    MaxFileSize: Math.max(maxFileBytes, unpackedEntry),
    MaxScanSize: maxFileBytes + unpacked,
    MaxFiles: entries,
    MaxRecursion: depth + 1,
  }
  const problems: string[] = []
  for (const [name, least] of Object.entries(needed) as [keyof typeof defaults, number][]) {
    const given = settingIn(text, name)
    const value = given === null ? defaults[name] : numberOf(given)
    // 0 is no limit.
    if (value !== 0 && value < least)
      problems.push(`${name} is ${given ?? `${defaults[name]} by default`}, and files may need ${least}`)
  }
  if (!/^(yes|true|1)$/i.test(settingIn(text, 'AlertExceedsMax') ?? 'no'))
    problems.push('AlertExceedsMax is not set: what it does not look into, it calls OK')
  return problems
}

function settingIn(text: string, name: string): string | null {
  for (const line of text.split('\n')) {
    const [key, ...rest] = line.trim().split(/\s+/)
    if (key === name && rest.length > 0) return rest.join(' ')
  }
  return null
}

/** `25M`, `400m`, `1G`, `1000`. */
function numberOf(text: string): number {
  const [, digits = '0', unit = ''] = /^(\d+)([kmg]?)/i.exec(text) ?? []
  return Number(digits) * { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[unit.toLowerCase()]!
}
