import { addressOf } from '../shared/page.ts'

/** Where somebody is within the console: `/files/att_…`, and what the address asks there. */
export interface Address {
  path: string
  query: URLSearchParams
}

const root = new URL(addressOf('/console')).pathname

export const currentAddress = (): Address => ({
  path: location.pathname.slice(root.length).replace(/\/+$/, '') || '/',
  query: new URLSearchParams(location.search),
})

/** A link to a part of the console. What is empty is left out; the language that was asked for stays. */
export function hrefOf(path: string, query: Record<string, string | null> = {}): string {
  const asked = new URLSearchParams()
  for (const [name, value] of Object.entries({ language: currentAddress().query.get('language'), ...query }))
    if (value !== null && value !== '') asked.set(name, value)
  return `${root}${path === '/' ? '' : path}${asked.size > 0 ? `?${asked}` : ''}`
}

/** Links of the console lead on without loading the page anew; `changed` is told of each way that somebody goes. */
export function followLinks(changed: () => void): (href: string) => void {
  const go = (href: string) => {
    history.pushState(null, '', href)
    changed()
  }
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const link = (event.target as Element | null)?.closest?.('a')
    const leads = link?.origin === location.origin && (link.pathname === root || link.pathname.startsWith(`${root}/`))
    if (!link || !leads || link.target !== '' || link.hasAttribute('download') || link.hash !== '') return
    event.preventDefault()
    go(link.href)
  })
  window.addEventListener('popstate', changed)
  return go
}
