import { ask, fetchAt } from '../api.ts'
import type { Attachment, FileLink } from '../shapes.ts'

const pathOf = ({ id }: Attachment) => `/v1/attachments/${encodeURIComponent(id)}/links`

/** An address by which anybody has the file, for a while. */
export const takeLink = (attachment: Attachment, of: FileLink['of']) =>
  ask<FileLink>(pathOf(attachment), { method: 'POST', body: { of } })

export const endLink = (attachment: Attachment, { id }: FileLink) =>
  ask<void>(`${pathOf(attachment)}/${encodeURIComponent(id)}`, { method: 'DELETE' })

/**
 * Has the browser save the file. A safe copy, which is small enough for memory, is fetched first: that there is none can then
 * be said. What lies at another host the browser alone may fetch.
 */
export async function download(attachment: Attachment, of: FileLink['of']): Promise<void> {
  const { url } = await takeLink(attachment, of)
  if (of === 'original' || new URL(url).origin !== location.origin) return save(url, '')
  const response = await fetchAt(url)
  const saved = URL.createObjectURL(await response.blob())
  save(saved, nameIn(response.headers.get('content-disposition') ?? ''))
  // The browser has taken it over by then.
  setTimeout(() => URL.revokeObjectURL(saved), 60_000)
}

function save(url: string, name: string): void {
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.rel = 'noopener'
  document.body.append(link)
  link.click()
  link.remove()
}

/** As the service names it (RFC 6266): without what is dangerous in a name. */
function nameIn(disposition: string): string {
  const [, encoded] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? []
  if (encoded) return decodeURIComponent(encoded)
  return /filename="?([^";]+)/i.exec(disposition)?.[1] ?? 'file'
}
