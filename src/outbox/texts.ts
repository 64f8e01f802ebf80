import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { IntlMessageFormat } from 'intl-messageformat'
import mime from 'mime'
import { type Attachment, reference } from '../attachment.ts'
import { ConfigError, refusalCodes } from '../errors.ts'
import { shownName } from './names.ts'
import de from './texts/de.json' with { type: 'json' }
import en from './texts/en.json' with { type: 'json' }
import es from './texts/es.json' with { type: 'json' }
import fr from './texts/fr.json' with { type: 'json' }
import ja from './texts/ja.json' with { type: 'json' }
import pt from './texts/pt.json' with { type: 'json' }

/** One sentence each: what a customer is told about a file. */
export const outcomes = ['accepted', 'quarantined', 'recalled', ...refusalCodes] as const
export type TextKey = (typeof outcomes)[number]

const builtIn: Record<string, Record<TextKey, string>> = { en, de, es, fr, pt, ja }

/** What a file could have been, in the customer's words. */
export interface Limits {
  maxFileBytes: number
  /** MIME types. */
  allowedTypes: string[]
}

/** What customers are told, in their language. */
export interface Texts {
  /** Canonical BCP 47 tags. */
  languages: string[]
  /** The best that we have for a language tag from outside, in any case, with `-` or `_`; else the default. */
  languageOf(asked: string | null): string
  /** Shorter than 2,000 characters, with the name and the reference in it. A language that we have not means the default. */
  sentence(
    attachment: Pick<Attachment, 'id' | 'state' | 'code' | 'filename'>,
    language: string,
    limits: Limits,
    round?: number,
  ): string
}

/**
 * The built-in texts, with those of `dir` over them: one JSON file a language, `<tag>.json`, of sentences by outcome in ICU
 * message syntax, with {name} and {reference}, and {limit} and {types} where they help. A language of ours may be changed
 * in part; a new one needs every sentence but `recalled`, for which `malware` stands in. Throws `ConfigError` with all problems at once.
 */
export function loadTexts({ dir, language }: { dir?: string; language: string }): Texts {
  const problems: string[] = []
  const given = new Map(Object.entries(builtIn).map(([tag, texts]) => [tag, { ...texts } as Partial<typeof texts>]))
  if (dir !== undefined)
    for (const { tag, file, texts } of readFolder(dir, problems)) {
      if (!builtIn[tag])
        for (const key of outcomes)
          if (texts[key] === undefined && key !== 'recalled') problems.push(`${file}: ${key} is missing.`)
      given.set(tag, { ...given.get(tag), ...texts })
    }

  const messages = new Map<string, Map<TextKey, IntlMessageFormat>>()
  for (const [tag, texts] of given) {
    const parsed = new Map<TextKey, IntlMessageFormat>()
    for (const key of outcomes) {
      // A language of one's own from before there was this sentence.
      const text = texts[key] ?? (key === 'recalled' ? texts.malware : undefined)
      if (text === undefined) continue
      const message = parse(text, tag, key, (problem) => problems.push(`${tag}.json: ${key}: ${problem}`))
      if (message) parsed.set(key, message)
    }
    messages.set(tag, parsed)
  }

  const fallback = bestOf(messages, language)
  if (fallback === null)
    problems.push(`There are no texts in the language ${language}. There are: ${[...messages.keys()].join(', ')}.`)
  if (problems.length > 0 || fallback === null) throw new ConfigError(problems)

  const languageOf = (asked: string | null) => (asked === null ? null : bestOf(messages, asked)) ?? fallback
  return {
    languages: [...messages.keys()],
    languageOf,
    sentence(attachment, asked, limits, round = 0) {
      const tag = languageOf(asked)
      return say(messages.get(tag)!.get(keyOf(attachment))!, {
        name: shownName(attachment.filename ?? ''),
        reference: reference(attachment.id, round),
        ...worded(tag, limits),
      })
    },
  }
}

function keyOf({ state, code }: Pick<Attachment, 'state' | 'code'>): TextKey {
  if (state === 'accepted' || state === 'quarantined' || state === 'recalled') return state
  return code ?? 'unscannable'
}

interface Values {
  name: string
  reference: string
  limit: string
  types: string
}

const say = (message: IntlMessageFormat, values: Values) => String(message.format({ ...values }))

/** RFC 4647 lookup: the tag as asked, then without its last parts. */
function bestOf(messages: Map<string, unknown>, asked: string): string | null {
  const tag = canonical(asked)
  if (tag === null) return null
  const parts = tag.split('-')
  for (; parts.length > 0; parts.pop()) {
    const shorter = parts.join('-')
    if (messages.has(shorter)) return shorter
  }
  return null
}

function canonical(asked: string): string | null {
  try {
    return Intl.getCanonicalLocales(asked.trim().replaceAll('_', '-'))[0] ?? null
  } catch {
    return null
  }
}

type WordedLimits = Pick<Values, 'limit' | 'types'>

