import { type SharedKey, withShared } from '../plainly.ts'
import type en from '../texts/files/en.json'
import { type Files, type Texts, together } from '../texts.ts'

export type FileKey = keyof typeof en | SharedKey

/** Sentences about one file. */
export type FileTexts = Texts<FileKey>

const own: Files<keyof typeof en> = {
  en: () => import('../texts/files/en.json'),
  de: () => import('../texts/files/de.json'),
  es: () => import('../texts/files/es.json'),
  fr: () => import('../texts/files/fr.json'),
  pt: () => import('../texts/files/pt.json'),
  ja: () => import('../texts/files/ja.json'),
}

const files = withShared(own)

/** A page's own texts with those about files, and those that every page needs. */
export const withFiles = <Key extends string>(page: Files<Key>): Files<Key | FileKey> => together(page, files)
