/**
 * A process that makes one copy and ends. It has no keys and no settings; what it is to do comes by standard input: the wish as
 * a line of JSON, then the file's bytes to the end. Its answer goes to standard output: a line of JSON, then the copy's bytes.
 */
import { buffer } from 'node:stream/consumers'
import { type Copy, type CopyWanted, copiedTypes, NoCopy } from '../copy.ts'
import { copyImage } from './image.ts'
import { copyPdf } from './pdf.ts'
import { copyText } from './text.ts'

async function copy(wanted: CopyWanted, bytes: Buffer): Promise<Copy> {
  if (wanted.type.startsWith('text/')) return copyText(wanted, bytes)
  if (wanted.type === 'application/pdf') return copyPdf(wanted, bytes)
  if (copiedTypes.includes(wanted.type)) return copyImage(wanted, bytes)
  throw new NoCopy(`no copy can be made of ${wanted.type}`)
}

function answer(head: object, bytes?: Uint8Array): void {
  process.stdout.write(`${JSON.stringify(head)}\n`)
  if (bytes) process.stdout.write(bytes)
}

const given = await buffer(process.stdin)
const line = given.indexOf(0x0a)
// Ended before it was wanted.
if (line >= 0) {
  try {
    const { type, pages, bytes } = await copy(JSON.parse(given.toString('utf8', 0, line)), given.subarray(line + 1))
    answer({ type, pages, size: bytes.length }, bytes)
  } catch (error) {
    answer({ reason: error instanceof NoCopy ? error.message : `it cannot be opened: ${(error as Error).message}` })
  }
}
