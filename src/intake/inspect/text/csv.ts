import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import { pieces, type Source } from '../source.ts'

/** More of a cell is not kept: a formula of a spreadsheet program has 8,192 characters at most. */
const mostKept = 8192

/** What a formula calls that fetches, sends or starts something. */
const calls =
  /\b(?:CMD|MSEXCEL)\s*\||\b(?:WEBSERVICE|HYPERLINK|IMPORT(?:XML|HTML|DATA|FEED|RANGE)|IMAGE|CALL|REGISTER(?:\.ID)?|EXEC|FOPEN|RTD|DDE|SQL\.REQUEST|QUERYTABLE)\s*\(/i

/**
 * CSV: cells that a spreadsheet program would take for formulas are looked at, and those that call out are refused: DDE, fetching,
 * starting programs. Sums and negative numbers are what tables are made of.
 */
export const csvReader: Reader = {
  types: ['text/csv'],
  read(file: Source, _asked: string, work: Work): Found {
    const cells = cellReader()
    const decoder = new TextDecoder(encodingOf(file))
    for (const piece of pieces(file)) {
      work.step(Math.ceil(piece.length / 64))
      cells.read(decoder.decode(piece, { stream: true }))
    }
    cells.read(decoder.decode())
    cells.end()
    return { type: 'text/csv', end: file.size }
  },
}

function encodingOf(file: Source): string {
  const mark = file.bytes(0, Math.min(2, file.size)).toString('hex')
  return mark === 'fffe' ? 'utf-16le' : mark === 'feff' ? 'utf-16be' : 'utf-8'
}

/**
 * Cells end at whatever any program may split at, quoted or not: which separator the one that opens the file uses, nobody knows. So a
 * cell may be cut into several here, and a formula in quotes is judged by each that begins like one, and as a whole.
 */
function cellReader() {
  let cell = ''
  let quoted = ''
  let inQuotes = false
  const judge = (text: string) => {
    const formula = text.replace(/^[\s"'\uFEFF\0]+/, '')
    // DDE: a program, what it is to open, and a place in it.
    const program = formula.indexOf('|')
    const asksProgram = program >= 0 && formula.lastIndexOf('!') > program
    if (/^[=+@-]/.test(formula) && (asksProgram || calls.test(formula)))
      throw new Refused('active_content', `a cell calls out: ${JSON.stringify(formula.slice(0, 40))}`)
  }
  const endCell = () => {
    if (cell !== '') judge(cell)
    cell = ''
  }
  return {
    read(text: string) {
      for (const letter of text) {
        if (letter === '"') {
          if (inQuotes) judge(quoted)
          quoted = ''
          inQuotes = !inQuotes
        } else if (inQuotes && quoted.length < mostKept) quoted += letter
        if (letter === ',' || letter === ';' || letter === '\t' || letter === '\n' || letter === '\r') endCell()
        else if (cell.length < mostKept) cell += letter
      }
    },
    end() {
      endCell()
      judge(quoted)
    },
  }
}
