import { fileURLToPath } from 'node:url'
import { type Clock, systemClock } from '../clock.ts'
import { SenderGone, Unavailable } from '../errors.ts'
import { type Caps, type Contained, runContained } from './contained.ts'
import { type Copy, type CopyWanted, copiedTypes, mostBytes, NoCopy } from './copy.ts'
import { buildJail, type Jail } from './jail.ts'

export interface CopyMaker {
  /**
   * Makes one copy in a process of its own, which ends with it. Throws `NoCopy` with the reason when none can be made,
   * `Unavailable` when too many wait, `SenderGone` when nobody waits for it any more, and what reading the bytes throws. `asker`: null
   * when it is not for a person.
   */
  make(wanted: CopyWanted, bytes: AsyncIterable<Uint8Array>, asker?: CopyAsker | null): Promise<Copy>
  /** What the system lets us take away from that process. */
  jail(): Promise<Jail>
  close(): Promise<void>
}

/** For whom a copy is made. */
export interface CopyAsker {
  /** Null: not counted by person. */
  who: string | null
  isGone(): boolean
}

export interface CopyMakerOptions {
  /** Folders that the process must not see. */
  hidden?: string[]
  /** Processes at once. */
  atOnce?: number
  /** Of one process. The clock is the machine's own: processes take real time. */
  caps?: Partial<Caps>
  clock?: Clock
  /** For tests: another program in its place. */
  script?: string
}

const defaultCaps: Caps = { ms: 30_000, memory: 768 * 1024 * 1024 }
/** How many may wait for a process. */
const mostWaiting = 200
/** Of these, for one person: nobody takes the places of all, files that are judged among them. */
const mostWaitingOfOne = 50

/** Everything that decodes for showing runs in processes of their own: no keys, no network, nothing to write to. */
export function createCopyMaker(options: CopyMakerOptions = {}): CopyMaker {
  const { hidden = [], atOnce = 2, clock = systemClock } = options
  const caps = { ...defaultCaps, ...options.caps }
  const script = options.script ?? fileURLToPath(import.meta.resolve('#processes/copy'))
  const running = new Set<Contained>()
  const waiting: { who: string | null; go: () => void }[] = []
  let busy = 0
  let closed = false
  let jail: Promise<Jail> | null = null
  const jailed = () => {
    jail ??= buildJail({ script, hidden })
    return jail
  }

  async function turn(who: string | null): Promise<void> {
    if (busy < atOnce) {
      busy += 1
      return
    }
    const ofOne = who === null ? 0 : waiting.filter((one) => one.who === who).length
    if (waiting.length >= mostWaiting || ofOne >= mostWaitingOfOne)
      throw new Unavailable('too many copies are asked for', { retryAfterSeconds: 5 })
    // Whoever ends hands its turn over.
    await new Promise<void>((go) => waiting.push({ who, go }))
    if (closed) throw stopping()
  }
  function done(): void {
    const next = waiting.shift()
    if (next) next.go()
    else busy -= 1
  }

  async function contained(line: readonly string[], input: AsyncIterable<Uint8Array>): Promise<Buffer> {
    if (closed) throw stopping()
    const one = runContained(line, input, caps, clock)
    running.add(one)
    try {
      return await one.output
    } catch (error) {
      throw closed ? stopping() : error
    } finally {
      running.delete(one)
    }
  }

  async function run(wanted: CopyWanted, bytes: AsyncIterable<Uint8Array>): Promise<Copy> {
    const { copy, heif } = await jailed()
    if (!isHeic(wanted.type)) return readAnswer(await contained(copy, wished(wanted, bytes)))
    if (!heif)
      throw new NoCopy('HEIC is opened by heif-convert only, which is not installed here, or may not be fenced in')
    const jpeg = await contained(heif, bytes)
    if (jpeg.length === 0) throw new NoCopy('it cannot be opened: heif-convert failed')
    const asJpeg = { ...wanted, type: 'image/jpeg', size: jpeg.length }
    return readAnswer(await contained(copy, wished(asJpeg, once(jpeg))))
  }

  return {
    async make(wanted, bytes, asker = null) {
      if (closed) throw stopping()
      if (!copiedTypes.includes(wanted.type)) throw new NoCopy(`no copy can be made of ${wanted.type}`)
      if (wanted.size > mostBytes) throw new NoCopy(`it is larger than ${mostBytes / 1024 / 1024} MB`)
      await turn(asker?.who ?? null)
      try {
        if (asker?.isGone()) throw new SenderGone('who asked for the copy has gone')
        return await run(wanted, bytes)
      } finally {
        done()
      }
    },
    jail: jailed,
    async close() {
      closed = true
      for (const { go } of waiting.splice(0)) go()
      for (const one of running) one.kill('the service is stopping')
    },
  }
}

const stopping = () => new Unavailable('the service is stopping')

const isHeic = (type: string) => type === 'image/heic' || type === 'image/heif'

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

/** The wish as a line, then the bytes. */
async function* wished(wanted: CopyWanted, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${JSON.stringify(wanted)}\n`)
  yield* bytes
}

/** What comes from a process that opened a hostile file is believed no further than it must be. */
function readAnswer(answer: Buffer): Copy {
  const line = answer.indexOf(0x0a)
  if (line < 0) throw new NoCopy('it could not be opened: the process that tried ended')
  let head: { type?: unknown; pages?: unknown; size?: unknown; reason?: unknown }
  try {
    head = JSON.parse(answer.toString('utf8', 0, line))
  } catch {
    throw new NoCopy('it could not be opened: the answer makes no sense')
  }
  if (typeof head.reason === 'string') throw new NoCopy(head.reason.slice(0, 500))
  const { type, pages, size } = head
  const bytes = answer.subarray(line + 1)
  const known = typeof type === 'string' && copiedTypes.includes(type)
  if (!known || typeof pages !== 'number' || !Number.isSafeInteger(pages) || pages < 1 || size !== bytes.length)
    throw new NoCopy('it could not be opened: the answer makes no sense')
  return { type, pages, bytes }
}
