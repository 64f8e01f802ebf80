import { IntlMessageFormat } from 'intl-messageformat'
import { installationLanguage } from './page.ts'

export const languages = ['en', 'de', 'es', 'fr', 'pt', 'ja'] as const
export type Language = (typeof languages)[number]

export type Values = Record<string, string | number | Date>

/** Sentences of a page by name, in one language. */
export interface Texts<Key extends string> {
  language: string
  say(key: Key, values?: Values): string
  /** For names that are put together from what the service says. Null: there is no such sentence. */
  find(key: string, values?: Values): string | null
}

/** The files of one page: `{ en: () => import('../shared/texts/widget/en.json'), … }`. Each is loaded when it is needed. */
export type Files<Key extends string> = Record<Language, () => Promise<{ default: Record<Key, string> }>>

/** Two files as one: a page's own beside the one of all pages. */
export function together<A extends string, B extends string>(one: Files<A>, other: Files<B>): Files<A | B> {
  const both = languages.map((language) => {
    const load = async () => {
      const [a, b] = await Promise.all([one[language](), other[language]()])
      return { default: { ...a.default, ...b.default } as Record<A | B, string> }
    }
    return [language, load]
  })
  return Object.fromEntries(both) as Files<A | B>
}

/** In the best of our languages for who looks: as the page's address says, as their browser does, as the installation is set. */
export async function loadTexts<Key extends string>(
  files: Files<Key>,
  asked: string | null = new URLSearchParams(location.search).get('language'),
): Promise<Texts<Key>> {
  const language = bestOf([...(asked ? [asked] : []), ...navigator.languages, installationLanguage])
  const { default: sentences } = await files[language]()
  document.documentElement.lang = language
  const formats = new Map<Key, IntlMessageFormat>()
  const say = (key: Key, values?: Values) => {
    let format = formats.get(key)
    if (!format) {
      format = new IntlMessageFormat(sentences[key], language, undefined, { ignoreTag: true })
      formats.set(key, format)
    }
    return String(format.format(values))
  }
  return {
    language,
    say,
    find: (key, values) => (Object.hasOwn(sentences, key) ? say(key as Key, values) : null),
  }
}

/** RFC 4647 lookup: each tag as it is, then without its last parts. */
export function bestOf(asked: readonly string[]): Language {
  for (const tag of asked) {
    const parts = tag.replaceAll('_', '-').toLowerCase().split('-')
    for (; parts.length > 0; parts.pop()) {
      const found = languages.find((language) => language === parts.join('-'))
      if (found) return found
    }
  }
  return 'en'
}
