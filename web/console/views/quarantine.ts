import { html, nothing } from 'lit'
import { verdictsOf } from '../../shared/files/words.ts'
import { decisionsAt } from '../deciding.ts'
import { doing } from '../doing.ts'
import { drawFilters } from '../filters.ts'
import { listing } from '../listing.ts'
import type { Held } from '../shapes.ts'
import type { OpenView } from '../view.ts'
import { fileLink, reasonOf, time } from '../words.ts'

/** What is held, the longest first, and what can be decided about it. */
export const quarantineView: OpenView = (desk, address) => {
  const { say } = desk.texts
  const list = listing<Held>(desk, address, {
    route: '/v1/quarantine',
    asked: { waitsFor: address.query.get('waitsFor') },
  })
  const decisions = decisionsAt(desk)
  const done = doing(desk, () => list.again())

  const whyOf = ({ attachment }: Held) => html`
    ${reasonOf(attachment.code, desk) ?? attachment.detail}
    ${verdictsOf(attachment, desk).map((verdict) => html`<div class="quiet">${verdict}</div>`)}
  `
  const waits = ({ waitsFor, asked }: Held) => html`
    ${say(`waitsFor_${waitsFor}`)}
    ${asked ? html`<div class="quiet">${say('releaseAsked', { who: asked.by, when: desk.formats.when(asked.at) })}</div>` : nothing}
  `
  const actions = ({ attachment, waitsFor }: Held) => html`<div class="choices">
    ${
      waitsFor === 'person'
        ? html`<button type="button" @click=${() => done.do(() => decisions.release(attachment))}>${say('release')}</button>`
        : nothing
    }
    <button type="button" class="danger" @click=${() => done.do(() => decisions.destroy(attachment))}>${say('destroy')}</button>
  </div>`

  return {
    title: 'quarantine',
    leave: () => list.stop(),
    draw: () => html`
      <p class="quiet">${say('quarantineWhy')}</p>
      ${drawFilters(
        [
          {
            kind: 'choice',
            name: 'waitsFor',
            label: say('waitsFor'),
            choices: [
              ['person', say('waitsFor_person')],
              ['engine', say('waitsFor_engine')],
            ],
          },
        ],
        address,
        desk,
      )}
      ${done.draw()}
      ${list.draw(
        [
          { head: say('name'), cell: ({ attachment }) => fileLink(attachment, desk) },
          { head: say('why'), cell: whyOf },
          { head: say('waitsFor'), cell: waits },
          { head: say('heldSince'), cell: ({ since }) => time(since, desk) },
          { head: say('heldUntil'), cell: ({ until }) => time(until, desk) },
          { head: say('actions'), cell: actions },
        ],
        { label: say('quarantine'), empty: say('quarantineEmpty') },
      )}
    `,
  }
}
