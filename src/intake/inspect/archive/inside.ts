import { fileTypeFromBuffer } from 'file-type'
import { Refused } from '../../../errors.ts'
import { endingsIn, isDangerous } from '../../names.ts'
import type { Work } from '../limits.ts'
import { bufferSource } from '../source.ts'

/** How much of an entry is looked at to know what it is. */
const headBytes = 4100

/** Archives that we cannot look into. */
const closed = new Set(
  (
    'x-7z-compressed vnd.rar x-rar-compressed x-bzip2 x-xz x-lzip x-lzh-compressed x-cpio vnd.ms-cab-compressed x-arj x-ace-compressed ' +
    'x-iso9660-image x-apple-diskimage x-deb x-rpm zstd x-lz4 x-compress x-unix-archive x-asar'
  )
    .split(' ')
    .map((name) => `application/${name}`),
)
/** Programs, and what starts them. */
const programs = new Set(
  'x-msdownload x-elf x-mach-binary java-vm wasm x-ms-shortcut x-nintendo-nes-rom vnd.android.dex x-shockwave-flash x-msi'
    .split(' ')
    .map((name) => `application/${name}`),
)
/** What is read whole when it lies in an archive: it may hold what would be refused by itself. */
const documents = [
  ...['zip', 'pdf', 'gzip', 'x-tar', 'x-cfb', 'rtf'].map((name) => `application/${name}`),
  ...['png', 'jpeg', 'gif'].map((name) => `image/${name}`),
]
/** What opens a text that a browser or interpreter runs, wherever it lies. */
const pages = /^(?:<!doctype html|<html|<script|<svg)[\s>/]|^<\?(?:php|=)|^<%/i
const isZip = (type: string) =>
  type === 'application/zip' ||
  /openxmlformats|oasis\.opendocument|java-archive|epub|vnd\.android|x-xpinstall/.test(type)

/** Whether the name of something inside ends as what a system runs. Throws `Refused`. */
export function checkInnerName(name: string): void {
  const { last, inner } = endingsIn(name.replace(/\/$/, ''))
  // Not in the middle of a name, where it is an internet domain.
  const hostile = last.includes('com') && !name.endsWith('/') ? 'com' : [...last, ...inner].find(isDangerous)
  if (hostile !== undefined)
    throw new Refused('active_content', `the entry ${JSON.stringify(name.slice(0, 60))} ends in .${hostile}`)
}

/**
 * Reads an entry to its end, and what it holds as a file of its own where that matters. Throws `Refused`. Only an archive or
 * document is kept in memory while it comes, up to what an entry may unpack to.
 */
export async function checkInside(name: string, bytes: AsyncIterable<Buffer>, work: Work): Promise<void> {
  const shown = JSON.stringify(name.slice(0, 60))
  let head = Buffer.alloc(0)
  let type: string | null = null
  let whole: Buffer[] | null = []
  for await (const piece of bytes) {
    whole?.push(piece)
    if (type !== null) continue
    head = Buffer.concat([head, piece]).subarray(0, headBytes)
    if (head.length < headBytes) continue
    type = await typeOf(head)
    if (!documents.includes(type)) whole = null
  }
  type ??= await typeOf(head)
  if (programs.has(type)) throw new Refused('active_content', `the entry ${shown} is a program`)
  if (
    pages.test(
      head
        .toString('latin1')
        .replace(/^\xef\xbb\xbf/, '')
        .trimStart(),
    )
  )
    throw new Refused('active_content', `the entry ${shown} is a page or script`)
  if (closed.has(type)) throw new Refused('unscannable', `the entry ${shown} is an archive that cannot be looked into`)
  if (whole && documents.includes(type)) await work.within(bufferSource(Buffer.concat(whole)), type)
}

async function typeOf(head: Buffer): Promise<string> {
  const start = head.toString('latin1', 0, 64)
  if (/^#!/.test(start) || start.startsWith('MZ')) return 'application/x-msdownload'
  if (start.startsWith('PK\x03\x04') || start.startsWith('PK\x05\x06')) return 'application/zip'
  const found = await fileTypeFromBuffer(head).catch(() => undefined)
  if (!found) return 'application/octet-stream'
  if (isZip(found.mime)) return 'application/zip'
  return found.mime === 'image/apng' ? 'image/png' : found.mime
}
