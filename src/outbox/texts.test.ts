import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Attachment, newAttachmentId, reference } from '../attachment.ts'
import { ConfigError } from '../errors.ts'
import { shownName } from './names.ts'
import { loadTexts, outcomes, type TextKey } from './texts.ts'

const languages = ['en', 'de', 'es', 'fr', 'pt', 'ja']
const limits = {
  maxFileBytes: 10 * 1024 * 1024,
  allowedTypes: ['image/jpeg', 'image/png', 'image/gif', 'application/pdf', 'text/plain'],
}
const id = newAttachmentId()

type Told = Pick<Attachment, 'id' | 'state' | 'code' | 'filename'>

function told(outcome: TextKey, filename = 'scan.pdf'): Told {
  if (outcome === 'accepted' || outcome === 'quarantined' || outcome === 'recalled')
    return { id, state: outcome, code: null, filename }
  return { id, state: 'refused', code: outcome, filename }
}

describe.each(languages)('in %s', (language) => {
  const texts = loadTexts({ language })

  it.each(outcomes)('the sentence for %s has the name and the reference, and no placeholder is left', (outcome) => {
    const sentence = texts.sentence(told(outcome), language, limits)
    expect(sentence).toContain('scan.pdf')
    expect(sentence).toContain(reference(id))
    expect(sentence).not.toMatch(/[{}]|undefined|null|NaN/)
  })

  it('every outcome has a sentence of its own', () => {
    expect(new Set(outcomes.map((outcome) => texts.sentence(told(outcome), language, limits))).size).toBe(
      outcomes.length,
    )
  })

  it('a file that is too large is told the limit, and one of a wrong type which are right', () => {
    expect(texts.sentence(told('too_large'), language, limits)).toMatch(/10\s?M[Bo]/)
    const types = texts.sentence(told('type_not_allowed'), language, limits)
    for (const ending of ['JPG', 'PNG', 'GIF', 'PDF', 'TXT']) expect(types).toContain(ending)
  })

  it('a sentence stays under 2,000 characters, whatever the name and the limits', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), fc.constantFrom(...outcomes), (name, outcome) => {
        const many = {
          maxFileBytes: 2 ** 50 - 1,
          allowedTypes: Array.from({ length: 200 }, (_, i) => `application/x-${i}`),
        }
        const sentence = texts.sentence(told(outcome, name), language, many)
        expect(sentence.length).toBeLessThan(2000)
        expect(sentence).toContain(shownName(name))
        expect(sentence).toContain(reference(id))
      }),
      { numRuns: 30 },
    )
  })
})

it('an accepted file is not said to have been checked: it may not have been', () => {
  const texts = loadTexts({ language: 'en' })
  expect(texts.sentence(told('accepted'), 'en', limits)).toBe(
    `We have received your file “scan.pdf”. Reference: ${reference(id)}`,
  )
})

it('a name that looks like a placeholder or a tag is only a name', () => {
  const texts = loadTexts({ language: 'en' })
  const name = "{reference} <b>'{x}'</b> #"
  expect(texts.sentence(told('accepted', name), 'en', limits)).toContain(`“${name}”`)
})

it('the limit is rounded down and in the unit that fits', () => {
  const texts = loadTexts({ language: 'en' })
  const limitOf = (maxFileBytes: number) =>
    /larger than (.+?)\. Please/.exec(texts.sentence(told('too_large'), 'en', { ...limits, maxFileBytes }))?.[1]
  expect(limitOf(10_485_759)).toBe('9.9 MB')
  expect(limitOf(2_621_440)).toBe('2.5 MB')
  expect(limitOf(1024)).toBe('1 kB')
  expect(limitOf(1023)).toBe('1,023 bytes')
})

describe('the language', () => {
  const texts = loadTexts({ language: 'de' })

  it.each([
    ['en', 'en'],
    ['en-US', 'en'],
    ['EN-us', 'en'],
    ['pt_BR', 'pt'],
    ['ja-JP-u-ca-japanese', 'ja'],
    ['fr-Latn-CA', 'fr'],
    [' es ', 'es'],
  ])('asked for as %j is %s', (asked, language) => {
    expect(texts.languageOf(asked)).toBe(language)
  })

  it.each([null, '', 'nl', 'xx-YY', '*', 'not a tag', '../../etc/passwd', 'e', 'en-'.repeat(200)])(
    'asked for as %j is the default',
    (asked) => {
      expect(texts.languageOf(asked)).toBe('de')
    },
  )

  it('whatever is asked for is one that we have', () => {
    fc.assert(fc.property(fc.string(), (asked) => languages.includes(texts.languageOf(asked))))
  })
})

