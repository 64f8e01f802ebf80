// What the tests of the client do in the page.
import * as clipgate from '/clipgate/index.js'

const fileOf = ({ name, type, base64 }) =>
  new File([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))], name, { type })

const askForTicket = async () => {
  window.ticketsAsked++
  return (await (await fetch('/ticket', { method: 'POST' })).json()).ticket
}

Object.assign(window, {
  clipgate,
  fileOf,
  progress: [],
  ticketsAsked: 0,
  canceller: new AbortController(),
  /** Begins to send; `result` is how it ends. */
  begin(file, options) {
    window.progress = []
    window.settled = false
    window.result = clipgate
      .attach(file, {
        ticket: askForTicket,
        signal: window.canceller.signal,
        onProgress: (step) => window.progress.push(step),
        ...options,
      })
      .then(
        (outcome) => ({ outcome }),
        (error) => ({ error: { ...error, type: error?.name, message: error?.message } }),
      )
      .finally(() => {
        window.settled = true
      })
  },
})