/** Limits as they are worded in each language. What formats them takes longer to make than a sentence. */
const known = new WeakMap<Limits, Map<string, WordedLimits>>()

function worded(language: string, limits: Limits): WordedLimits {
  const inLanguages = known.get(limits) ?? new Map<string, WordedLimits>()
  known.set(limits, inLanguages)
  const words = inLanguages.get(language) ?? {
    limit: sizeIn(language, limits.maxFileBytes),
    types: typesIn(language, limits.allowedTypes),
  }
  inLanguages.set(language, words)
  return words
}

/** Rounded down, so that nobody is told more than is allowed. */
function sizeIn(language: string, bytes: number): string {
  const [unit, size] =
    bytes >= 1024 * 1024
      ? (['megabyte', bytes / (1024 * 1024)] as const)
      : bytes >= 1024
        ? (['kilobyte', bytes / 1024] as const)
        : (['byte', bytes] as const)
  const format = new Intl.NumberFormat(language, {
    style: 'unit',
    unit,
    unitDisplay: unit === 'byte' ? 'long' : 'short',
    maximumFractionDigits: 1,
  })
  return format.format(Math.floor(size * 10) / 10)
}

/** Characters of all types that are named: the others are left out. */
const longestTypes = 200

/** As the endings that people know. */
function typesIn(language: string, types: string[]): string {
  const names = new Set(types.map((type) => mime.getExtension(type)?.toUpperCase() ?? type))
  let room = longestTypes
  const shown = [...names].filter(({ length }) => {
    room -= length + 2
    return room >= 0
  })
  return new Intl.ListFormat(language, { type: 'disjunction' }).format(shown)
}

/** The longest that can stand in a sentence. A name is 100 characters at most, of two units each. */
const longest: Values = {
  name: '\u{1f4ce}'.repeat(100),
  reference: '#00000000-10',
  limit: '1.000,5 megabytes',
  types: 'x'.repeat(longestTypes + 20),
}

/** What the platform takes of one message, and a little less (2,000 characters, by its reference of AdditionalMessage). */
const longestSentence = 1990

function parse(text: string, tag: string, key: TextKey, report: (problem: string) => void): IntlMessageFormat | null {
  let message: IntlMessageFormat
  try {
    message = new IntlMessageFormat(text, tag, undefined, { ignoreTag: true })
  } catch (error) {
    report(`not a message in ICU syntax: ${(error as Error).message}`)
    return null
  }
  const unknown = placeholdersIn(message.getAst()).filter((name) => !Object.hasOwn(longest, name))
  if (unknown.length > 0) {
    report(`unknown placeholder ${unknown.map((name) => `{${name}}`).join(', ')}.`)
    return null
  }
  const sentence = say(message, longest)
  for (const name of key === 'too_large' ? (['name', 'reference', 'limit'] as const) : (['name', 'reference'] as const))
    if (!sentence.includes(longest[name])) report(`the placeholder {${name}} is missing.`)
  if (sentence.length > longestSentence) report(`longer than ${longestSentence} characters.`)
  return message
}

type Element = ReturnType<IntlMessageFormat['getAst']>[number]

/** Also those in the branches of a plural or a selection. */
function placeholdersIn(elements: Element[]): string[] {
  return elements.flatMap((element) => {
    if ('options' in element)
      return [element.value, ...Object.values(element.options).flatMap(({ value }) => placeholdersIn(value))]
    const isPlaceholder = 'value' in element && element.type !== literal
    return isPlaceholder ? [element.value] : []
  })
}

/** The type of an element that is text as it stands (TYPE.literal of the ICU parser). */
const literal = 0

interface GivenTexts {
  tag: string
  file: string
  texts: Partial<Record<TextKey, string>>
}

function readFolder(dir: string, problems: string[]): GivenTexts[] {
  let files: string[]
  try {
    files = readdirSync(dir).filter((file) => file.endsWith('.json'))
  } catch (error) {
    problems.push(`The folder of texts ${dir} cannot be read: ${(error as Error).message}`)
    return []
  }
  return files.sort().flatMap((file) => {
    const tag = canonical(file.slice(0, -'.json'.length))
    if (tag === null) {
      problems.push(`${file}: its name is not a language, such as nl.json or pt-PT.json.`)
      return []
    }
    return [{ tag, file, texts: readTexts(join(dir, file), file, problems) }]
  })
}

function readTexts(path: string, file: string, problems: string[]): GivenTexts['texts'] {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    problems.push(`${file}: not readable as JSON: ${(error as Error).message}`)
    return {}
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    problems.push(`${file}: must be an object of sentences.`)
    return {}
  }
  const texts: GivenTexts['texts'] = {}
  for (const [key, text] of Object.entries(content)) {
    if (!outcomes.includes(key as TextKey)) problems.push(`${file}: unknown key ${key}. Known: ${outcomes.join(', ')}.`)
    else if (typeof text !== 'string') problems.push(`${file}: ${key} must be a text.`)
    else texts[key as TextKey] = text
  }
  return texts
}
