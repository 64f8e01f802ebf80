import { withShared } from '../shared/plainly.ts'
import type en from '../shared/texts/demo/en.json'
import type { Files } from '../shared/texts.ts'

export type DemoKey = keyof typeof en

const own: Files<DemoKey> = {
  en: () => import('../shared/texts/demo/en.json'),
  de: () => import('../shared/texts/demo/de.json'),
  es: () => import('../shared/texts/demo/es.json'),
  fr: () => import('../shared/texts/demo/fr.json'),
  pt: () => import('../shared/texts/demo/pt.json'),
  ja: () => import('../shared/texts/demo/ja.json'),
}

export const files = withShared(own)
