import { html, nothing } from 'lit'
import { ask } from '../../shared/api.ts'
import { hrefOf } from '../address.ts'
import { decisionsAt } from '../deciding.ts'
import { doing } from '../doing.ts'
import { drawFilters } from '../filters.ts'
import { listing } from '../listing.ts'
import type { Owed } from '../shapes.ts'
import type { OpenView } from '../view.ts'
import { code, time } from '../words.ts'

const states = ['pending', 'parked', 'delivered', 'dropped'] as const

/** What is owed to conversations, the oldest first. */
export const outboxView: OpenView = (desk, address) => {
  const { say } = desk.texts
  const list = listing<Owed>(desk, address, { route: '/v1/outbox', asked: { state: address.query.get('state') } })
  const decisions = decisionsAt(desk)
  const done = doing(desk, () => list.again())
  const nothingOwed = { missing: say('nothingOwed') }

  async function retry(attachmentId: string): Promise<string> {
    await ask(`/v1/outbox/${encodeURIComponent(attachmentId)}/retry`, { method: 'POST' })
    return say('retried')
  }

  const actions = ({ attachmentId, state }: Owed) => {
    if (state !== 'parked' && state !== 'pending') return ''
    const retried = () => done.do(() => retry(attachmentId), nothingOwed)
    const dropped = () => done.do(() => decisions.drop(attachmentId), nothingOwed)
    return html`<div class="choices">
      ${state === 'parked' ? html`<button type="button" @click=${retried}>${say('retry')}</button>` : nothing}
      <button type="button" @click=${dropped}>${say('drop')}</button>
    </div>`
  }

  return {
    title: 'outbox',
    leave: () => list.stop(),
    draw: () => html`
      <p class="quiet">${say('outboxWhy')}</p>
      ${drawFilters(
        [
          {
            kind: 'choice',
            name: 'state',
            label: say('state'),
            choices: states.map((state) => [state, say(`confirmation_${state}`)]),
          },
        ],
        address,
        desk,
      )}
      ${done.draw()}
      ${list.draw(
        [
          {
            head: say('file'),
            cell: ({ attachmentId }) => html`<a href=${hrefOf(`/files/${attachmentId}`)}>${code(attachmentId)}</a>`,
          },
          {
            head: say('conversation'),
            cell: ({ conversationId }) =>
              html`<a href=${hrefOf('/files', { conversationId })}>${code(conversationId)}</a>`,
          },
          {
            head: say('state'),
            cell: ({ state, way }) => html`
              <span class="badge ${state === 'parked' ? 'bad' : state === 'delivered' ? 'good' : ''}">
                ${say(`confirmation_${state}`)}
              </span>
              ${way === null ? nothing : html`<div class="quiet">${say(`way_${way}`)}</div>`}
            `,
          },
          { head: say('attempts'), isFigure: true, cell: ({ attempts }) => attempts },
          { head: say('since'), cell: ({ createdAt }) => time(createdAt, desk) },
          { head: say('nextAt'), cell: ({ state, nextAt }) => (state === 'pending' ? time(nextAt, desk) : '') },
          {
            head: say('lastReason'),
            cell: ({ reason }) => (reason === null ? '' : html`<span class="raw">${reason}</span>`),
          },
          { head: say('actions'), cell: actions },
        ],
        { label: say('outbox'), empty: say('outboxEmpty') },
      )}
    `,
  }
}
