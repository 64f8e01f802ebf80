import { Problem, Unreachable } from './api.ts'
import type shared from './texts/shared/en.json'
import { type Files, type Texts, together } from './texts.ts'

export type SharedKey = keyof typeof shared

const sharedFiles: Files<SharedKey> = {
  en: () => import('./texts/shared/en.json'),
  de: () => import('./texts/shared/de.json'),
  es: () => import('./texts/shared/es.json'),
  fr: () => import('./texts/shared/fr.json'),
  pt: () => import('./texts/shared/pt.json'),
  ja: () => import('./texts/shared/ja.json'),
}

/** A page's own texts with those that every page needs. */
export const withShared = <Key extends string>(files: Files<Key>): Files<Key | SharedKey> =>
  together(files, sharedFiles)

/** What went wrong, as people say it: nothing of the service's own words, but a number by which its operator finds the rest. */
export function plainly(error: unknown, texts: Texts<SharedKey>): string {
  if (error instanceof Unreachable) return texts.say('unreachable')
  if (!(error instanceof Problem)) return texts.say('somethingFailed', { requestId: '–' })
  if (error.status === 403) return texts.say('notAllowed')
  if (error.status === 429) return texts.say('tooMany', { seconds: error.retryAfterSeconds ?? 0 })
  if (error.status === 503) return texts.say('unavailable')
  return texts.say('somethingFailed', { requestId: error.requestId ?? '–' })
}
