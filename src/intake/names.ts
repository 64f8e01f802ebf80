/**
 * Endings that some system runs, or a browser renders with scripts, when they stand last. Anywhere inside a name they are
 * there to deceive: `invoice.exe.pdf`, `photo.jpg.html.jpg`. `com` is left out: `amazon.com.pdf` is a natural name, and
 * as the last ending it is refused like every other that is not allowed.
 */
const dangerous = new Set(
  (
    'ade adp app asp aspx bash bat cgi chm class cmd cpl crt csh dll dmg docm dotm elf exe hta htaccess htm html inf ' +
    'iso jar jnlp js jse jsp jspx ksh lnk mht mhtml mjs msc msi msp mst ocx one phar php php3 php4 php5 php7 php8 pht ' +
    'phtml pif pl potm ppam ppsm pptm ps1 psd1 psm1 py pyc rb reg scf scr sct sh shtml svg swf sys url vb vbe vbs ' +
    'wasm ws wsc wsf wsh xbap xht xhtml xlam xll xlsm xltm xsl xslt zsh'
  ).split(' '),
)

/**
 * The endings that some reader of a name may see, without their dots, in lower case: `last` decides what a file claims to
 * be; `inner` are the others. The name is also read as one that was percent-encoded once, as one that ends at a NUL, as
 * Windows reads it (dots and blanks at the end fall away, a colon after an ending opens a stream), so each of these
 * readings counts.
 */
export function endingsIn(filename: string): { last: string[]; inner: string[] } {
  const last = new Set<string>()
  const inner = new Set<string>()
  for (const reading of readingsOf(filename)) {
    const [, ...endings] = reading.split('.')
    last.add(endings.pop() ?? '')
    // `a.asp;.jpg`: some servers take what follows such a character for no part of the name.
    for (const ending of endings) inner.add(ending.split(/[;\p{Cc}\ufffd]/u, 1)[0]!.trim())
  }
  return { last: [...last], inner: [...inner] }
}

export function isDangerous(ending: string): boolean {
  return dangerous.has(ending)
}

function readingsOf(filename: string): Set<string> {
  const readings = new Set<string>()
  for (const name of new Set([filename, percentDecoded(filename)])) {
    const base = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1).toLowerCase()
    readings.add(base)
    if (base.includes('\0')) readings.add(base.slice(0, base.indexOf('\0')))
    const stream = base.indexOf(':')
    // `Scan 12:30.pdf` is a natural name, `a.php:x.jpg` is not.
    if (stream >= 0 && base.slice(0, stream).includes('.')) readings.add(base.slice(0, stream))
    readings.add(withoutTail(base))
  }
  return readings
}

/** As the most lenient reader does: what is no percent-encoding stays, what is no UTF-8 becomes a replacement character. */
function percentDecoded(name: string): string {
  return name.replace(/(?:%[0-9a-f]{2})+/gi, (encoded) => Buffer.from(encoded.replaceAll('%', ''), 'hex').toString())
}

/** Without the dots and blanks at its end. A regular expression would try every run of them: slow on a name of dots. */
function withoutTail(name: string): string {
  let end = name.length
  while (end > 0 && /[.\s]/u.test(name[end - 1]!)) end--
  return name.slice(0, end)
}
