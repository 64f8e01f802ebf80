import { html, type TemplateResult } from 'lit'

/** A cell, with the head of its column for where there is no room for columns. */
export interface Column<Row> {
  head: string
  cell(row: Row): unknown
  /** Figures stand under each other. */
  isFigure?: boolean
}

/** `label`: what the table is of, for who does not see it. */
export const table = <Row>(label: string, columns: Column<Row>[], rows: Row[]): TemplateResult => html`
  <table>
    <caption class="only-heard">${label}</caption>
    <thead>
      <tr>
        ${columns.map(({ head, isFigure }) => html`<th scope="col" class=${isFigure ? 'figure' : ''}>${head}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (row) => html`<tr>
          ${columns.map(
            ({ head, cell, isFigure }) =>
              html`<td data-head=${head} class=${isFigure ? 'figure' : ''}><div>${cell(row)}</div></td>`,
          )}
        </tr>`,
      )}
    </tbody>
  </table>
`

/** Names and what stands under them. What is null is left out. */
export const facts = (pairs: [string, unknown][]): TemplateResult => html`
  <dl class="pairs">
    ${pairs
      .filter(([, value]) => value !== null)
      .map(([name, value]) => html`<div><dt class="quiet">${name}</dt><dd>${value}</dd></div>`)}
  </dl>
`
