import { html, nothing, type TemplateResult } from 'lit'
import type { Attachment } from '../shared/shapes.ts'
import type { AuditRow, Story } from './shapes.ts'
import type { Desk } from './view.ts'
import { time } from './words.ts'

interface Event {
  at: string
  what: string
  who: string | null
  more: (string | null)[]
  tone: string
}

/** What changes nothing: somebody looked. */
const looked: AuditRow['what'][] = ['see', 'list']
const tones: Partial<Record<AuditRow['what'], string>> = {
  recall: 'bad',
  destroy: 'bad',
  erase: 'bad',
  scrub_find: 'bad',
  hold: 'warning',
  release: 'good',
}
const longest = 1000

/** How a file came, who judged it, who opened it, and what became of it: the oldest first. `isWhole`: also who only looked. */
export function drawStory({ attachment, rows }: Story, isWhole: boolean, desk: Desk): TemplateResult {
  const { say } = desk.texts
  const { receivedAt, door } = attachment
  const came: Event = {
    at: receivedAt,
    what: say('cameBy', { door: say(`door_${door}`) }),
    who: null,
    more: [],
    tone: '',
  }
  const events: Event[] = [
    ...eventsOf(attachment, desk),
    ...rows
      .filter(({ what }) => isWhole || !looked.includes(what))
      .map(({ at, what, who, outcome, detail }) => ({
        at,
        what: say(`did_${what}`),
        who,
        more: [outcome, detail],
        tone: tones[what] ?? '',
      })),
  ].sort((a, b) => a.at.localeCompare(b.at))
  return html`
    ${rows.length >= longest ? html`<p class="quiet">${say('storyLimit')}</p>` : nothing}
    <ol class="story">
      ${[came, ...events].map(
        ({ at, what, who, more, tone }) => html`<li class=${tone}>
          ${time(at, desk)}
          <div>
            <strong>${what}</strong> ${who === null ? nothing : html`<span class="quiet">${who}</span>`}
            ${more.filter((text) => text).map((text) => html`<div class="quiet"><bdi>${text}</bdi></div>`)}
          </div>
        </li>`,
      )}
    </ol>
  `
}

/** What the record itself tells, and the trail does not. */
function eventsOf({ verdicts, confirmation }: Attachment, { texts: { say } }: Desk): Event[] {
  const judged = verdicts.map(({ at, engine, verdict, detail, signatures }) => ({
    at,
    what: say('judgedBy', { engine, verdict }),
    who: null,
    more: [detail ?? null, signatures ?? null],
    tone: verdict === 'infected' ? 'bad' : verdict === 'clean' ? 'good' : 'warning',
  }))
  const told =
    confirmation?.at && confirmation.state === 'delivered'
      ? [
          {
            at: confirmation.at,
            what: `${say('confirmation')}: ${say('confirmation_delivered')}`,
            who: null,
            more: [confirmation.way && say(`way_${confirmation.way}`)],
            tone: 'good',
          },
        ]
      : []
  return [...judged, ...told]
}
