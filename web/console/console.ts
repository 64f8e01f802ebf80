import { html, nothing, render, type TemplateResult } from 'lit'
import { icon } from '../shared/elements/icon.ts'
import { notice } from '../shared/elements/notice.ts'
import { themeSwitch } from '../shared/elements/themeSwitch.ts'
import { formats } from '../shared/format.ts'
import { addressOf } from '../shared/page.ts'
import { plainly } from '../shared/plainly.ts'
import { currentSession, signOut } from '../shared/session.ts'
import type { Session } from '../shared/shapes.ts'
import { loadTexts } from '../shared/texts.ts'
import { currentAddress, followLinks, hrefOf } from './address.ts'
import { partAt, partsFor } from './parts.ts'
import { files } from './texts.ts'
import type { Desk, View } from './view.ts'

/** The frame around the parts of the console: who is here, where they are, and where they can go. */
export async function showConsole(place: HTMLElement): Promise<void> {
  const texts = await loadTexts(files)
  const { say } = texts
  let session: Session | null = null
  let view: View | null = null
  /** In place of a view. */
  let instead: TemplateResult | null = null
  place.replaceChildren()

  const go = followLinks(() => {
    open()
    // Who reads by ear is told of the new part, and goes on there.
    place.querySelector<HTMLElement>('h1')?.focus()
    window.scrollTo(0, 0)
  })

  await enter()

  async function enter(): Promise<void> {
    try {
      session = await currentSession()
    } catch (error) {
      const again = html`<button type="button" @click=${enter}>${say('again')}</button>`
      return show(html`<section class="blank">${notice('error', plainly(error, texts))}${again}</section>`)
    }
    open()
  }

  function open(): void {
    view?.leave?.()
    view = null
    if (!session) {
      show(signInOffer())
      return
    }
    if (!session.seesAll) {
      show(blank('notForYou', say('notForYouWhy', { name: session.who.name })))
      return
    }
    // Who may only read has no overview, and begins with the files.
    if (currentAddress().path === '/' && !partAt('/', session)) history.replaceState(null, '', hrefOf('/files'))
    const address = currentAddress()
    const part = partAt(address.path, session)
    if (!part) {
      show(blank('notThere', say('notThereWhy')))
      return
    }
    instead = null
    const desk: Desk = { texts, formats: formats(texts.language), session, redraw: draw, go, ended }
    view = part.open(desk, address)
    draw()
  }

  function ended(): void {
    session = null
    open()
  }

  async function leave(): Promise<void> {
    try {
      await signOut()
    } catch (error) {
      return show(html`<section class="blank">${notice('error', plainly(error, texts))}</section>`)
    }
    ended()
  }

  function signInOffer(): TemplateResult {
    const next = location.pathname + location.search
    const query = new URLSearchParams({ next, language: texts.language })
    return blank(
      'signedOut',
      say('signedOutWhy'),
      html`<a class="button" href="${addressOf('/sign-in')}?${query}">${say('signIn')}</a>`,
    )
  }

  function show(what: TemplateResult): void {
    view?.leave?.()
    view = null
    instead = what
    draw()
  }

  function blank(
    title: 'signedOut' | 'notForYou' | 'notThere',
    why: string,
    actions: unknown = nothing,
  ): TemplateResult {
    return html`<section class="blank"><h2>${say(title)}</h2><p class="quiet">${why}</p>${actions}</section>`
  }

  function draw(): void {
    const title = say(view?.title ?? 'title')
    document.title = `${title} – Clipgate`
    render(
      html`
        <a class="skip" href="#content">${say('skip')}</a>
        <header>
          <a class="brand" href=${hrefOf('/')}>Clipgate</a>
          <span class="end">
            ${
              session
                ? html`<span class="quiet who">${session.who.name}</span>
                    <button class="plain" type="button" @click=${leave}>${say('signOut')}</button>`
                : nothing
            }
            ${themeSwitch(say('switchTheme'))}
          </span>
        </header>
        ${session?.seesAll ? drawParts(session) : nothing}
        <main id="content" tabindex="-1">
          <h1 tabindex="-1">${title}</h1>
          ${instead ?? view?.draw()}
        </main>
      `,
      place,
    )
  }

  function drawParts(session: Session): TemplateResult {
    return html`<nav class="parts" aria-label=${say('parts')}>
      <ul>
        ${partsFor(session).map(
          ({ path, title, picture, isWithin }) => html`<li>
            <a href=${hrefOf(path)} aria-current=${isWithin(currentAddress().path) ? 'page' : nothing}>
              ${icon(picture)}${say(title)}
            </a>
          </li>`,
        )}
      </ul>
    </nav>`
  }
}
