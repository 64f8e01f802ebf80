import { ask, Problem } from './api.ts'
import { addressOf, basePath } from './page.ts'
import type { Session, SignInWays } from './shapes.ts'

export const waysToSignIn = () => ask<SignInWays>('/v1/sign-in')

/** Null: nobody is signed in. Asked for where that is no error, which browsers would write down as one. */
export async function currentSession(): Promise<Session | null> {
  const { session, known } = await waysToSignIn()
  if (!known) throw new Problem(503, { title: 'Whether there is a session cannot be known now.' }, null)
  return session
}

export const signInByPassword = (name: string, password: string) =>
  ask<Session>('/v1/session', { method: 'POST', body: { name, password } })

export const signOut = () => ask<void>('/v1/session', { method: 'DELETE' })

/** A sign-in that was begun and comes back with its `state`. */
interface Begun {
  verifier: string
  /** Where to go on: a path of ours. */
  next: string
  /** In which it was begun; the login does not keep it. */
  language: string
}

const keyOf = (state: string) => `clipgate.signIn.${state}`
const triedKey = 'clipgate.signIn.triedInFrame'

/** The login was refused, or what came back was not begun here. */
export class SignInFailed extends Error {
  override name = 'SignInFailed'
  readonly why: 'denied' | 'unknown'

  constructor(why: 'denied' | 'unknown') {
    super(why)
    this.why = why
  }
}

type Genesys = NonNullable<SignInWays['genesys']>

/** Leaves this page for Genesys Cloud's login; it comes back to /sign-in, and from there to `next`. */
export async function leaveToSignIn(genesys: Genesys, next: string): Promise<void> {
  const { state, verifier, url } = await begin(genesys)
  const { lang: language } = document.documentElement
  sessionStorage.setItem(keyOf(state), JSON.stringify({ verifier, next, language } satisfies Begun))
  location.assign(url)
}

/** The same from within a frame, once: where the login page cannot stand in a frame, nobody comes back from there. */
export async function leaveFrameToSignIn(genesys: Genesys, next: string): Promise<void> {
  sessionStorage.setItem(triedKey, String(Date.now()))
  await leaveToSignIn(genesys, next)
}

/** Whether it was tried in this tab and did not lead to a session. */
export const wasTriedInFrame = (): boolean => sessionStorage.getItem(triedKey) !== null

export const forgetTriedInFrame = (): void => sessionStorage.removeItem(triedKey)

/**
 * In a window of its own, whose /sign-in page hands the answer over to us: the session begins here, so that its cookie is
 * the frame's. Null: the window was closed, or could not be opened.
 */
export async function signInByPopup(genesys: Genesys): Promise<Session | null> {
  // At once, while the click still counts as the reason: where it leads is made meanwhile.
  const popup = window.open('about:blank', '', 'popup,width=520,height=680')
  if (!popup) return null
  const { state, verifier, url } = await begin(genesys)
  popup.location.replace(url)
  const answer = await answerFrom(popup, state)
  popup.close()
  return answer && redeem(answer, verifier)
}

/** What /sign-in is given in its address when the login sends somebody back. */
export interface Answer {
  state: string
  code: string | null
  error: string | null
}

export function answerIn(query: URLSearchParams): Answer | null {
  const [state, code, error] = [query.get('state'), query.get('code'), query.get('error')]
  return state !== null && (code !== null || error !== null) ? { state, code, error } : null
}

/** Ends what was begun in this tab, and tells where to go on. Throws `SignInFailed`, `Problem` or `Unreachable`. */
export async function finishSignIn(answer: Answer): Promise<{ session: Session; next: string }> {
  const begun = begunWith(answer.state)
  if (!begun) throw new SignInFailed('unknown')
  sessionStorage.removeItem(keyOf(answer.state))
  const session = await redeem(answer, begun.verifier)
  forgetTriedInFrame()
  return { session, next: ownPath(begun.next) }
}

/** What is known of a sign-in that was begun in this tab, until it is finished. Null: it was not begun here. */
export const begunAs = ({ state }: Answer): Pick<Begun, 'next' | 'language'> | null => begunWith(state)

/** Hands the answer to the frame that opened this window. Only a page of our own origin can hear it. */
export function handOver(answer: Answer): boolean {
  const opener: Window | null = window.opener
  if (!opener) return false
  opener.postMessage({ kind: messageKind, ...answer }, location.origin)
  return true
}

const messageKind = 'clipgate.signIn'

function answerFrom(popup: Window, state: string): Promise<Answer | null> {
  return new Promise((resolve) => {
    const end = (answer: Answer | null) => {
      window.removeEventListener('message', hear)
      clearInterval(timer)
      resolve(answer)
    }
    const hear = ({ origin, source, data }: MessageEvent) => {
      if (origin !== location.origin || source !== popup) return
      if (data?.kind === messageKind && data.state === state) end({ state, code: data.code, error: data.error })
    }
    window.addEventListener('message', hear)
    // Nothing tells of a window that its user closes.
    const timer = setInterval(() => popup.closed && end(null), 500)
  })
}

async function redeem({ code, error }: Answer, codeVerifier: string): Promise<Session> {
  if (code === null || error !== null) throw new SignInFailed('denied')
  return ask<Session>('/v1/session', { method: 'POST', body: { code, codeVerifier } })
}

async function begin({ authorizeUrl, clientId, redirectUri }: Genesys) {
  const [state, verifier] = [randomText(), randomText()]
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  const url = new URL(authorizeUrl)
  for (const [name, value] of Object.entries({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
  }))
    url.searchParams.set(name, value)
  return { state, verifier, url: url.href }
}

/** 43 characters of 256 random bits, as RFC 7636 proposes. */
const randomText = () => base64url(crypto.getRandomValues(new Uint8Array(32)))

const base64url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

function begunWith(state: string): Begun | null {
  const text = sessionStorage.getItem(keyOf(state))
  return text === null ? null : (JSON.parse(text) as Begun)
}

/** One of our own pages, whatever stands in an address: nobody is sent elsewhere from here. */
export function ownPath(path: string | null): string {
  const url = URL.canParse(path ?? '', location.origin) ? new URL(path ?? '', location.origin) : null
  const isOwn =
    url?.origin === location.origin && /^\/(console|widget|demo)(\/|$)/.test(url.pathname.slice(basePath.length))
  return url && isOwn && url.pathname.startsWith(basePath)
    ? url.pathname + url.search
    : new URL(addressOf('/console')).pathname
}
