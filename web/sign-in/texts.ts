import { withShared } from '../shared/plainly.ts'
import type en from '../shared/texts/sign-in/en.json'
import type { Files } from '../shared/texts.ts'

const own: Files<keyof typeof en> = {
  en: () => import('../shared/texts/sign-in/en.json'),
  de: () => import('../shared/texts/sign-in/de.json'),
  es: () => import('../shared/texts/sign-in/es.json'),
  fr: () => import('../shared/texts/sign-in/fr.json'),
  pt: () => import('../shared/texts/sign-in/pt.json'),
  ja: () => import('../shared/texts/sign-in/ja.json'),
}

export const files = withShared(own)