describe('the name that is shown', () => {
  it('is the name as given when there is nothing to mend', () => {
    for (const name of ['scan.pdf', 'Überweisung März.pdf', '契約書.pdf', '👩‍👩‍👧.png', 'عقد.pdf'])
      expect(shownName(name)).toBe(name)
  })

  it('has no character that turns or breaks the text around it', () => {
    expect(shownName('invoice\u202efdp.exe')).toBe('invoicefdp.exe')
    expect(shownName('a\r\nb\u0000c\u2066d\u2069e\u200ff\u061cg\u0085h\u2028i.pdf')).toBe('abcdefghi.pdf')
  })

  it('is never empty', () => {
    for (const name of ['', ' ', '\u202e', '\n\n']) expect(shownName(name)).toBe('?')
  })

  it('of 100 characters is whole, of 101 loses its middle and keeps its ending', () => {
    expect(shownName(`${'a'.repeat(96)}.pdf`)).toBe(`${'a'.repeat(96)}.pdf`)
    const shortened = shownName(`${'a'.repeat(97)}.pdf`)
    expect([...shortened]).toHaveLength(100)
    expect(shortened).toMatch(/^a{79}…a{16}\.pdf$/)
  })

  it('counts characters, not halves of them', () => {
    const shortened = shownName(`${'📎'.repeat(120)}.pdf`)
    expect([...shortened]).toHaveLength(100)
    expect(shortened).not.toMatch(/\p{Cs}/u)
  })

  it('holds all this for any name, and showing it twice changes nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
        const shown = shownName(name)
        expect(shown).not.toBe('')
        expect([...shown].length).toBeLessThanOrEqual(100)
        expect(shown).not.toMatch(/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u)
      }),
    )
  })
})

describe('a folder of texts of one’s own', () => {
  function folder(files: Record<string, unknown>): string {
    const dir = mkdtempSync(join(tmpdir(), 'texts-'))
    onTestFinished(() => rmSync(dir, { recursive: true }))
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(dir, name), typeof content === 'string' ? content : JSON.stringify(content))
    return dir
  }
  const problemsOf = (files: Record<string, unknown>, language = 'en'): string[] => {
    try {
      loadTexts({ dir: folder(files), language })
      return []
    } catch (error) {
      if (error instanceof ConfigError) return error.problems
      throw error
    }
  }
  const whole = Object.fromEntries(
    outcomes.map((key) => [
      key,
      key === 'too_large' ? `${key} {name} {limit} {reference}` : `${key} {name} {reference}`,
    ]),
  )

  it('changes single sentences of a language that we have', () => {
    const texts = loadTexts({ dir: folder({ 'en.json': { accepted: 'Got {name} ({reference})' } }), language: 'en' })
    expect(texts.sentence(told('accepted'), 'en', limits)).toBe(`Got scan.pdf (${reference(id)})`)
    expect(texts.sentence(told('empty'), 'en', limits)).toContain('it is empty')
  })

  it('adds a language, with all its sentences, which may be the default', () => {
    const texts = loadTexts({ dir: folder({ 'pt-PT.json': whole, 'nl.json': whole }), language: 'nl' })
    expect(texts.languageOf('nl-BE')).toBe('nl')
    expect(texts.languageOf('pt-pt')).toBe('pt-PT')
    expect(texts.languageOf('pt-BR')).toBe('pt')
    expect(texts.sentence(told('bomb'), 'xx', limits)).toBe(`bomb scan.pdf ${reference(id)}`)
  })

  it('may choose words in ICU syntax', () => {
    const accepted = '{limit, select, other {Got {name}}} {reference}'
    const texts = loadTexts({ dir: folder({ 'en.json': { accepted } }), language: 'en' })
    expect(texts.sentence(told('accepted'), 'en', limits)).toBe(`Got scan.pdf ${reference(id)}`)
  })

  it('with faults is refused with all of them at once', () => {
    const { bomb: _left, ...incomplete } = whole
    const problems = problemsOf(
      {
        'en.json': {
          accepted: 'Thank you for {name}',
          too_large: '{name} is too large. {reference}',
          empty: '{name is empty. {reference}',
          corrupt: '{file} {name} {reference}',
          polyglot: '{limit, select, other {{nobody}}} {name} {reference}',
          malware: 7,
          virus: 'x',
          encrypted: `{name} {reference} ${'long '.repeat(400)}`,
        },
        'nl.json': incomplete,
        'de.json': 'no json',
        'fr.json': [],
        'my language.json': whole,
        'readme.txt': 'ignored',
      },
      'tlh',
    )
    expect(problems.map((problem) => problem.replace(/: (not readable|not a message).*/, ': $1'))).toEqual([
      'de.json: not readable',
      expect.stringMatching(/^en\.json: malware must be a text/),
      expect.stringMatching(/^en\.json: unknown key virus\. Known: accepted/),
      'fr.json: must be an object of sentences.',
      expect.stringMatching(/^my language\.json: its name is not a language/),
      'nl.json: bomb is missing.',
      'en.json: accepted: the placeholder {reference} is missing.',
      'en.json: too_large: the placeholder {limit} is missing.',
      'en.json: empty: not a message',
      'en.json: encrypted: longer than 1990 characters.',
      'en.json: corrupt: unknown placeholder {file}.',
      'en.json: polyglot: unknown placeholder {nobody}.',
      expect.stringMatching(/^There are no texts in the language tlh\. There are: en, de/),
    ])
  })

  it('that is not there is refused', () => {
    expect(() => loadTexts({ dir: '/nowhere/texts', language: 'en' })).toThrow(ConfigError)
  })
})
