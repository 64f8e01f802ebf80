import { html, LitElement, nothing, type TemplateResult } from 'lit'
import { fetchFrom, Problem } from '../api.ts'
import { notice } from '../elements/notice.ts'
import { plainly } from '../plainly.ts'
import type { Attachment } from '../shapes.ts'
import { nameOf, type Words } from './words.ts'

type Shown = { picture: string } | { text: string } | { trouble: string } | null

const pixels = 1280

/** One page of a file as a picture that the service made, or the beginning of a text: nothing of the file itself runs here. */
class FilePreview extends LitElement {
  static override properties = {
    attachment: { attribute: false },
    words: { attribute: false },
    shown: { state: true },
  }
  declare attachment: Attachment
  declare words: Words
  declare shown: Shown

  #page = 1
  #pages = 1
  #asked = new AbortController()

  /** So that the styles of the page are its styles. */
  override createRenderRoot() {
    return this
  }

  override connectedCallback() {
    super.connectedCallback()
    void this.#load()
  }

  override disconnectedCallback() {
    super.disconnectedCallback()
    this.#asked.abort()
    this.#forget()
  }

  async #load(): Promise<void> {
    this.#asked.abort()
    this.#asked = new AbortController()
    const { signal } = this.#asked
    const query = new URLSearchParams({ page: String(this.#page), pixels: String(pixels) })
    let shown: Shown
    try {
      const response = await fetchFrom(`/v1/attachments/${this.attachment.id}/preview?${query}`, { signal })
      this.#pages = Number(response.headers.get('x-pages') ?? 1)
      const isText = response.headers.get('content-type')?.startsWith('text/')
      shown = isText ? { text: await response.text() } : { picture: URL.createObjectURL(await response.blob()) }
    } catch (error) {
      if (signal.aborted) return
      shown = { trouble: this.#wordsFor(error) }
    }
    if (signal.aborted) return
    this.#forget()
    this.shown = shown
  }

  #wordsFor(error: unknown): string {
    const { texts } = this.words
    if (error instanceof Problem && error.status === 409) return texts.say('noPreview')
    if (error instanceof Problem && (error.status === 410 || error.status === 404)) return texts.say('gone')
    return plainly(error, texts)
  }

  #forget(): void {
    if (this.shown && 'picture' in this.shown) URL.revokeObjectURL(this.shown.picture)
  }

  #turn(by: number): void {
    const page = this.#page + by
    if (page < 1 || page > this.#pages) return
    this.#page = page
    this.requestUpdate()
    void this.#load()
  }

  override render() {
    const { texts } = this.words
    if (!this.shown) return html`<p class="quiet" role="status">${texts.say('loading')}</p>`
    return html`${this.#content(this.shown)}${this.#pages > 1 ? this.#pager() : nothing}`
  }

  #content(shown: NonNullable<Shown>): TemplateResult {
    const label = this.words.texts.say('previewOf', { name: nameOf(this.attachment, this.words) })
    if ('trouble' in shown) return notice('warning', shown.trouble)
    // A text that is longer than its place is scrolled in, with the keyboard too.
    if ('text' in shown)
      return html`<div class="text" dir="auto" tabindex="0" role="region" aria-label=${label}>${shown.text}</div>`
    return html`<img class="picture" src=${shown.picture} alt=${label}>`
  }

  #pager(): TemplateResult {
    const { texts } = this.words
    const turner = (by: number, label: string, sign: string, isOver: boolean) => html`
      <button type="button" class="square" aria-label=${label} aria-disabled=${isOver} @click=${() => this.#turn(by)}>
        ${sign}
      </button>`
    return html`<div class="pager">
      ${turner(-1, texts.say('previous'), '‹', this.#page === 1)}
      <span role="status">${texts.say('page', { page: this.#page, pages: this.#pages })}</span>
      ${turner(1, texts.say('next'), '›', this.#page === this.#pages)}
    </div>`
  }
}

customElements.define('file-preview', FilePreview)
