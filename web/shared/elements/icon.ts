import { html, type TemplateResult } from 'lit'

/** One of Spark's icons, for the eye only: what it means stands beside it in words. Empty until Spark is there. */
export const icon = (name: string): TemplateResult =>
  html`<gux-icon class="icon" decorative size="small" icon-name=${name}></gux-icon>`
