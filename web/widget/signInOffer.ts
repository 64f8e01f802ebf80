import { html, nothing, type TemplateResult } from 'lit'
import { notice } from '../shared/elements/notice.ts'
import { addressOf, isFramed } from '../shared/page.ts'
import { plainly } from '../shared/plainly.ts'
import {
  leaveFrameToSignIn,
  leaveToSignIn,
  SignInFailed,
  signInByPopup,
  wasTriedInFrame,
  waysToSignIn,
} from '../shared/session.ts'
import type { SignInWays } from '../shared/shapes.ts'
import type { WidgetTexts } from './texts.ts'

/** What somebody can do who is not signed in. */
export interface SignInOffer {
  draw(): TemplateResult
}

/**
 * In a frame we go to the login at once, which lets pass who is signed in at Genesys Cloud already. When that was tried and nobody came back,
 * the login page cannot stand in a frame: then a button opens it in a window. Throws as `ask` does.
 */
export async function signInOffer(parts: {
  texts: WidgetTexts
  goesAtOnce: boolean
  changed(): void
  signedIn(): Promise<void>
}): Promise<SignInOffer> {
  const { texts, goesAtOnce, changed, signedIn } = parts
  const { say } = texts
  const { genesys, local }: SignInWays = await waysToSignIn()
  const here = location.pathname + location.search
  const needsWindow = isFramed && wasTriedInFrame()
  let trouble: string | null = null

  if (genesys && isFramed && goesAtOnce && !needsWindow) void leaveFrameToSignIn(genesys, here)

  const byWindow = async () => {
    trouble = null
    changed()
    try {
      if (await signInByPopup(genesys!)) return signedIn()
      trouble = say('signInTrouble')
    } catch (error) {
      trouble = error instanceof SignInFailed ? say('signInTrouble') : plainly(error, texts)
    }
    changed()
  }
  const byLeaving = () => (isFramed ? leaveFrameToSignIn(genesys!, here) : leaveToSignIn(genesys!, here))

  return {
    draw: () => html`
      ${trouble === null ? nothing : notice('error', trouble)}
      <div class="ways">
        ${
          genesys && needsWindow
            ? html`
                <button class="primary" type="button" @click=${byWindow}>${say('signInWindow')}</button>
                <button type="button" @click=${byLeaving}>${say('signInHere')}</button>
              `
            : nothing
        }
        ${
          genesys && !needsWindow
            ? html`<button class="primary" type="button" @click=${byLeaving}>${say('signInGenesys')}</button>`
            : nothing
        }
        ${
          local
            ? html`<a class="button" href="${addressOf('/sign-in')}?${new URLSearchParams({ next: here, language: texts.language })}">
                ${say(genesys ? 'signInLocal' : 'signIn')}
              </a>`
            : nothing
        }
      </div>
      ${genesys || local ? nothing : notice('warning', say('nobody'))}
    `,
  }
}
