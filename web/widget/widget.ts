import { html, nothing, render, type TemplateResult } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { announce } from '../shared/elements/live.ts'
import { notice } from '../shared/elements/notice.ts'
import { themeSwitch } from '../shared/elements/themeSwitch.ts'
import { type Liveness, listen } from '../shared/events.ts'
import type { Desk } from '../shared/files/file.ts'
import { formats } from '../shared/format.ts'
import { plainly } from '../shared/plainly.ts'
import { currentSession, signOut } from '../shared/session.ts'
import type { Attachment } from '../shared/shapes.ts'
import { loadTexts } from '../shared/texts.ts'
import '../shared/files/file.ts'
import { nameOf, stateOf } from '../shared/files/words.ts'
import { messageBox } from './genesys.ts'
import { type SignInOffer, signInOffer } from './signInOffer.ts'
import { files } from './texts.ts'

/** What is shown in place of the files. */
type Instead =
  | { kind: 'loading' }
  | { kind: 'signedOut' | 'ended'; offer: SignInOffer }
  | { kind: 'notYours' | 'noConversation' }
  | { kind: 'failed'; trouble: string }

/** The files of the conversation that the page's address names, as they come. */
export async function showWidget(place: HTMLElement): Promise<void> {
  const conversationId = new URLSearchParams(location.search).get('conversationId')
  const [texts, box, first] = await Promise.all([
    loadTexts(files),
    messageBox(),
    conversationId ? settled(currentSession()) : null,
  ])
  const { say } = texts
  document.title = `${say('title')} – Clipgate`
  place.replaceChildren()

  let desk: Desk | null = null
  let instead: Instead | null = { kind: 'loading' }
  let connection: Liveness['state'] = 'connecting'
  /** What comes before this is what was there already. */
  let isCaughtUp = false
  let listening: { stop(): void } | null = null
  const known = new Map<string, Attachment>()

  if (!conversationId || !first) {
    instead = { kind: 'noConversation' }
    draw()
    return
  }
  await enter(first)

  async function enter(session: Awaited<typeof first>): Promise<void> {
    if (!session) return
    if ('error' in session) return show({ kind: 'failed', trouble: plainly(session.error, texts) })
    if (!session.value) return offerSignIn('signedOut')
    desk = { texts, formats: formats(texts.language), session: session.value, propose: box }
    watch()
  }

  async function again(): Promise<void> {
    show({ kind: 'loading' })
    await enter(await settled(currentSession()))
  }

  function watch(): void {
    listening?.stop()
    known.clear()
    isCaughtUp = false
    listening = listen(
      { conversationId: conversationId! },
      {
        attachment: (attachment) => {
          take(attachment)
          draw()
        },
        became: (id) => {
          known.delete(id)
          draw()
        },
        liveness,
      },
    )
  }

  function take(attachment: Attachment): void {
    const before = known.get(attachment.id)
    known.set(attachment.id, attachment)
    if (!isCaughtUp || !desk || before?.state === attachment.state) return
    announce(say('arrived', { name: nameOf(attachment, desk), state: stateOf(attachment, desk) }))
  }

  function liveness(now: Liveness): void {
    if (now.state === 'refused') {
      refused(now.status)
      return
    }
    // An attempt is not yet a connection: what was said of the last one still holds.
    if (now.state === 'connecting') return
    if (now.state === 'live') {
      if (connection === 'lost') announce(say('back'))
      instead = null
      isCaughtUp = true
    }
    connection = now.state
    draw()
  }

  function refused(status: number): void {
    known.clear()
    listening = null
    if (status === 401) void offerSignIn('ended')
    else if (status === 404 || status === 403) show({ kind: 'notYours' })
    else show({ kind: 'failed', trouble: say('unavailable') })
  }

  async function offerSignIn(kind: 'signedOut' | 'ended'): Promise<void> {
    desk = null
    try {
      const offer = await signInOffer({
        texts,
        goesAtOnce: kind === 'signedOut',
        changed: () => draw(),
        signedIn: again,
      })
      show({ kind, offer })
    } catch (error) {
      show({ kind: 'failed', trouble: plainly(error, texts) })
    }
  }

  async function leave(): Promise<void> {
    listening?.stop()
    known.clear()
    try {
      await signOut()
    } catch (error) {
      return show({ kind: 'failed', trouble: plainly(error, texts) })
    }
    await offerSignIn('ended')
  }

  function show(what: Instead): void {
    instead = what
    draw()
  }

  function draw(): void {
    render(
      html`
        <header>
          <h1>${say('title')}</h1>
          ${desk && !instead ? html`<span class="quiet">${say('count', { count: known.size })}</span>` : nothing}
          <span class="end">
            ${
              desk
                ? html`<button class="plain" type="button" title=${desk.session.who.name} @click=${leave}>
                    ${say('signOut')}
                  </button>`
                : nothing
            }
            ${themeSwitch(say('switchTheme'))}
          </span>
        </header>
        ${connection === 'lost' && desk ? html`<div role="status">${notice('warning', say('lost'))}</div>` : nothing}
        ${instead ? drawInstead(instead) : drawFiles()}
      `,
      place,
    )
  }

  function drawFiles(): TemplateResult {
    if (known.size === 0) return blank('empty', 'emptyWhy')
    const file = (attachment: Attachment) =>
      html`<li><conversation-file .attachment=${attachment} .desk=${desk}></conversation-file></li>`
    // By id, so that what is open in one of them stays open when another comes.
    return html`<ul class="files">${repeat(newestFirst([...known.values()]), ({ id }) => id, file)}</ul>`
  }

  function drawInstead(what: Instead): TemplateResult {
    const retry = html`<button type="button" @click=${again}>${say('again')}</button>`
    switch (what.kind) {
      case 'loading':
        return html`<p class="blank quiet" role="status">${say('loading')}</p>`
      case 'signedOut':
        return blank('signedOut', 'signedOutWhy', what.offer.draw())
      case 'ended':
        return blank('ended', 'endedWhy', what.offer.draw())
      case 'notYours':
        return blank('notYours', 'notYoursWhy', retry)
      case 'noConversation':
        return blank('noConversation', 'noConversationWhy')
      case 'failed':
        return html`<section class="blank"><h2>${say('failed')}</h2>${notice('error', what.trouble)}${retry}</section>`
    }
  }

  function blank(
    title: 'empty' | 'signedOut' | 'ended' | 'notYours' | 'noConversation',
    why: `${typeof title}Why`,
    actions: TemplateResult | typeof nothing = nothing,
  ): TemplateResult {
    return html`<section class="blank"><h2>${say(title)}</h2><p class="quiet">${say(why)}</p>${actions}</section>`
  }
}

const newestFirst = (all: Attachment[]) =>
  all.sort((a, b) => b.receivedAt.localeCompare(a.receivedAt) || b.id.localeCompare(a.id))

/** An answer, or why there is none, so that what runs beside it need not wait to fail. */
const settled = <T>(asked: Promise<T>) =>
  asked.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
