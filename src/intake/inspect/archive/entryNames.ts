import { Refused } from '../../../errors.ts'
import { pageIn } from '../polyglot.ts'
import { bufferSource } from '../source.ts'

/** Longest path, and longest name in it, that common file systems take, in bytes of UTF-8. */
const longestPath = 1024
const longestName = 255
/** Names that Windows takes for devices, whatever ending follows. */
const devices = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:[.: ]|$)/i
/** `/`, `\` and `.` as some decoders take them, though no UTF-8 writes them so. */
const overlong = ['c0af', 'c080', 'c0ae', 'c19c', 'e080af', 'e080ae', 'e0819c', 'f08080af', 'f08080ae'].map((hex) =>
  Buffer.from(hex, 'hex'),
)
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A name in an archive as text. `isUtf8`: the archive says that it is. Throws `Refused`. */
export function decodeName(bytes: Buffer, isUtf8: boolean): string {
  if (overlong.some((sequence) => bytes.includes(sequence)))
    throw new Refused('active_content', 'the name of an entry hides a path in overlong UTF-8')
  try {
    return utf8.decode(bytes)
  } catch {
    if (isUtf8) throw new Refused('corrupt', 'the name of an entry is no UTF-8')
    // One of the old code pages: they agree on ASCII, and nothing else is judged.
    return bytes.toString('latin1')
  }
}

/** Would unpacking an entry of this name put a file where nobody expects it, or hide what it is? Throws `Refused`. */
export function checkEntryName(name: string): void {
  const shown = JSON.stringify(name.slice(0, 60))
  const outside = (why: string) => new Refused('active_content', `the entry ${shown} ${why}`)
  if (name === '') throw new Refused('active_content', 'an entry has no name')
  if (/\p{Cc}/u.test(name)) throw outside('has control characters in its name')
  if (/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(name)) throw outside('turns the reading direction of its name')
  if (name.includes('\\')) throw outside('has a backslash in its name')
  if (name.startsWith('/')) throw outside('has an absolute path')
  if (/^[a-z]:/i.test(name)) throw outside('has a drive in its path')
  if (Buffer.byteLength(name) > longestPath) throw outside('has too long a path')
  const parts = pathOf(name).split('/')
  for (const part of parts) {
    if (part === '..') throw outside('leaves the folder that it is unpacked in')
    if (part === '') throw outside('has an empty name in its path')
    if (devices.test(part)) throw outside('is named like a device')
    if (/:+\$/.test(part)) throw outside('names a stream of another file')
    if (Buffer.byteLength(part) > longestName) throw outside('has too long a name')
  }
  const bytes = Buffer.from(name)
  if (pageIn(bufferSource(bytes), 0, bytes.length) !== null) throw outside('has a page or program in its name')
}

/** Without `./` and the mark of a folder: what two names of one place have in common. */
function pathOf(name: string): string {
  return name
    .replace(/^(?:\.\/)+/, '')
    .replaceAll('/./', '/')
    .replace(/\/$/, '')
}

/** Says when a name comes twice, as file systems see it that know no case or other compositions. Throws `Refused`. */
export function namesSeen(): (name: string) => void {
  const seen = new Set<string>()
  return (name) => {
    const key = pathOf(name).normalize('NFC').toLowerCase()
    if (seen.has(key)) throw new Refused('corrupt', `the name ${JSON.stringify(name.slice(0, 60))} is there twice`)
    seen.add(key)
  }
}
