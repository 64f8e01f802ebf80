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
 * Windows reads it (dots and blanks at the end fall away, a colon opens a stream), so each of these readings counts.
 */
export function endingsIn(filename: string): { last: string[]; inner: string[] } {
  const last = new Set<string>()
  const inner = new Set<string>()
  for (const reading of readingsOf(filename)) {
    const [, ...endings] = reading.split('.')
    last.add(endings.pop() ?? '')
    for (const ending of endings) inner.add(ending.trim())
  }
  return { last: [...last], inner: [...inner] }
}

export function isDangerous(ending: string): boolean {
  return dangerous.has(ending)
}

function readingsOf(filename: string): Set<string> {
  const names = [filename]
  try {
    names.push(decodeURIComponent(filename))
  } catch {
    // Not percent-encoded: a lone % is an ordinary character.
  }
  const readings = new Set<string>()
  for (const name of names) {
    const base = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1).toLowerCase()
    readings.add(base)
    for (const cut of ['\0', ':']) if (base.includes(cut)) readings.add(base.slice(0, base.indexOf(cut)))
    readings.add(base.replace(/[.\s]+$/u, ''))
  }
  return readings
}
