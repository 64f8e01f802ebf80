import mime from 'mime'

/** Other names that senders use for a type, from browsers and mailers of the last decades. */
const aliases = new Map([
  ['image/jpg', 'image/jpeg'],
  ['image/pjpeg', 'image/jpeg'],
  ['image/x-png', 'image/png'],
  ['image/apng', 'image/png'],
  ['application/x-pdf', 'application/pdf'],
  ['application/x-zip-compressed', 'application/zip'],
  ['application/x-zip', 'application/zip'],
  ['text/rtf', 'application/rtf'],
  ['application/csv', 'text/csv'],
  ['image/x-ms-bmp', 'image/bmp'],
  ['image/x-bmp', 'image/bmp'],
  ['audio/mp3', 'audio/mpeg'],
  ['audio/x-mp3', 'audio/mpeg'],
  ['audio/x-mpeg', 'audio/mpeg'],
  ['audio/x-wav', 'audio/wav'],
  ['audio/wave', 'audio/wav'],
  ['audio/vnd.wave', 'audio/wav'],
  ['audio/m4a', 'audio/mp4'],
  ['audio/x-m4a', 'audio/mp4'],
  ['video/x-m4v', 'video/mp4'],
  ['application/ogg', 'audio/ogg'],
  ['text/x-csv', 'text/csv'],
  ['text/comma-separated-values', 'text/csv'],
  ['application/x-gzip', 'application/gzip'],
  ['application/x-gtar', 'application/x-tar'],
])

/** Endings in use that the registry does not list under the type. */
const furtherEndings = new Map([
  ['image/jpeg', ['jfif', 'pjpeg', 'pjp']],
  ['image/png', ['apng']],
  ['image/heic', ['heic', 'hif']],
  ['image/heif', ['heif', 'heic', 'hif']],
  ['audio/ogg', ['opus']],
  ['audio/mp4', ['m4a', 'mp4', 'm4b']],
  ['audio/wav', ['wav', 'wave']],
  ['application/gzip', ['tgz']],
])

/** One type, whatever its parameters: no list, of which a reader may take another part than we do. */
export function isOneType(text: string): boolean {
  return /^[\w.+-]+\/[\w.+-]+(\s*;\s*[\w-]+=("[\w .+-]*"|[\w.+-]+))*\s*$/.test(text)
}

/** The one name that we use for a type: without parameters, in lower case, aliases resolved. */
export function canonicalType(text: string): string {
  const bare = text.split(';', 1)[0]!.trim().toLowerCase()
  return aliases.get(bare) ?? bare
}

/**
 * Whether bytes that begin as `found` may be what they are declared as. Of documents that are an archive, or text, the first bytes
 * tell the family only: which of them it is, is found when they are read to their end.
 */
export function couldBe(found: string | null, declared: string): boolean {
  if (found === null) return false
  // A document of the newer kind that is encrypted is packed in a file of the older.
  if (found === 'application/x-cfb' && declared.includes('openxmlformats')) return true
  return found === declared || (familyOf(found) !== null && familyOf(found) === familyOf(declared))
}

function familyOf(type: string): string | null {
  if (type === 'application/zip' || /\.(openxmlformats|oasis\.opendocument)/.test(type)) return 'zip'
  if (/^application\/(x-cfb|msword|vnd\.ms-(excel|powerpoint))$/.test(type)) return 'cfb'
  if (/^(image\/(heic|heif|avif)(-sequence)?|(video|audio)\/(mp4|3gpp2?)|video\/quicktime)$/.test(type))
    return 'isobmff'
  if (/^(audio|video)\/ogg$/.test(type)) return 'ogg'
  return /^text\/(plain|csv)$/.test(type) ? 'text' : null
}

/** The endings, without the dot, that a file of this type may have. */
export function endingsOf(type: string): Set<string> {
  return new Set([...(mime.getAllExtensions(type) ?? []), ...(furtherEndings.get(type) ?? [])])
}

/** A copy of another type than its original gets an ending that fits. */
export function namedAs(name: string, type: string): string {
  const endings = [...endingsOf(type)]
  const has = endings.some((ending) => name.toLowerCase().endsWith(`.${ending}`))
  return has || endings.length === 0 ? name : `${name}.${endings[0]}`
}

/** The type that a name's ending says, for a part that declares none. */
export function typeOfName(filename: string): string {
  return canonicalType(mime.getType(filename) ?? 'application/octet-stream')
}
