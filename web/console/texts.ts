import { type FileKey, withFiles } from '../shared/files/texts.ts'
import type en from '../shared/texts/console/en.json'
import type { Files, Texts } from '../shared/texts.ts'

export type ConsoleKey = keyof typeof en

export type ConsoleTexts = Texts<ConsoleKey | FileKey>

const own: Files<ConsoleKey> = {
  en: () => import('../shared/texts/console/en.json'),
  de: () => import('../shared/texts/console/de.json'),
  es: () => import('../shared/texts/console/es.json'),
  fr: () => import('../shared/texts/console/fr.json'),
  pt: () => import('../shared/texts/console/pt.json'),
  ja: () => import('../shared/texts/console/ja.json'),
}

export const files = withFiles(own)
