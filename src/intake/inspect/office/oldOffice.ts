import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'
import { type CfbEntry, readCfb } from './cfb.ts'

const msword = 'application/msword'
const excel = 'application/vnd.ms-excel'
const powerpoint = 'application/vnd.ms-powerpoint'

/** Entries by whose name something acts, is embedded, or is encrypted. */
const macros = /^(?:VBA|_VBA_PROJECT(?:_CUR)?|Macros|dir)$/i
const objects =
  /^(?:\x01Ole10Native|\x01Ole10ItemName|Package|\x03OCX(?:NAME|DATA)|_\d{6,10}|MBD[0-9A-F]{8}|LNK[0-9A-F]{8})$/i
const encryption = /^(?:EncryptedPackage|EncryptionInfo|EncryptedSummary|\x09DRMContent)$/i

/** The older Word, Excel and PowerPoint, and newer documents that are encrypted: all are compound files. */
export const oldOfficeReader: Reader = {
  types: [msword, excel, powerpoint, 'application/x-cfb'],
  read(file: Source, _asked: string, work: Work): Found {
    const { entries, end, bytes } = readCfb(file, work)
    const named = (pattern: RegExp) => entries.find(({ name }) => pattern.test(name))
    if (named(encryption)) throw new Refused('encrypted', 'it is encrypted')
    const macro = named(macros)
    if (macro) refuse(`macros (${macro.name})`)
    const object = named(objects)
    if (object) refuse(`an embedded object (${object.name.replace(/\p{Cc}/gu, '')})`)
    const stream = (name: RegExp) => entries.find((entry) => entry.isStream && name.test(entry.name))
    const kinds: [string, CfbEntry | undefined, (stream: Buffer, work: Work) => void][] = [
      [msword, stream(/^WordDocument$/i), checkWord],
      [excel, stream(/^(?:Workbook|Book)$/i), checkExcel],
      [powerpoint, stream(/^PowerPoint Document$/i), checkPowerPoint],
    ]
    const current = stream(/^Current User$/i)
    if (current && bytes(current).subarray(12, 16).toString('hex') === 'dfc4d1f3')
      throw new Refused('encrypted', 'it is encrypted')
    const found = kinds.filter(([, entry]) => entry !== undefined)
    if (found.length > 1) throw new Refused('polyglot', 'it is a document of two programs')
    const [type, entry, check] = found[0] ?? ['application/x-cfb']
    if (entry) check!(bytes(entry), work)
    return { type, end }
  },
}

function refuse(what: string): never {
  throw new Refused('active_content', `it has ${what}`)
}

/** Fields begin with this sign, in texts of one or two bytes a letter. */
const activeField = /\x13\s*(?:DDE|DDEAUTO|INCLUDETEXT|INCLUDEPICTURE|IMPORT|DATABASE|LINK|MACROBUTTON)\b/i

function checkWord(stream: Buffer): void {
  if (stream.length < 32 || stream.readUInt16LE(0) !== 0xa5ec) throw new Refused('corrupt', 'it has no header of Word')
  if (stream.readUInt16LE(10) & 0x0100) throw new Refused('encrypted', 'it is encrypted')
  const texts = [stream.toString('latin1'), stream.toString('utf16le'), stream.subarray(1).toString('utf16le')]
  const field = texts.map((text) => activeField.exec(text)?.[0]).find((found) => found !== undefined)
  if (field !== undefined) refuse(`the field ${field.slice(1).trim()}`)
}

/** Records of BIFF (MS-XLS 2.3) that act, fetch, or say that the rest is encrypted. */
function checkExcel(stream: Buffer, work: Work): void {
  for (let at = 0; at + 4 <= stream.length; ) {
    work.step()
    const [id, length] = [stream.readUInt16LE(at), stream.readUInt16LE(at + 2)]
    if (at + 4 + length > stream.length) throw new Refused('corrupt', `its record at ${at} is cut`)
    const data = stream.subarray(at + 4, at + 4 + length)
    if (id === 0x2f) throw new Refused('encrypted', 'it is encrypted')
    if (id === 0x85 && (data[5] === 1 || data[5] === 6)) refuse('a sheet of macros')
    if (id === 0xd3) refuse('macros')
    if (id === 0x1ad || id === 0xdc) refuse('data that is fetched')
    // Of itself and of functions that are built in they have four bytes; others name a file or a program.
    if (id === 0x1ae && length > 4) refuse('a link to what lies elsewhere')
    at += 4 + length
  }
}

/** Records of PowerPoint (MS-PPT 2.13.24); those in containers come one after the other. */
function checkPowerPoint(stream: Buffer, work: Work): void {
  for (let at = 0; at + 8 <= stream.length; ) {
    work.step()
    const isContainer = (stream[at]! & 15) === 15
    const [id, length] = [stream.readUInt16LE(at + 2), stream.readUInt32LE(at + 4)]
    if (at + 8 + length > stream.length) throw new Refused('corrupt', `its record at ${at} is cut`)
    if (id === 0x1011 || id === 0x0fcc || id === 0x0fce || id === 0x0fee) refuse('an embedded object')
    if (id === 0x0400 && length >= 8 && stream.readUInt32LE(at + 12) !== 0) refuse('macros')
    if (id === 0x2f14) throw new Refused('encrypted', 'it is encrypted')
    if (id === 0x0ff3 && length >= 9 && [1, 2, 6].includes(stream[at + 16]!)) refuse('a click that starts something')
    at += isContainer ? 8 : 8 + length
  }
}
