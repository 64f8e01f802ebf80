import { html, nothing, type TemplateResult } from 'lit'
import { ask } from '../shared/api.ts'
import { type Address, hrefOf } from './address.ts'
import { type Loading, loading } from './loading.ts'
import type { Page } from './shapes.ts'
import { type Column, table } from './table.ts'
import type { Desk } from './view.ts'

/** Something that the service lists page by page; the address tells which page. */
export interface Listing<Item> {
  draw(columns: Column<Item>[], words: { label: string; empty: string }): TemplateResult
  again(): Promise<void>
  items(): Item[]
  stop(): void
}

export const pageSize = 50

/** `route`: of the API. `asked`: how it is narrowed. */
export function listing<Item>(
  desk: Desk,
  address: Address,
  { route, asked }: { route: string; asked: Record<string, string | null> },
): Listing<Item> {
  const { say } = desk.texts
  const cursor = address.query.get('cursor')
  const query = new URLSearchParams({ limit: String(pageSize) })
  for (const [name, value] of Object.entries({ ...asked, cursor }))
    if (value !== null && value !== '') query.set(name, value)
  const loaded: Loading<Page<Item>> = loading(desk, (signal) => ask<Page<Item>>(`${route}?${query}`, { signal }))
  const pageAt = (cursor: string | null) => hrefOf(address.path, { ...Object.fromEntries(address.query), cursor })

  return {
    draw: (columns, { label, empty }) =>
      loaded.draw(({ items, next }) => {
        if (items.length === 0 && cursor === null) return html`<section class="blank"><h2>${empty}</h2></section>`
        return html`
          ${table(label, columns, items)}
          <nav class="choices" aria-label=${say('nextPage')}>
            ${cursor === null ? nothing : html`<a class="button" href=${pageAt(null)}>${say('firstPage')}</a>`}
            ${next === null ? nothing : html`<a class="button" href=${pageAt(next)}>${say('nextPage')}</a>`}
          </nav>
        `
      }),
    again: () => loaded.again(),
    items: () => loaded.value()?.items ?? [],
    stop: () => loaded.stop(),
  }
}
