/** A form with one file, and how many bytes stand before the file's own. */
export interface Form {
  body: Blob
  contentType: string
  headBytes: number
}

/**
 * By hand: a `FormData` declares application/octet-stream for a file whose type the browser does not know, and the service
 * guesses a type only where none is declared. The file is not read here; a Blob only names it.
 */
export function formOf(file: Blob, name: string): Form {
  const boundary = `clipgate-${randomHex()}`
  const type = file.type === '' ? '' : `Content-Type: ${file.type}\r\n`
  const head = new Blob([
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${escaped(name)}"\r\n${type}\r\n`,
  ])
  return {
    body: new Blob([head, file, `\r\n--${boundary}--\r\n`]),
    contentType: `multipart/form-data; boundary=${boundary}`,
    headBytes: head.size,
  }
}

/** As browsers write names into forms (HTML, multipart form data). */
function escaped(name: string): string {
  return name.replace(/[\r\n"]/g, (character) => ({ '\r': '%0D', '\n': '%0A', '"': '%22' })[character]!)
}

/** 128 random bits. Not `crypto.randomUUID`, which pages on plain http do not have. */
export function randomHex(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
