/** Says to screen readers what changed, without moving anybody's place. The same text twice is said twice. */
export function announce(text: string): void {
  region ??= newRegion()
  const line = document.createElement('div')
  line.textContent = text
  region.replaceChildren(line)
}

let region: HTMLElement | null = null

function newRegion(): HTMLElement {
  const element = document.createElement('div')
  element.className = 'only-heard'
  element.setAttribute('role', 'status')
  document.body.append(element)
  return element
}
