import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit'
import { Problem } from '../api.ts'
import { icon } from '../elements/icon.ts'
import { announce } from '../elements/live.ts'
import { notice } from '../elements/notice.ts'
import { addressOf, isFramed } from '../page.ts'
import { plainly } from '../plainly.ts'
import type { Attachment, FileLink, Session } from '../shapes.ts'
import { download, endLink, takeLink } from './links.ts'
import './preview.ts'
import { type Kind, kindOf, nameOf, sentenceFor, stateOf, toneOf, verdictsOf, type Words, whyOf } from './words.ts'

/** What all files of the widget share. */
export interface Desk extends Words {
  session: Session
  /** Null: there is no message box to put a text into. */
  propose: ((text: string) => void) | null
}

const icons: Record<Kind, string> = {
  pdf: 'fa/file-pdf-regular',
  image: 'fa/image-regular',
  text: 'fa/file-lines-regular',
  other: 'fa/file-regular',
}

/** What came of the last thing that was done with the file. */
type Said = { kind: 'info' | 'error'; text: string; link?: FileLink } | null

/** One file: what it is, how it stands, and what can be done with it. */
class ConversationFile extends LitElement {
  static override properties = {
    attachment: { attribute: false },
    desk: { attribute: false },
    isOpen: { state: true },
    hasThumbnail: { state: true },
    said: { state: true },
    busy: { state: true },
  }
  declare attachment: Attachment
  declare desk: Desk
  declare isOpen: boolean
  declare hasThumbnail: boolean
  declare said: Said
  declare busy: boolean

  constructor() {
    super()
    this.isOpen = false
    this.hasThumbnail = true
    this.said = null
    this.busy = false
  }

  override createRenderRoot() {
    return this
  }

  /** A file that is called back while somebody looks at it is not looked at any more. */
  override willUpdate(changed: PropertyValues<this>) {
    if (changed.has('attachment') && !mayPreview(this.attachment, this.desk.session)) this.isOpen = false
  }

