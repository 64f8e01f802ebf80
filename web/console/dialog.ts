import { html, nothing, render } from 'lit'
import { Problem } from '../shared/api.ts'
import { notice } from '../shared/elements/notice.ts'
import { plainly } from '../shared/plainly.ts'
import type { Desk } from './view.ts'

/** Something that is not done before somebody has read what it does. */
export interface Question {
  title: string
  /** Which file it is about: as text. */
  about: string
  /** What will happen. */
  says: string[]
  /** What stands on the button. */
  action: string
  isDangerous: boolean
  /** Whether a reason must be given. */
  needsReason: boolean
  /** Does it. What it throws is said, and the question stays. */
  run(reason: string): Promise<void>
}

/** Puts a question before everything else. True: it was done. */
export function askBefore(question: Question, { texts, ended }: Desk): Promise<boolean> {
  const { say } = texts
  const dialog = document.createElement('dialog')
  dialog.setAttribute('aria-labelledby', 'question')
  document.body.append(dialog)
  let busy = false
  let trouble: string | null = null
  let isDone = false

  const draw = () =>
    render(
      html`
        <form method="dialog" novalidate @submit=${submit}>
          <h2 id="question">${question.title}</h2>
          <p><bdi>${question.about}</bdi></p>
          ${question.says.map((text) => html`<p>${text}</p>`)}
          ${
            question.needsReason
              ? html`<label>
                  ${say('reason')}
                  <input name="reason" maxlength="500" autocomplete="off" aria-describedby="reason-hint">
                  <span id="reason-hint" class="quiet">${say('reasonHint')}</span>
                </label>`
              : nothing
          }
          ${trouble === null ? nothing : notice('error', trouble)}
          <div class="choices">
            <button type="button" @click=${() => dialog.close()}>${say('cancel')}</button>
            <button type="submit" class=${question.isDangerous ? 'danger' : 'primary'} aria-disabled=${busy ? 'true' : nothing}>
              ${question.action}
            </button>
          </div>
        </form>
      `,
      dialog,
    )

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    if (busy) return
    const reason = String(new FormData(event.target as HTMLFormElement).get('reason') ?? '').trim()
    if (question.needsReason && reason === '') {
      trouble = say('reasonMissing')
      draw()
      dialog.querySelector('input')?.focus()
      return
    }
    busy = true
    trouble = null
    draw()
    try {
      await question.run(reason)
      isDone = true
      dialog.close()
    } catch (error) {
      busy = false
      if (error instanceof Problem && error.status === 401) {
        dialog.close()
        return ended()
      }
      trouble = error instanceof Problem && error.status === 409 ? say('otherState') : plainly(error, texts)
      draw()
    }
  }

  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(isDone)
    })
    draw()
    dialog.showModal()
  })
}
