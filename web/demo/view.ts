import { html, nothing, render, type TemplateResult } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { shownName } from '../../src/outbox/names.ts'
import type { Policy } from '../client/policy.ts'
import { icon } from '../shared/elements/icon.ts'
import { announce } from '../shared/elements/live.ts'
import { themeSwitch } from '../shared/elements/themeSwitch.ts'
import { formats } from '../shared/format.ts'
import type { SharedKey } from '../shared/plainly.ts'
import type { Texts } from '../shared/texts.ts'
import { cardsIn } from './cards.ts'
import type { Chat, Entry, Said } from './chat.ts'
import { takeDrops, takePastes } from './intoThePage.ts'
import { acceptOf } from './takes.ts'
import type { DemoKey } from './texts.ts'

/** Characters; in any script that is less than the 4,096 bytes that the platform takes. */
const longestText = 1365

/** Draws the chat as it stands, whenever it is told to. */
export function showChat(
  place: HTMLElement,
  texts: Texts<DemoKey | SharedKey>,
  policy: Policy | null,
  beginAnew: () => void,
): { draw(chat: Chat): void } {
  const { say, language } = texts
  const format = formats(language)
  const card = cardsIn(texts)
  document.title = say('title')
  place.replaceChildren()
  let chat: Chat | null = null
  let isDropping = false
  let isAtEnd = true
  /** What screen readers were told of each entry. */
  const told = new Map<string, string>()

  const give = (files: Iterable<File>) => {
    for (const file of files) chat?.give(file)
  }
  takePastes(give)
  takeDrops(give, (dropping) => {
    if (dropping === isDropping) return
    isDropping = dropping
    if (chat) draw(chat)
  })

  function draw(now: Chat): void {
    chat = now
    render(page(chat), place)
    stayAtEnd()
    for (const entry of chat.entries) tell(entry)
  }

  /** Who has scrolled back to read is left there. */
  function stayAtEnd(): void {
    const log = place.querySelector('[role=log]')
    if (isAtEnd && log) log.scrollTop = log.scrollHeight
  }
  const scrolled = ({ currentTarget }: Event) => {
    const { scrollHeight, scrollTop, clientHeight } = currentTarget as HTMLElement
    isAtEnd = scrollHeight - scrollTop - clientHeight < 80
  }
  addEventListener('resize', stayAtEnd)

  /** The log tells of what is new in it; what changes in it is told here. */
  function tell(entry: Entry): void {
    if (entry.kind === 'said') return
    const { name, what, isEnd } = card.inWords(entry)
    if (!isEnd || told.get(entry.id) === what) return
    told.set(entry.id, what)
    announce(say('heard', { name, what }))
  }

  const page = (chat: Chat): TemplateResult => html`
    <header>
      <h1>${say('title')}</h1>
      <p class="state ${chat.link}" role="status">${say(chat.link)}</p>
      ${themeSwitch(say('switchTheme'))}
    </header>
    <div class="log" role="log" tabindex="0" aria-label=${say('messages')} aria-relevant="additions" @scroll=${scrolled}>
      ${chat.entries.length === 0 ? html`<p class="intro quiet">${say('intro')}</p>` : nothing}
      <ol>
        ${repeat(
          chat.entries,
          ({ id }) => id,
          (entry) => html`<li class=${sideOf(entry)}>${contentOf(entry, chat)}</li>`,
        )}
      </ol>
    </div>
    ${chat.link === 'over' ? ended() : composer()}
    ${isDropping ? html`<div class="drop" aria-hidden="true"><p>${say('drop')}</p></div>` : nothing}
  `

  const sideOf = (entry: Entry) => (entry.kind !== 'said' || entry.mine ? 'mine' : 'theirs')

  const contentOf = (entry: Entry, chat: Chat) =>
    entry.kind === 'said' ? saidIn(entry, chat) : card.of(entry, { again: (given) => chat.giveAgain(given) })

  const saidIn = (said: Said, chat: Chat): TemplateResult => html`
    <div class="bubble">
      <span class="only-heard">${said.mine ? say('you') : say('us')}: </span>
      ${said.text === '' ? nothing : html`<p class="text">${said.text}</p>`}
      ${said.files.map(
        ({ name, url }) => html`<p class="file">
          ${icon('fa/paperclip-regular')}
          ${
            url === null
              ? html`<bdi>${shownName(name)}</bdi>`
              : html`<a href=${url} target="_blank" rel="noopener noreferrer"><bdi>${shownName(name)}</bdi></a>`
          }
        </p>`,
      )}
    </div>
    ${
      said.state === 'failed'
        ? html`<p class="under bad">
            ${say('notSent')}
            <button class="plain" type="button" @click=${() => chat.sayAgain(said)}>${say('again')}</button>
          </p>`
        : html`<p class="under quiet">${format.when(said.at.toISOString())}</p>`
    }
  `

  const ended = (): TemplateResult => html`
    <div class="composer"><button class="primary" type="button" @click=${beginAnew}>${say('newChat')}</button></div>
  `

  const composer = (): TemplateResult => html`
    <form class="composer" novalidate @submit=${submit}>
      <label class="only-heard" for="text">${say('message')}</label>
      <textarea
        id="text"
        rows="2"
        maxlength=${longestText}
        placeholder=${say('message')}
        enterkeyhint="send"
        @keydown=${pressed}
      ></textarea>
      <div class="actions">
        ${picker('files', say('attach'), 'fa/paperclip-regular', { accept: policy ? acceptOf(policy) : '' })}
        ${picker('camera', say('camera'), 'fa/camera-regular', { accept: 'image/*', capture: true })}
        <button class="primary" type="submit">${say('send')}</button>
      </div>
      ${policy === null ? nothing : html`<p class="limits quiet">${say('limits', limitsOf(policy))}</p>`}
    </form>
  `

  const limitsOf = ({ maxFileBytes, types = [] }: Policy) => ({
    limit: format.size(maxFileBytes),
    types: types.map(({ type, endings }) => (endings[0] ?? type).toUpperCase()).join(', '),
  })

  /** A button, since that is what a keyboard reaches; the input is only how a browser asks for files. */
  function picker(
    name: string,
    label: string,
    iconName: string,
    { accept, capture = false }: { accept: string; capture?: boolean },
  ): TemplateResult {
    const choose = ({ currentTarget }: Event) =>
      ((currentTarget as HTMLElement).nextElementSibling as HTMLInputElement).click()
    const chosen = ({ currentTarget }: Event) => {
      const input = currentTarget as HTMLInputElement
      give([...(input.files ?? [])])
      input.value = ''
    }
    return html`
      <button type="button" class=${name} @click=${choose}>${icon(iconName)}${label}</button>
      <input
        type="file"
        name=${name}
        hidden
        accept=${accept}
        ?multiple=${!capture}
        capture=${capture ? 'environment' : nothing}
        @change=${chosen}
      >
    `
  }

  function submit(event: Event): void {
    event.preventDefault()
    const box = place.querySelector('textarea')!
    const text = box.value.trim()
    if (text === '') return
    box.value = ''
    chat?.say(text)
    box.focus()
  }

  /** Not while a word is still being put together, as in Japanese. */
  function pressed(event: KeyboardEvent): void {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    submit(event)
  }

  return { draw }
}