  override render() {
    const { attachment, desk } = this
    const why = whyOf(attachment, desk)
    return html`
      <div class="head">
        ${this.#thumbnail()}
        <div class="about">
          <h2><bdi>${nameOf(attachment, desk)}</bdi></h2>
          <p class="quiet">${this.#kindAndSize()}</p>
          <p>
            <span class="badge ${toneOf(attachment)}">${stateOf(attachment, desk)}</span>
            ${why === null ? nothing : html`<span>${why}</span>`}
          </p>
        </div>
      </div>
      <ul class="facts quiet">
        <li>${desk.texts.say('received', { when: desk.formats.when(attachment.receivedAt) })}</li>
        ${attachment.sentBy ? html`<li>${desk.texts.say(`sentBy_${attachment.sentBy}`)}</li>` : nothing}
        ${verdictsOf(attachment, desk).map((verdict) => html`<li>${verdict}</li>`)}
      </ul>
      ${attachment.agentMayHaveSeen ? notice('warning', desk.texts.say('mayHaveSeen')) : nothing}
      ${this.#actions()}
      ${this.said ? this.#saidNotice(this.said) : nothing}
      ${
        this.isOpen
          ? html`<file-preview id=${this.#previewId} .attachment=${attachment} .words=${desk}></file-preview>`
          : nothing
      }
    `
  }

  get #previewId(): string {
    return `preview-${this.attachment.id}`
  }

  #thumbnail(): TemplateResult {
    const { id, state } = this.attachment
    const kind = kindOf(this.attachment)
    const isPicture = state === 'accepted' && (kind === 'image' || kind === 'pdf') && this.hasThumbnail
    const source = addressOf(`/v1/attachments/${id}/preview?pixels=160`)
    return html`<div class="thumbnail">
      ${
        isPicture
          ? html`<img src=${source} alt="" loading="lazy" @error=${() => (this.hasThumbnail = false)}>`
          : icon(icons[kind])
      }
    </div>`
  }

  #kindAndSize(): string {
    const { texts, formats } = this.desk
    const { size, type } = this.attachment
    const kind = texts.say('type', { kind: kindOf(this.attachment) })
    const named = kindOf(this.attachment) === 'other' && type ? type : kind
    return [named, ...(size === null ? [] : [formats.size(size)])].join(' · ')
  }

  #actions(): TemplateResult | typeof nothing {
    const { attachment, desk } = this
    const { texts, session, propose } = desk
    const isHere = attachment.state === 'accepted'
    const sentence = propose && sentenceFor(attachment, desk)
    const hasPreview = mayPreview(attachment, session)
    if (!hasPreview && !sentence) return nothing
    const name = nameOf(attachment, desk)
    const action = (label: string, run: () => void, more: { expanded?: boolean } = {}) => html`
      <button
        type="button"
        aria-label="${label}: ${name}"
        aria-expanded=${more.expanded ?? nothing}
        aria-controls=${more.expanded ? this.#previewId : nothing}
        aria-disabled=${this.busy ? 'true' : nothing}
        @click=${run}
      >${label}</button>`
    return html`<div class="actions">
      ${
        hasPreview
          ? action(
              texts.say(this.isOpen ? 'closePreview' : 'preview'),
              () => {
                this.isOpen = !this.isOpen
              },
              { expanded: this.isOpen },
            )
          : nothing
      }
      ${
        isHere
          ? html`
              ${action(texts.say('download'), () => this.#download('safe_copy'))}
              ${session.mayOriginals ? action(texts.say('downloadOriginal'), () => this.#download('original')) : nothing}
              ${action(texts.say('copyLink'), () => this.#copyLink())}
            `
          : nothing
      }
      ${
        propose && sentence
          ? action(texts.say('tell'), () => {
              propose(sentence)
              this.#say({ kind: 'info', text: texts.say('told') })
            })
          : nothing
      }
    </div>`
  }

  #saidNotice({ kind, text, link }: NonNullable<Said>): TemplateResult {
    const { texts } = this.desk
    const select = (event: Event) => (event.target as HTMLInputElement).select()
    return notice(
      kind,
      html`<p>${text}</p>
        ${
          link
            ? html`<div class="link">
                <input readonly aria-label=${texts.say('link')} .value=${link.url} @focus=${select}>
                <button type="button" @click=${() => this.#end(link)}>${texts.say('revoke')}</button>
              </div>`
            : nothing
        }`,
    )
  }

  /** Does one thing at a time, and says what came of it. */
  async #doing(work: () => Promise<Said>): Promise<void> {
    if (this.busy) return
    this.busy = true
    const said = await work().catch((error: unknown): Said => ({ kind: 'error', text: this.#wordsFor(error) }))
    this.busy = false
    this.#say(said)
  }

  #say(said: Said): void {
    this.said = said
    // What failed is an alert, which is heard by itself.
    if (said && said.kind === 'info') announce(said.text)
  }

  #download(of: FileLink['of']): Promise<void> {
    const { texts } = this.desk
    return this.#doing(async () => {
      await download(this.attachment, of)
      // Nothing tells a page that a sandbox has kept a download from beginning.
      return { kind: 'info', text: texts.say(isFramed ? 'downloadHint' : 'downloading') }
    })
  }

  #copyLink(): Promise<void> {
    const { texts, formats } = this.desk
    return this.#doing(async () => {
      const link = await takeLink(this.attachment, 'safe_copy')
      const isCopied = await navigator.clipboard.writeText(link.url).then(
        () => true,
        () => false,
      )
      const text = texts.say(isCopied ? 'linkCopied' : 'linkByHand', { when: formats.when(link.expiresAt) })
      return { kind: 'info', text, link }
    })
  }

  #end(link: FileLink): Promise<void> {
    return this.#doing(async () => {
      await endLink(this.attachment, link)
      return { kind: 'info', text: this.desk.texts.say('revoked') }
    })
  }

  #wordsFor(error: unknown): string {
    const { texts } = this.desk
    if (error instanceof Problem && error.status === 409) return texts.say('noCopy')
    if (error instanceof Problem && (error.status === 404 || error.status === 410)) return texts.say('gone')
    return plainly(error, texts)
  }
}

/** What is held is drawn for who decides about it. Whether it can be drawn, the service says. */
function mayPreview({ state }: Attachment, { role }: Session): boolean {
  return state === 'accepted' || (role === 'admin' && (state === 'quarantined' || state === 'recalled'))
}

customElements.define('conversation-file', ConversationFile)
