import { html, type TemplateResult } from 'lit'
import type { EngineState } from './shapes.ts'
import { table } from './table.ts'
import type { Desk } from './view.ts'

/** Scan engines, and how old their signatures are. */
export function drawEngines(engines: EngineState[], { texts, formats }: Desk): TemplateResult {
  const { say } = texts
  if (engines.length === 0) return html`<p>${say('noEngines')}</p>`
  return table(
    say('engines'),
    [
      { head: say('engine'), cell: ({ engine }) => engine },
      {
        head: say('state'),
        cell: ({ ok, cause }) => html`
          <span class="badge ${ok ? 'good' : 'bad'}">${say(ok ? 'engineOk' : 'engineDown')}</span>
          ${cause === undefined ? '' : html`<div class="quiet">${cause}</div>`}
        `,
      },
      {
        head: say('signatures'),
        cell: ({ signatures, signaturesAt }) =>
          [signatures ?? say('unknown'), ...(signaturesAt === null ? [] : [formats.ago(signaturesAt)])].join(', '),
      },
    ],
    engines,
  )
}
