/** What the server wrote into the page. */
const { base = '', language = 'en' } = document.documentElement.dataset

/** The path below which everything of ours lies: empty, or where a proxy puts us. */
export const basePath = base

/** The installation's language. */
export const installationLanguage = language

/** A path of ours as an address: `/v1/session`. */
export const addressOf = (path: string): string => new URL(`${base}${path}`, location.origin).href

/** Whether somebody else's page shows this one in a frame. */
export const isFramed = window.parent !== window
