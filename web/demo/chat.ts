import { type Policy, refusedBy } from '../client/policy.ts'
import { type Frame, type Message, readMessage } from './frames.ts'
import { fetchHistory } from './history.ts'
import { type Link, openSession } from './session.ts'
import { beginUpload, type Upload } from './upload.ts'

/** Something that was said, by either side. `sending`: its echo has not come yet. */
export interface Said {
  kind: 'said'
  id: string
  mine: boolean
  text: string
  at: Date
  state: 'sending' | 'sent' | 'failed'
  files: Message['files']
  /** Whether a connection took it. */
  wasSent: boolean
}

/** A file of the customer's. */
export interface Given {
  kind: 'given'
  id: string
  at: Date
  upload: Upload
}

/** A file that the policy forbids: nothing of it was sent. */
export interface Declined {
  kind: 'declined'
  id: string
  at: Date
  name: string
  size: number
  sentence: string
}

export type Entry = Said | Given | Declined

export interface Chat {
  readonly link: Link
  /** Oldest first. */
  readonly entries: readonly Entry[]
  say(text: string): void
  /** Sends again what did not arrive. */
  sayAgain(said: Said): void
  give(file: File): void
  giveAgain(given: Given): void
}

export interface ChatOptions {
  /** Under which the Guest API lies. */
  base: string
  deploymentId: string
  token: string
  language: string
  /** Null: it could not be had, and whatever is given is sent. */
  policy: Policy | null
  changed(): void
}

/** A customer's chat: what was said and given, on a session that comes back when it is lost. */
export function createChat({ base, deploymentId, token, language, policy, changed }: ChatOptions): Chat {
  let entries: Entry[] = []
  let link: Link = 'connecting'
  /** Of the question for the history. */
  let asked = ''
  /** What was open when the session came back: of what is begun later the history says nothing. */
  let open: { said: Set<Said>; uploads: { upload: Upload; was: Upload['state'] }[] } = { said: new Set(), uploads: [] }
  /** What was said by the tracing id of its frame, until its echo comes. */
  const waiting = new Map<string, Said>()
  const said = new Set<string>()

  const session = openSession({
    address: new URL('v1', base).href.replace(/^http/, 'ws'),
    deploymentId,
    token,
    onFrame,
    onLink(state) {
      link = state
      if (state === 'ready') {
        asked = crypto.randomUUID()
        const began = uploads().map(({ upload }) => ({ upload, was: upload.state }))
        open = { said: new Set(waiting.values()), uploads: began }
        session.send({ action: 'getJwt', tracingId: asked })
      }
      changed()
    },
  })

  const send: typeof session.send = (frame) => link === 'ready' && session.send(frame)

  const uploads = () => entries.flatMap((entry) => (entry.kind === 'given' ? [entry] : []))

  function add(entry: Entry): void {
    entries = [...entries, entry]
    changed()
  }

  function onFrame(frame: Frame): void {
    if (frame.tracingId === asked) return void catchUp(frame)
    if (uploads().some(({ upload }) => upload.hear(frame))) return
    const mine = frame.tracingId === null ? undefined : waiting.get(frame.tracingId)
    if (frame.class === 'StructuredMessage') {
      const message = readMessage(frame.body)
      if (message) hear(message, mine)
    } else if (mine && isRefusal(frame)) settle(mine, 'failed')
  }

  function hear(message: Message, mine: Said | undefined = undefined): void {
    if (said.has(message.id)) return
    said.add(message.id)
    const given = uploads().find(({ upload }) => upload.isIn(message))
    if (given && message.text === '') return
    if (mine) {
      mine.at = message.at
      settle(mine, 'sent')
    } else add({ kind: 'said', state: 'sent', wasSent: true, ...message })
  }

  function settle(mine: Said, state: 'sent' | 'failed'): void {
    for (const [tracingId, one] of waiting) if (one === mine) waiting.delete(tracingId)
    mine.state = state
    changed()
  }

  /** What was missed while nobody listened. Where it cannot be had, the chat goes on without. */
  async function catchUp({ body }: Frame): Promise<void> {
    const { said: pending, uploads: began } = open
    const missed = typeof body.jwt === 'string' ? await fetchHistory(base, body.jwt).catch(() => []) : []
    const isFirst = entries.length === 0
    for (const message of missed) {
      const mine =
        message.mine && !said.has(message.id) ? [...pending].find(({ text }) => text === message.text) : undefined
      if (mine) pending.delete(mine)
      hear(message, mine)
    }
    if (!isFirst) entries = [...entries].sort((a, b) => a.at.getTime() - b.at.getTime())
    // What the history does not have did not arrive. That which was never sent goes now.
    for (const mine of pending) {
      if (mine.state !== 'sending') continue
      settle(mine, 'failed')
      if (!mine.wasSent) put(mine)
    }
    for (const { upload, was } of began) if (upload.state === was) upload.cameBack()
    changed()
  }

  function put(mine: Said): void {
    const tracingId = crypto.randomUUID()
    mine.state = 'sending'
    waiting.set(tracingId, mine)
    mine.wasSent = send({ action: 'onMessage', tracingId, message: { type: 'Text', text: mine.text } })
  }

  function give(file: File): void {
    const refusal = policy && refusedBy(policy, file, language)
    const about = { id: crypto.randomUUID(), at: new Date() }
    if (refusal) {
      add({ ...about, kind: 'declined', name: file.name, size: file.size, sentence: refusal.sentence })
      return
    }
    const upload = beginUpload({ file, type: typeOf(file, policy), send, changed })
    add({ ...about, kind: 'given', upload })
  }

  return {
    get link() {
      return link
    },
    get entries() {
      return entries
    },
    say(text) {
      const mine: Said = {
        kind: 'said',
        id: crypto.randomUUID(),
        mine: true,
        text,
        at: new Date(),
        state: 'sending',
        files: [],
        wasSent: false,
      }
      add(mine)
      put(mine)
    },
    sayAgain(mine) {
      put(mine)
      changed()
    },
    give,
    giveAgain(given) {
      entries = entries.filter((entry) => entry !== given)
      give(given.upload.file)
    },
  }
}

function isRefusal({ class: kind, code }: Frame): boolean {
  const refusals = ['string', 'Error', 'ErrorMessage', 'TooManyRequestsErrorMessage']
  return refusals.includes(kind) && code !== 200
}

/** What the browser says, else what the name says, as the policy has it: a file must be announced as something. */
function typeOf({ type, name }: File, policy: Policy | null): string {
  if (type !== '') return type
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  return policy?.types?.find(({ endings }) => endings.includes(ending))?.type ?? 'application/octet-stream'
}
