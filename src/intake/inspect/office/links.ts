/** Whether a link does nothing but show a page, write a mail or dial when it is clicked on. */
export function isPlainLink(target: string): boolean {
  // Blanks and controls in it are passed over by some programs.
  const link = target.replace(/[\0-\x20]/g, '')
  const [, scheme] = /^([a-z][a-z0-9+.-]*):/i.exec(link) ?? []
  if (scheme !== undefined) return ['http', 'https', 'mailto', 'tel', 'sms', 'ftp'].includes(scheme.toLowerCase())
  return !/^(\\\\|\/\/)/.test(link)
}
