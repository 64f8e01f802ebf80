import { html, type TemplateResult } from 'lit'
import { nameOf, stateOf, toneOf } from '../shared/files/words.ts'
import type { Attachment } from '../shared/shapes.ts'
import { hrefOf } from './address.ts'
import type { Desk } from './view.ts'

export const states: Attachment['state'][] = [
  'accepted',
  'refused',
  'quarantined',
  'recalled',
  'erased',
  'fetching',
  'unfetched',
]

export const doors: Attachment['door'][] = ['push', 'pull', 'gateway']

/** A file's name that leads to its page. */
export const fileLink = (attachment: Attachment, desk: Desk): TemplateResult =>
  html`<a href=${hrefOf(`/files/${attachment.id}`)}><bdi>${nameOf(attachment, desk)}</bdi></a>`

export const stateBadge = (attachment: Attachment, desk: Desk): TemplateResult =>
  html`<span class="badge ${toneOf(attachment)}">${stateOf(attachment, desk)}</span>`

export const time = (iso: string, { formats }: Desk): TemplateResult =>
  html`<time datetime=${iso} title=${iso}>${formats.when(iso)}</time>`

/** An id, a digest: short enough for a table, and whole for who points at it or copies it. */
export const code = (text: string): TemplateResult => html`<code title=${text}>${text}</code>`

/** The reason of a refusal, as people say it; what is new is shown as it is. */
export const reasonOf = (refusal: string | null, { texts }: Desk): string | null =>
  refusal === null ? null : (texts.find(`code_${refusal}`) ?? refusal)
