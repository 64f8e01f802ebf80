import { html, type TemplateResult } from 'lit'
import { chooseTheme, currentTheme } from '../theme.ts'

/** `label`: what it does, in words. */
export function themeSwitch(label: string): TemplateResult {
  const toggle = () => chooseTheme(currentTheme() === 'dark' ? 'light' : 'dark')
  return html`<button class="plain square" type="button" title=${label} aria-label=${label} @click=${toggle}>
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.5v11a5.5 5.5 0 0 1 0-11Z" fill="currentColor"></path>
    </svg>
  </button>`
}
