import { html, type TemplateResult } from 'lit'
import { ask } from '../../shared/api.ts'
import { hrefOf } from '../address.ts'
import type { Series } from '../chart.ts'
import { drawEngines } from '../engines.ts'
import { loading } from '../loading.ts'
import type { FilesOfDay, Overview } from '../shapes.ts'
import { facts, table } from '../table.ts'
import type { Desk, OpenView } from '../view.ts'
import { doors, states } from '../words.ts'

const periods = ['7', '30', '90', '365'] as const
const measures = ['files', 'bytes'] as const
const divisions = ['state', 'door'] as const

/** What is counted, how it is divided, and over how many days: as the address says. */
interface Asked {
  days: (typeof periods)[number]
  measure: (typeof measures)[number]
  by: (typeof divisions)[number]
}

/** How the installation does. */
export const overviewView: OpenView = (desk, { query }) => {
  const { say } = desk.texts
  const asked: Asked = {
    days: oneOf(periods, query.get('days'), '30'),
    measure: oneOf(measures, query.get('measure'), 'files'),
    by: oneOf(divisions, query.get('by'), 'state'),
  }
  let at = new Date()
  const overview = loading(desk, async (signal) => {
    // The chart comes with what it is of: no other part of the console needs it.
    const [answer] = await Promise.all([
      ask<Overview>(`/v1/overview?days=${asked.days}`, { signal }),
      import('../chart.ts'),
    ])
    at = new Date()
    return answer
  })

  return {
    title: 'overview',
    leave: () => overview.stop(),
    draw: () => html`
      ${drawChoices(asked, desk)}
      ${overview.draw(
        (one) => html`
          <p class="quiet">
            ${say('asOf', { when: desk.formats.when(at.toISOString()) })}
            <button class="plain" type="button" @click=${overview.again}>${say('again')}</button>
          </p>
          ${drawFigures(one, desk)}
          ${drawDays(one, asked, desk)}
          <section><h2>${say('engines')}</h2>${drawEngines(one.engines, desk)}</section>
          ${drawTimes(one, desk)}
        `,
      )}
    `,
  }
}

function drawChoices(asked: Asked, { texts: { say }, go }: Desk): TemplateResult {
  const choose = (event: Event) => {
    const { form } = event.target as HTMLSelectElement
    go(hrefOf('/', Object.fromEntries([...new FormData(form!)].map(([name, value]) => [name, String(value)]))))
  }
  const choice = (name: keyof Asked, label: string, choices: [value: string, text: string][]) => html`<label>
    ${label}
    <select name=${name} @change=${choose}>
      ${choices.map(([value, text]) => html`<option value=${value} ?selected=${value === asked[name]}>${text}</option>`)}
    </select>
  </label>`
  return html`<form class="filters">
    ${choice(
      'days',
      say('days'),
      periods.map((days) => [days, say(`days_${days}`)]),
    )}
    ${choice(
      'measure',
      say('measure'),
      measures.map((measure) => [measure, say(`measure_${measure}`)]),
    )}
    ${choice(
      'by',
      say('by'),
      divisions.map((by) => [by, say(`by_${by}`)]),
    )}
  </form>`
}

function drawFigures({ totals, storage }: Overview, { texts: { say }, formats }: Desk): TemplateResult {
  const figure = (
    label: string,
    value: string,
    href: string | null,
    isBad = false,
  ) => html`<li class=${isBad ? 'bad' : ''}>
    <span class="quiet">${label}</span>
    <strong>${href === null ? value : html`<a href=${href}>${value}</a>`}</strong>
  </li>`
  return html`<ul class="figures">
    ${figure(say('totalFiles'), formats.number(totals.files), hrefOf('/files'))}
    ${figure(say('totalBytes'), formats.size(totals.bytes), null)}
    ${figure(say('held'), formats.number(totals.held), hrefOf('/quarantine'))}
    ${figure(say('owed'), formats.number(totals.owed), hrefOf('/confirmations', { state: 'pending' }))}
    ${figure(say('parked'), formats.number(totals.parked), hrefOf('/confirmations', { state: 'parked' }), totals.parked > 0)}
    ${figure(say('stored', { files: storage.files }), formats.size(storage.bytes), null)}
  </ul>`
}

function drawDays({ from, to, byDay, totals }: Overview, asked: Asked, desk: Desk): TemplateResult {
  const { texts, formats } = desk
  const { say } = texts
  const { measure, by } = asked
  if (totals.files === 0) return html`<section class="blank"><h2>${say('noFiles')}</h2></section>`
  const days = daysFrom(from, to)
  const series = divided(byDay, days, asked, desk)
  const written = measure === 'bytes' ? formats.size : formats.number
  const label = say('chartOf', { measure, by, from: formats.day(from), to: formats.day(to) })
  const withFiles = days
    .map((day, index) => ({ day, index }))
    .filter(({ index }) => series.some((one) => one.values[index]! > 0))
  return html`<section>
    <h2>${label}</h2>
    <day-chart .label=${label} .days=${days.map(formats.day)} .series=${series} .written=${written}></day-chart>
    <p class="quiet">${say('utc')}</p>
    <details>
      <summary>${say('asTable')}</summary>
      ${table(
        label,
        [
          { head: say('day'), cell: ({ day }: (typeof withFiles)[number]) => formats.day(day) },
          ...series.map(({ label, values }) => ({
            head: label,
            isFigure: true,
            cell: ({ index }: (typeof withFiles)[number]) => written(values[index]!),
          })),
        ],
        withFiles,
      )}
    </details>
  </section>`
}

/** One row of figures for each outcome or door that there is, a figure for each day. */
function divided(byDay: FilesOfDay[], days: string[], { measure, by }: Asked, { texts: { say } }: Desk): Series[] {
  const placeOf = new Map(days.map((day, index) => [day, index]))
  const all: (Series & { name: string })[] =
    by === 'state'
      ? states.map((name) => ({ name, label: say(`state_${name}`), colour: name, values: days.map(() => 0) }))
      : doors.map((name) => ({ name, label: say(`door_${name}`), colour: name, values: days.map(() => 0) }))
  for (const one of byDay) {
    const index = placeOf.get(one.day)
    const into = all.find(({ name }) => name === one[by])
    if (index !== undefined && into) into.values[index]! += one[measure]
  }
  return all.filter(({ values }) => values.some((value) => value > 0))
}

function drawTimes({ seconds }: Overview, { texts: { say }, formats }: Desk): TemplateResult {
  const within = (times: { p50: number; p99: number } | null) =>
    times === null
      ? say('idle')
      : say('halfWithin', { p50: formats.seconds(times.p50), p99: formats.seconds(times.p99) })
  return facts([
    [say('intakeTime'), within(seconds.intake)],
    [say('previewTime'), within(seconds.preview)],
  ])
}

const dayMs = 24 * 60 * 60 * 1000

function daysFrom(from: string, to: string): string[] {
  const count = Math.round((Date.parse(to) - Date.parse(from)) / dayMs) + 1
  return Array.from({ length: count }, (_, index) =>
    new Date(Date.parse(from) + index * dayMs).toISOString().slice(0, 10),
  )
}

const oneOf = <T extends string>(all: readonly T[], value: string | null, otherwise: T): T =>
  all.find((one) => one === value) ?? otherwise
