import { addressOf } from './page.ts'

declare const SPARK_VERSION: string

/**
 * Brings Genesys' design system: its components load one by one when they are used. Nothing waits for it, since it is large:
 * call it when the page stands. `tokens`: what the components' own styles are written in.
 */
export async function loadSpark(): Promise<void> {
  const folder = addressOf(`/assets/spark/${SPARK_VERSION}`)
  const link = document.createElement('link')
  link.rel = 'stylesheet'
  link.href = `${folder}/tokens.css`
  document.head.append(link)
  await import(`${folder}/genesys-webcomponents.esm.js`)
}
