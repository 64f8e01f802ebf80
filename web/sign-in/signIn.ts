import { html, nothing, render, type TemplateResult } from 'lit'
import { Problem } from '../shared/api.ts'
import { notice } from '../shared/elements/notice.ts'
import { plainly } from '../shared/plainly.ts'
import {
  type Answer,
  answerIn,
  begunAs,
  finishSignIn,
  handOver,
  leaveToSignIn,
  ownPath,
  SignInFailed,
  signInByPassword,
  signOut,
  waysToSignIn,
} from '../shared/session.ts'
import type { Session, SignInWays } from '../shared/shapes.ts'
import { loadTexts } from '../shared/texts.ts'
import { files } from './texts.ts'

/**
 * Three things meet here: somebody who wants to sign in; the login that sends somebody back with a code; and a window that
 * a frame opened, which only hands its code over.
 */
export async function showSignIn(place: HTMLElement): Promise<void> {
  const query = new URLSearchParams(location.search)
  const answer = answerIn(query)
  const begun = answer && begunAs(answer)
  const texts = await loadTexts(files, begun ? begun.language : query.get('language'))
  const { say } = texts
  document.title = `${say('title')} – Clipgate`
  place.replaceChildren()
  const next = ownPath(begun ? begun.next : query.get('next'))

  const draw = (content: TemplateResult) =>
    render(html`<section class="card"><h1>${say('title')}</h1>${content}</section>`, place)

  if (answer) {
    // The code is nobody's business any more: neither the history's, nor a bookmark's.
    history.replaceState(null, '', location.pathname)
    await takeBack(answer)
  } else await offer()

  async function takeBack(answer: Answer): Promise<void> {
    draw(html`<p role="status">${say('working')}</p>`)
    if (!begun && handOver(answer)) {
      draw(html`<p role="status">${say('handedOver')}</p>`)
      window.close()
      return
    }
    try {
      location.replace((await finishSignIn(answer)).next)
    } catch (error) {
      await offer(wordsFor(error))
    }
  }

  function wordsFor(error: unknown): string {
    if (error instanceof SignInFailed) return say(error.why === 'denied' ? 'denied' : 'unknownBegin')
    if (error instanceof Problem && (error.status === 401 || error.status === 400)) return say('expired')
    if (error instanceof Problem && error.status === 403) return say('notForYou')
    return plainly(error, texts)
  }

  async function offer(trouble: string | null = null): Promise<void> {
    try {
      const ways = await waysToSignIn()
      if (ways.session && trouble === null) drawSession(ways.session)
      else drawWays(ways, trouble)
    } catch (error) {
      draw(notice('error', trouble ?? plainly(error, texts)))
    }
  }

  function drawSession(session: Session): void {
    const end = async () => {
      await signOut().catch(() => {})
      await offer()
    }
    draw(html`
      <p>${say('signedIn', { name: session.who.name })}</p>
      <a class="button" href=${next}>${say('goOn')}</a>
      <button type="button" @click=${end}>${say('signOut')}</button>
    `)
  }

  function drawWays(ways: SignInWays, trouble: string | null, busy = false): void {
    const { genesys, local } = ways
    const submit = async (event: SubmitEvent) => {
      event.preventDefault()
      const form = new FormData(event.target as HTMLFormElement)
      const [name, password] = [String(form.get('name')).trim(), String(form.get('password'))]
      if (name === '' || password === '') return drawWays(ways, say('nameMissing'))
      drawWays(ways, null, true)
      try {
        await signInByPassword(name, password)
        location.replace(next)
      } catch (error) {
        const isWrong = error instanceof Problem && error.status === 401
        drawWays(ways, isWrong ? say('wrongPassword') : plainly(error, texts))
        place.querySelector<HTMLInputElement>('input[name=password]')?.focus()
      }
    }
    draw(html`
      ${trouble === null ? nothing : notice('error', trouble)}
      ${
        genesys &&
        html`<button class="primary" type="button" @click=${() => leaveToSignIn(genesys, next)}>${say('withGenesys')}</button>`
      }
      ${genesys && local ? html`<p class="or quiet">${say('orLocal')}</p>` : nothing}
      ${
        local
          ? html`<form novalidate @submit=${submit}>
              <label>${say('name')}<input name="name" autocomplete="username" required></label>
              <label>
                ${say('password')}
                <input name="password" type="password" autocomplete="current-password" required>
              </label>
              <button class=${genesys ? '' : 'primary'} type="submit" ?disabled=${busy}>
                ${busy ? say('working') : say('signIn')}
              </button>
            </form>`
          : nothing
      }
      ${genesys || local ? nothing : notice('warning', say('nobody'))}
    `)
  }
}
