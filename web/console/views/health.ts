import { html } from 'lit'
import { ask, Problem } from '../../shared/api.ts'
import { addressOf } from '../../shared/page.ts'
import { drawEngines } from '../engines.ts'
import { loading } from '../loading.ts'
import type { MasterKey, Overview, Readiness } from '../shapes.ts'
import { table } from '../table.ts'
import type { Desk, OpenView } from '../view.ts'
import { code, time } from '../words.ts'

const toneOf: Record<MasterKey['state'], string> = { current: 'good', waiting: '', old: 'warning', retired: '' }

/** Whether everything works that files need, and the keys that they are sealed under. */
export const healthView: OpenView = (desk) => {
  const { say } = desk.texts
  const health = loading(desk, readiness)
  const overview = loading(desk, (signal) => ask<Overview>('/v1/overview?days=1', { signal }))
  const keys = loading(desk, (signal) => ask<{ keys: MasterKey[] }>('/v1/keys', { signal }))

  return {
    title: 'health',
    leave() {
      for (const one of [health, overview, keys]) one.stop()
    },
    draw: () => html`
      <section>${health.draw((state) => drawReadiness(state, desk))}</section>
      <section><h2>${say('engines')}</h2>${overview.draw(({ engines }) => drawEngines(engines, desk))}</section>
      <section>
        <h2>${say('keys')}</h2>
        <p class="quiet">${say('keysWhy')}</p>
        ${keys.draw((answer) =>
          table(
            say('keys'),
            [
              { head: say('key'), cell: ({ id }) => code(id) },
              {
                head: say('state'),
                cell: ({ state }) => html`<span class="badge ${toneOf[state]}">${say(`key_${state}`)}</span>`,
              },
              { head: say('keyFiles'), isFigure: true, cell: ({ files }) => desk.formats.number(files) },
              { head: say('keySince'), cell: ({ since, retiredAt }) => time(retiredAt ?? since, desk) },
            ],
            answer.keys,
          ),
        )}
      </section>
    `,
  }
}

function drawReadiness({ ready, checks }: Readiness, desk: Desk) {
  const { say } = desk.texts
  return html`
    <h2><span class="badge ${ready ? 'good' : 'bad'}">${say(ready ? 'ready' : 'notReady')}</span></h2>
    ${table(
      say('health'),
      [
        { head: say('check'), cell: ([name]) => name },
        {
          head: say('state'),
          cell: ([, { ok }]) =>
            html`<span class="badge ${ok ? 'good' : 'bad'}">${say(ok ? 'checkOk' : 'checkFails')}</span>`,
        },
        { head: say('details'), cell: ([, { cause, note }]) => cause ?? note },
      ],
      Object.entries(checks),
    )}
  `
}

/** Also when it is not ready, which is 503 and an answer all the same. */
async function readiness(signal: AbortSignal): Promise<Readiness> {
  const response = await fetch(addressOf('/health/ready'), { signal, cache: 'no-store' })
  if (response.status !== 200 && response.status !== 503) throw new Problem(response.status, {}, null)
  return (await response.json()) as Readiness
}
