import { html, type TemplateResult } from 'lit'

/** Something to know about, in a box of its own. What is urgent is heard at once. */
export const notice = (kind: 'info' | 'warning' | 'error', content: unknown): TemplateResult =>
  html`<div class="notice ${kind}" role=${kind === 'error' ? 'alert' : 'note'}>${content}</div>`
