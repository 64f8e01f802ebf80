/** What is wanted of a file. */
export interface CopyWanted {
  /** `safe`: the same picture, pages or text in a file that we wrote. `preview`: one page of it, for a screen. */
  kind: 'safe' | 'preview'
  /** Canonical, as it was found to be. */
  type: string
  /** Bytes. */
  size: number
  /** Of a preview: which page or frame, from 1. */
  page: number
  /** Of a preview: the longest side. */
  pixels: number
}

export interface Copy {
  type: string
  /** Pages or frames of the original; 1 for what has none. */
  pages: number
  bytes: Buffer
}

/** It cannot be done, and never will be of this file: the reason is for people to read. */
export class NoCopy extends Error {}

/** Types of which we make copies. */
export const copiedTypes: readonly string[] = [
  'image/jpeg',
  'image/png',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/heic',
  'image/heif',
  'image/tiff',
  'application/pdf',
  'text/plain',
  'text/csv',
]

/** A file of this size or more is not copied: the process that does it holds it whole. */
export const mostBytes = 64 * 1024 * 1024
/** Of a copy. */
export const mostCopyBytes = 64 * 1024 * 1024
/** Of a PDF that is made of pictures. */
export const mostPages = 100
export const mostPixels = 268_435_456
