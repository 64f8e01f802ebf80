import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import { pieces, type Source } from '../source.ts'

/** Formulas that call out of the table: DDE, and what fetches or runs. Plain sums and negative numbers are neither. */
const calling =
  /^\s*[=+\-@].*(\|.*!|\b(WEBSERVICE|HYPERLINK|IMPORT(XML|DATA|HTML|FEED|RANGE)|IMAGE|FILTERXML|CALL|REGISTER(\.ID)?|EXEC|DDE|RTD|CMD|MSEXCEL)\b\s*[(|])/i
/** Of a cell as much is looked at. */
const mostCell = 4096

/** CSV (RFC 4180): text, whose cells a program of tables will take for formulas where they begin so. */
export const csvReader: Reader = {
  types: ['text/csv'],
  read(file: Source, _asked: string, work: Work): Found {
    const start = file.bytes(0, Math.min(2, file.size)).toString('hex')
    const decoder = new TextDecoder(start === 'fffe' ? 'utf-16le' : start === 'feff' ? 'utf-16be' : 'latin1')
    let cell = ''
    let quoted = false
    let row = 1
    const end = () => {
      if (calling.test(cell))
        throw new Refused('active_content', `row ${row} has a formula that calls out: ${cell.trim().slice(0, 40)}`)
      cell = ''
    }
    for (const piece of pieces(file)) {
      work.step(Math.ceil(piece.length / 64))
      for (const letter of decoder.decode(piece, { stream: true })) {
        if (letter === '"') quoted = !quoted
        else if (
          !quoted &&
          (letter === ',' || letter === ';' || letter === '\t' || letter === '\n' || letter === '\r')
        ) {
          end()
          if (letter === '\n') row += 1
        } else if (cell.length < mostCell && letter !== '\ufeff') cell += letter
      }
    }
    end()
    return { type: 'text/csv', end: file.size }
  },
}
