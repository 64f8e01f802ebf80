import { html } from 'lit'
import { hrefOf } from '../address.ts'
import { drawFilters, instantsOf } from '../filters.ts'
import { listing } from '../listing.ts'
import { type AuditRow, auditKinds } from '../shapes.ts'
import type { OpenView } from '../view.ts'
import { code, time } from '../words.ts'

/** Who did what, the newest first. */
export const auditView: OpenView = (desk, address) => {
  const { say } = desk.texts
  const { query } = address
  const asked = Object.fromEntries(['what', 'who', 'object'].map((name) => [name, query.get(name)]))
  const list = listing<AuditRow>(desk, address, { route: '/v1/audit', asked: { ...asked, ...instantsOf(query) } })

  return {
    title: 'audit',
    leave: () => list.stop(),
    draw: () => html`
      <p class="quiet">${say('auditWhy')}</p>
      ${drawFilters(
        [
          {
            kind: 'choice',
            name: 'what',
            label: say('what'),
            choices: auditKinds.map((kind) => [kind, say(`did_${kind}`)]),
          },
          { kind: 'text', name: 'who', label: say('who') },
          { kind: 'text', name: 'object', label: say('object') },
          { kind: 'day', name: 'from', label: say('from') },
          { kind: 'day', name: 'to', label: say('to') },
        ],
        address,
        desk,
      )}
      ${list.draw(
        [
          { head: say('when'), cell: ({ at }) => time(at, desk) },
          { head: say('who'), cell: ({ who }) => code(who) },
          { head: say('what'), cell: ({ what }) => say(`did_${what}`) },
          {
            head: say('object'),
            cell: ({ object }) =>
              object?.startsWith('att_')
                ? html`<a href=${hrefOf(`/files/${object}`)}>${code(object)}</a>`
                : object && code(object),
          },
          { head: say('outcome'), cell: ({ outcome }) => outcome },
          {
            head: say('details'),
            cell: ({ detail }) => (detail === null ? '' : html`<span class="raw">${detail}</span>`),
          },
          { head: say('request'), cell: ({ requestId }) => (requestId === null ? '' : code(requestId)) },
          { head: say('row'), isFigure: true, cell: ({ node, seq }) => html`<span title=${node}>${seq}</span>` },
        ],
        { label: say('audit'), empty: say('noneFound') },
      )}
    `,
  }
}
