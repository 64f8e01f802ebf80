export type Theme = 'light' | 'dark'

const key = 'clipgate.theme'
const dark = matchMedia('(prefers-color-scheme: dark)')

/** As chosen here before, else as the system has it. Spark's components and our own styles follow `flare-mode`. */
export const currentTheme = (): Theme => chosen() ?? (dark.matches ? 'dark' : 'light')

export function chooseTheme(theme: Theme): void {
  try {
    localStorage.setItem(key, theme)
  } catch {
    // A frame without storage of its own: it holds until the page is closed.
  }
  show(theme)
}

function chosen(): Theme | null {
  try {
    const text = localStorage.getItem(key)
    return text === 'light' || text === 'dark' ? text : null
  } catch {
    return null
  }
}

const show = (theme: Theme) => document.documentElement.setAttribute('flare-mode', theme)

/** To be called once, before anything is drawn. */
export function followTheme(): void {
  show(currentTheme())
  dark.addEventListener('change', () => show(currentTheme()))
  window.addEventListener('storage', (event) => event.key === key && show(currentTheme()))
}
