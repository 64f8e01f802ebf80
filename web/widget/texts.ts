import { type FileKey, withFiles } from '../shared/files/texts.ts'
import type en from '../shared/texts/widget/en.json'
import type { Files, Texts } from '../shared/texts.ts'

type Key = keyof typeof en

export type WidgetTexts = Texts<Key | FileKey>

const own: Files<Key> = {
  en: () => import('../shared/texts/widget/en.json'),
  de: () => import('../shared/texts/widget/de.json'),
  es: () => import('../shared/texts/widget/es.json'),
  fr: () => import('../shared/texts/widget/fr.json'),
  pt: () => import('../shared/texts/widget/pt.json'),
  ja: () => import('../shared/texts/widget/ja.json'),
}

export const files = withFiles(own)
