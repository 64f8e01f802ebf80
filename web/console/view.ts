import type { TemplateResult } from 'lit'
import type { Formats } from '../shared/format.ts'
import type { Session } from '../shared/shapes.ts'
import type { Address } from './address.ts'
import type { ConsoleKey, ConsoleTexts } from './texts.ts'

/** What all parts of the console share. */
export interface Desk {
  texts: ConsoleTexts
  formats: Formats
  session: Session
  /** Something that is shown has changed. */
  redraw(): void
  go(href: string): void
  /** What was asked for is only for who is signed in, and nobody is any more. */
  ended(): void
}

/** One part of the console, as long as somebody is there. */
export interface View {
  /** Its heading, and the title of the page. */
  title: ConsoleKey
  draw(): TemplateResult
  /** Somebody goes elsewhere. */
  leave?(): void
}

export type OpenView = (desk: Desk, address: Address) => View
