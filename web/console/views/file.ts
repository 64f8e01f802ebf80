import { html, nothing, type TemplateResult } from 'lit'
import { ask } from '../../shared/api.ts'
import { listen } from '../../shared/events.ts'
import '../../shared/files/file.ts'
import type { Attachment } from '../../shared/shapes.ts'
import { hrefOf } from '../address.ts'
import { decisionsAt } from '../deciding.ts'
import { doing } from '../doing.ts'
import { loading } from '../loading.ts'
import type { LinkState, Story } from '../shapes.ts'
import { facts, table } from '../table.ts'
import { drawStory } from '../timeline.ts'
import type { Desk, OpenView } from '../view.ts'
import { code, reasonOf, time } from '../words.ts'

/** One file: how it stands, all that was done with it, and what can be done. */
export const fileView: OpenView = (desk, { path }) => {
  const { say } = desk.texts
  const route = `/v1/attachments/${path.slice('/files/'.length)}`
  const isAdmin = desk.session.role === 'admin'
  let listening: { stop(): void } | null = null
  let isWhole = false

  const story = loading<Story>(desk, async (signal) => {
    const found = isAdmin
      ? await ask<Story>(`${route}/story`, { signal })
      : { attachment: await ask<Attachment>(route, { signal }), rows: [] }
    watch(found.attachment)
    return found
  })
  const links = isAdmin ? loading(desk, (signal) => ask<{ items: LinkState[] }>(`${route}/links`, { signal })) : null

  async function again(): Promise<void> {
    await Promise.all([story.again(), links?.again()])
  }
  const decisions = decisionsAt(desk)
  const done = doing(desk, again)

  /** What is shown changes with the file. */
  function watch({ id, conversationId }: Attachment): void {
    if (listening || conversationId === null) return
    listening = listen(
      { conversationId },
      {
        attachment(one) {
          const shown = story.value()?.attachment
          if (one.id === id && shown && JSON.stringify(one) !== JSON.stringify(shown)) void again()
        },
        became() {},
        liveness(now) {
          if (now.state === 'refused' && now.status === 401) desk.ended()
        },
      },
    )
  }

  async function endLink({ id }: LinkState): Promise<string> {
    await ask(`${route}/links/${id}`, { method: 'DELETE' })
    return say('linkEnded')
  }

  const draw = ({ attachment, rows }: Story) => html`
    ${done.draw()}
    <conversation-file .attachment=${attachment} .desk=${{ ...desk, propose: null }}></conversation-file>
    ${isAdmin ? drawActions(attachment) : nothing}
    <section><h2>${say('facts')}</h2>${drawRecord(attachment, desk)}</section>
    ${links?.draw(({ items }) => drawLinks(items)) ?? nothing}
    ${
      isAdmin
        ? html`<section>
            <h2>${say('story')}</h2>
            <label class="choice">
              <input type="checkbox" .checked=${isWhole} @change=${tellWhole}>${say('storyFull')}
            </label>
            ${drawStory({ attachment, rows }, isWhole, desk)}
          </section>`
        : nothing
    }
  `

  function tellWhole(): void {
    isWhole = !isWhole
    desk.redraw()
  }

  function drawActions(attachment: Attachment): TemplateResult {
    const { state } = attachment
    const isHeld = state === 'quarantined' || state === 'recalled'
    const action = (what: 'release' | 'hold' | 'destroy' | 'erase', isShown: boolean) =>
      isShown
        ? html`<button
            type="button"
            class=${what === 'destroy' || what === 'erase' ? 'danger' : ''}
            @click=${() => done.do(() => decisions[what](attachment))}
          >${say(what)}</button>`
        : nothing
    return html`<div class="choices">
      ${action('release', isHeld)} ${action('hold', state === 'accepted')} ${action('destroy', isHeld)}
      ${action('erase', state !== 'erased' && state !== 'fetching')}
    </div>`
  }

  function drawLinks(items: LinkState[]): TemplateResult {
    return html`<section>
      <h2>${say('links')}</h2>
      ${
        items.length === 0
          ? html`<p class="quiet">${say('noLinks')}</p>`
          : table(
              say('links'),
              [
                {
                  head: say('file'),
                  cell: ({ of, who, expiresAt }) => say('linkOf', { of, who, until: desk.formats.when(expiresAt) }),
                },
                {
                  head: say('actions'),
                  cell: (link) =>
                    html`<button type="button" @click=${() => done.do(() => endLink(link))}>${say('endLink')}</button>`,
                },
              ],
              items,
            )
      }
    </section>`
  }

  return {
    title: 'file',
    leave() {
      story.stop()
      links?.stop()
      listening?.stop()
    },
    draw: () => story.draw(draw),
  }
}

function drawRecord(attachment: Attachment, desk: Desk): TemplateResult {
  const { say } = desk.texts
  const { id, conversationId, messageId, type, declaredType, size, sha256, door, detail, receivedAt } = attachment
  return facts([
    [say('id'), code(id)],
    [say('code'), reasonOf(attachment.code, desk)],
    [say('detail'), detail],
    [say('door'), say(`door_${door}`)],
    [say('cameAt'), time(receivedAt, desk)],
    [
      say('conversation'),
      conversationId && html`<a href=${hrefOf('/files', { conversationId })}>${code(conversationId)}</a>`,
    ],
    [say('message'), messageId && code(messageId)],
    [say('kind'), type],
    [say('declaredType'), declaredType === type ? null : declaredType],
    [say('size'), size === null ? null : desk.formats.size(size)],
    [say('digest'), sha256 && code(sha256)],
    [say('confirmation'), confirmationOf(attachment, desk)],
  ])
}

function confirmationOf({ confirmation }: Attachment, { texts: { say }, formats }: Desk): string | null {
  if (confirmation === null) return null
  const { state, way, at, possiblyRepeated } = confirmation
  const said = [say(`confirmation_${state}`), ...(way ? [say(`way_${way}`)] : []), ...(at ? [formats.when(at)] : [])]
  return [said.join(', '), ...(possiblyRepeated ? [say('possiblyRepeated')] : [])].join('. ')
}
