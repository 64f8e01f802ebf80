import { describe, expect, it } from 'vitest'
import { genuine } from '../../../../tests/corpus/kept.ts'
import { renamedStream } from '../../../../tests/corpus/make/office.ts'
import { examined } from '../../../../tests/fixtures/examined.ts'
import { mutated, numbers } from '../../../../tests/fixtures/mutations.ts'

const doc = 'application/msword'
const xls = 'application/vnd.ms-excel'

const letter = genuine('letter.doc')
const table = genuine('table.xls')

const utf16 = (text: string) => Buffer.from(text, 'utf16le')

function replaced(bytes: Buffer, from: Buffer, to: Buffer): Buffer {
  const changed = Buffer.from(bytes)
  const at = changed.indexOf(from)
  expect(at).toBeGreaterThan(0)
  to.copy(changed, at)
  return changed
}

describe('older documents', () => {
  it('of LibreOffice are taken, as what they are', async () => {
    expect(await examined(letter, doc)).toBe('taken')
    expect(await examined(table, xls)).toBe('taken')
    expect(await examined(letter, xls)).toMatch(/^type_mismatch/)
  })

  it.each([
    ['VBA', 'active_content'],
    ['Macros', 'active_content'],
    ['\x01Ole10Native', 'active_content'],
    ['_1234567890', 'active_content'],
    ['EncryptedPackage', 'encrypted'],
    ['EncryptionInfo', 'encrypted'],
  ])('with %j are refused', async (name, code) => {
    expect(await examined(renamedStream(letter, '\x01CompObj', name), doc)).toMatch(new RegExp(`^${code}: `))
  })

  it('that are encrypted and called a newer one are encrypted', async () => {
    const docx = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
    expect(await examined(renamedStream(letter, '\x01CompObj', 'EncryptedPackage'), docx)).toMatch(/^encrypted/)
    expect(await examined(letter, docx)).toMatch(/^type_mismatch/)
  })

  it('of Word with DDE or encryption are refused', async () => {
    const text = letter.includes(utf16('Größe and')) ? utf16 : (one: string) => Buffer.from(one, 'latin1')
    expect(await examined(replaced(letter, text('Größe and'), text('\x13DDEAUTO ')), doc)).toMatch(
      /^active_content.*DDEAUTO/,
    )
    const encrypted = Buffer.from(letter)
    const at = encrypted.indexOf(Buffer.from('eca5', 'hex'))
    encrypted[at + 11]! |= 1
    expect(await examined(encrypted, doc)).toMatch(/^encrypted/)
  })

  it('of Excel with a sheet of macros or a password are refused', async () => {
    const sheet = table.indexOf(Buffer.from('8500', 'hex'))
    const macro = Buffer.from(table)
    macro[sheet + 4 + 5] = 1
    expect(await examined(macro, xls)).toMatch(/^active_content: it has a sheet of macros/)
    const locked = Buffer.from(table)
    locked.writeUInt16LE(0x2f, sheet)
    expect(await examined(locked, xls)).toMatch(/^encrypted/)
  })

  it('changed anywhere are taken or refused', async () => {
    const random = numbers(8)
    const counts = new Map<string, number>()
    for (let round = 0; round < 2000; round++) {
      const [bytes, type] = round % 2 ? [table, xls] : [letter, doc]
      const changed = mutated(bytes.toString('latin1'), ['\xff\xff\xff\xff', '\0\0\0\0', '\xfe\xff\xff\xff'], random)
      const code = (await examined(Buffer.from(changed, 'latin1'), type)).split(':')[0]!
      counts.set(code, (counts.get(code) ?? 0) + 1)
    }
    expect([...counts.keys()]).toEqual(expect.arrayContaining(['taken', 'corrupt']))
  }, 60_000)
})
