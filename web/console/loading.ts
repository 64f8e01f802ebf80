import { html, type TemplateResult } from 'lit'
import { Problem } from '../shared/api.ts'
import { notice } from '../shared/elements/notice.ts'
import { plainly } from '../shared/plainly.ts'
import type { Desk } from './view.ts'

/** What a part of the console asks the service for. */
export interface Loading<T> {
  /** What there is to show: that it comes, why it does not, or what came. */
  draw(here: (value: T) => TemplateResult): TemplateResult
  /** Asks anew; what is here stays until the answer has come. */
  again(): Promise<void>
  /** Null: it is not here. */
  value(): T | null
  stop(): void
}

/** Begins to load at once. */
export function loading<T>(desk: Desk, load: (signal: AbortSignal) => Promise<T>): Loading<T> {
  const { texts } = desk
  let here: { value: T } | null = null
  let trouble: unknown = null
  let asked = new AbortController()

  async function again(): Promise<void> {
    asked.abort()
    asked = new AbortController()
    const { signal } = asked
    const [value, error] = await load(signal).then(
      (value) => [{ value }, null] as const,
      (error: unknown) => [here, error] as const,
    )
    if (signal.aborted) return
    here = value
    trouble = error
    if (error instanceof Problem && error.status === 401) desk.ended()
    else desk.redraw()
  }

  function drawTrouble(error: unknown): TemplateResult {
    if (error instanceof Problem && error.status === 404)
      return html`<section class="blank"><h2>${texts.say('notThere')}</h2><p class="quiet">${texts.say('notThereWhy')}</p></section>`
    return html`<section class="blank">
      ${notice('error', plainly(error, texts))}
      <button type="button" @click=${again}>${texts.say('again')}</button>
    </section>`
  }

  void again()
  return {
    draw(show) {
      if (trouble !== null) return drawTrouble(trouble)
      if (here === null) return html`<p class="blank quiet" role="status">${texts.say('loading')}</p>`
      return show(here.value)
    },
    again,
    value: () => here?.value ?? null,
    stop: () => asked.abort(),
  }
}
