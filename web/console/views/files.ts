import { html, nothing } from 'lit'
import { notice } from '../../shared/elements/notice.ts'
import { listen } from '../../shared/events.ts'
import { kindOf } from '../../shared/files/words.ts'
import type { Attachment } from '../../shared/shapes.ts'
import { hrefOf } from '../address.ts'
import { drawFilters, type Filter, instantsOf } from '../filters.ts'
import { listing } from '../listing.ts'
import type { OpenView } from '../view.ts'
import { code, doors, fileLink, stateBadge, states, time } from '../words.ts'

const narrowing = ['q', 'state', 'type', 'door', 'conversationId', 'from', 'to']

/** All files, the newest first, and how to find one. */
export const filesView: OpenView = (desk, address) => {
  const { texts, formats } = desk
  const { say } = texts
  const { query } = address
  const asked = Object.fromEntries(narrowing.map((name) => [name, query.get(name)]))
  const list = listing<Attachment>(desk, address, {
    route: '/v1/attachments',
    asked: { ...asked, ...instantsOf(query) },
  })

  // Where the newest are shown, what comes meanwhile is offered, and moves nothing under anybody's hand.
  const showsNewest = [...narrowing, 'cursor'].every((name) => !query.has(name))
  const come = new Set<string>()
  let isCaughtUp = false
  const listening = showsNewest
    ? listen(
        {},
        {
          attachment({ id }) {
            if (!isCaughtUp || list.items().some((one) => one.id === id)) return
            come.add(id)
            desk.redraw()
          },
          became() {},
          liveness(now) {
            if (now.state === 'live') isCaughtUp = true
            if (now.state === 'refused' && now.status === 401) desk.ended()
          },
        },
      )
    : null

  async function showNew(): Promise<void> {
    come.clear()
    await list.again()
  }

  const filters: Filter[] = [
    { kind: 'text', name: 'q', label: say('query'), hint: say('queryHint') },
    {
      kind: 'choice',
      name: 'state',
      label: say('state'),
      choices: states.map((state) => [state, say(`state_${state}`)]),
    },
    { kind: 'choice', name: 'door', label: say('door'), choices: doors.map((door) => [door, say(`door_${door}`)]) },
    { kind: 'text', name: 'type', label: say('kind') },
    { kind: 'text', name: 'conversationId', label: say('conversation') },
    { kind: 'day', name: 'from', label: say('from') },
    { kind: 'day', name: 'to', label: say('to') },
  ]

  return {
    title: 'files',
    leave() {
      listening?.stop()
      list.stop()
    },
    draw: () => html`
      ${drawFilters(filters, address, desk)}
      ${
        come.size > 0
          ? notice(
              'info',
              html`<span role="status">${say('newFiles', { count: come.size })}</span>
                <button type="button" @click=${showNew}>${say('show')}</button>`,
            )
          : nothing
      }
      ${list.draw(
        [
          { head: say('name'), cell: (one) => fileLink(one, desk) },
          { head: say('state'), cell: (one) => stateBadge(one, desk) },
          {
            head: say('kind'),
            cell: (one) => (kindOf(one) === 'other' ? one.type : say('type', { kind: kindOf(one) })),
          },
          { head: say('size'), isFigure: true, cell: ({ size }) => (size === null ? '' : formats.size(size)) },
          { head: say('door'), cell: ({ door }) => say(`door_${door}`) },
          {
            head: say('conversation'),
            cell: ({ conversationId }) =>
              conversationId === null
                ? ''
                : html`<a href=${hrefOf('/files', { conversationId })}>${code(conversationId)}</a>`,
          },
          { head: say('cameAt'), cell: ({ receivedAt }) => time(receivedAt, desk) },
        ],
        { label: say('files'), empty: say(showsNewest ? 'none' : 'noneFound') },
      )}
    `,
  }
}
