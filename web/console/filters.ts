import { html, nothing, type TemplateResult } from 'lit'
import { type Address, hrefOf } from './address.ts'
import type { Desk } from './view.ts'

/** Something that a list can be narrowed by; its name is the one in the address. */
export type Filter =
  | { kind: 'text'; name: string; label: string; hint?: string }
  | { kind: 'day'; name: string; label: string }
  | { kind: 'choice'; name: string; label: string; choices: [value: string, label: string][] }

/** A form whose answers go into the address, so that they can be kept, sent and gone back to. */
export function drawFilters(filters: Filter[], { path, query }: Address, { texts, go }: Desk): TemplateResult {
  const { say } = texts
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const form = new FormData(event.target as HTMLFormElement)
    go(hrefOf(path, Object.fromEntries(filters.map(({ name }) => [name, String(form.get(name) ?? '').trim()]))))
  }
  // A choice is an answer by itself; what is typed waits until it is whole.
  const chosen = (event: Event) => (event.target as HTMLSelectElement).form?.requestSubmit()
  const isNarrowed = filters.some(({ name }) => query.has(name))
  return html`<form class="filters" role="search" @submit=${submit}>
    ${filters.map((filter) => drawFilter(filter, query.get(filter.name) ?? '', say('any'), chosen))}
    <div class="choices">
      ${filters.every(({ kind }) => kind === 'choice') ? nothing : html`<button type="submit">${say('search')}</button>`}
      ${isNarrowed ? html`<a class="button" href=${hrefOf(path)}>${say('clear')}</a>` : nothing}
    </div>
  </form>`
}

function drawFilter(filter: Filter, value: string, any: string, chosen: (event: Event) => void): TemplateResult {
  const { kind, name, label } = filter
  if (kind === 'choice')
    return html`<label>
      ${label}
      <select name=${name} @change=${chosen}>
        <option value="">${any}</option>
        ${filter.choices.map(([one, text]) => html`<option value=${one} ?selected=${one === value}>${text}</option>`)}
      </select>
    </label>`
  if (kind === 'day') return html`<label>${label}<input type="date" name=${name} .value=${value}></label>`
  return html`<label class="wide">
    ${label}<input name=${name} .value=${value} maxlength="200" autocomplete="off" title=${filter.hint ?? nothing}>
  </label>`
}

const dayMs = 24 * 60 * 60 * 1000

/** From the beginning of one day up to the end of another, of the days of who looks: as instants, null where none is named. */
export function instantsOf(query: URLSearchParams): { from: string | null; to: string | null } {
  const beginning = (day: string | null, more: number) => {
    const at = new Date(`${day}T00:00`).getTime()
    return Number.isNaN(at) ? null : new Date(at + more).toISOString()
  }
  return { from: beginning(query.get('from'), 0), to: beginning(query.get('to'), dayMs) }
}
