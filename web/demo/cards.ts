import { html, nothing, type TemplateResult } from 'lit'
import { shownName } from '../../src/outbox/names.ts'
import { icon } from '../shared/elements/icon.ts'
import { formats } from '../shared/format.ts'
import type { Texts } from '../shared/texts.ts'
import type { Declined, Given } from './chat.ts'
import type { DemoKey } from './texts.ts'
import type { Upload } from './upload.ts'

/** What the platform's codes mean (FACTS 1.7), in the words of this page. */
const wordsOf: Record<number, DemoKey> = {
  4001: 'typeNotAllowed',
  4002: 'tooLarge',
  4003: 'contentInvalid',
  4004: 'nameInvalid',
  4005: 'nameInvalid',
  4102: 'empty',
}

/** How files that are given look: name, size, how far they are, and what became of them in plain words. */
export function cardsIn({ say, language }: Texts<DemoKey>) {
  const format = formats(language)

  function whyNot({ refusal }: Upload): string {
    const { code, sentence } = refusal!
    const known = wordsOf[code]
    // The gateway's sentence says more, in the customer's language; of a fault it has only words for developers.
    return known === undefined ? say('failed') : (sentence ?? say(known))
  }

  function stateOf(upload: Upload): string {
    if (upload.state === 'refused') return whyNot(upload)
    if (upload.state !== 'sending') return say(upload.state)
    return say('sending', { sent: format.size(upload.sentBytes), total: format.size(upload.file.size) })
  }

  const kinds = { sent: 'good', refused: 'bad', failed: 'bad', cancelled: 'quiet' } as Record<string, string>

  /** `isEnd`: nothing more becomes of it. */
  function inWords(entry: Given | Declined): { name: string; what: string; isEnd: boolean } {
    if (entry.kind === 'declined') return { name: shownName(entry.name), what: entry.sentence, isEnd: true }
    const { upload } = entry
    return { name: shownName(upload.file.name), what: stateOf(upload), isEnd: upload.state in kinds }
  }

  const cardOf = (name: string, size: number, kind: string, what: string, more: unknown): TemplateResult => html`
    <div class="card ${kind}">
      <p class="file">${icon('fa/file-regular')}<bdi>${shownName(name)}</bdi> <span class="quiet">${format.size(size)}</span></p>
      <p class="what">${what}</p>
      ${more}
    </div>
  `

  function of(entry: Given | Declined, { again }: { again(given: Given): void }): TemplateResult {
    if (entry.kind === 'declined') return cardOf(entry.name, entry.size, 'bad', entry.sentence, nothing)
    const { upload } = entry
    const { file, state, sentBytes } = upload
    const name = shownName(file.name)
    const isOnItsWay = ['announced', 'sending', 'judging'].includes(state)
    return cardOf(
      file.name,
      file.size,
      kinds[state] ?? '',
      stateOf(upload),
      html`
        ${
          state === 'announced' || state === 'sending'
            ? html`<progress aria-label=${say('progress', { name })} max=${file.size} .value=${sentBytes}></progress>`
            : nothing
        }
        ${
          state === 'judging' || state === 'posting'
            ? html`<progress aria-label=${stateOf(upload)}></progress>`
            : nothing
        }
        ${
          isOnItsWay
            ? html`<button type="button" aria-label=${say('cancelFile', { name })} @click=${() => upload.cancel()}>
                ${say('cancel')}
              </button>`
            : nothing
        }
        ${
          state === 'failed'
            ? html`<button type="button" aria-label=${say('againFile', { name })} @click=${() => again(entry)}>
                ${say('again')}
              </button>`
            : nothing
        }
      `,
    )
  }

  return { of, inWords }
}
