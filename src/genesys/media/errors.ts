/** A rule of ours forbids to ask there: another host, no https, an address inside. Nothing was sent. */
export class MediaForbidden extends Error {}

/** The address leads to nothing, or to nothing any more: it may have expired, and a fresh one may lead to the file. */
export class MediaGone extends Error {
  readonly status: number
  constructor(status: number, host: string) {
    super(`${host} answers ${status}`)
    this.status = status
  }
}

/** What came is not what the message says that was sent. */
export class MediaDiffers extends Error {}
