import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Clock, systemClock } from '../clock.ts'
import { Unavailable } from '../errors.ts'
import { type Copy, type CopyWanted, copiedTypes, mostBytes, mostCopyBytes, NoCopy } from './copy.ts'
import { buildJail, type Jail } from './jail.ts'

export interface CopyMaker {
  /**
   * Makes one copy in a process of its own, which ends with it. Throws `NoCopy` with the reason when none can be made,
   * `Unavailable` when too many wait, and what reading the bytes throws.
   */
  make(wanted: CopyWanted, bytes: AsyncIterable<Uint8Array>): Promise<Copy>
  /** What the system lets us take away from that process. */
  jail(): Promise<Jail>
  close(): Promise<void>
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

interface Caps {
  /** From the wish to the copy. */
  ms: number
  /** Resident memory, in bytes. */
  memory: number
}
const defaultCaps: Caps = { ms: 30_000, memory: 768 * 1024 * 1024 }
const lookEveryMs = 50
/** How many may wait for a process. */
const mostWaiting = 200

/** Everything that decodes for showing runs in processes of their own: no keys, no network, nothing to write to. */
export function createCopyMaker(options: CopyMakerOptions = {}): CopyMaker {
  const { hidden = [], atOnce = 2, clock = systemClock } = options
  const caps = { ...defaultCaps, ...options.caps }
  const script = options.script ?? fileURLToPath(import.meta.resolve('#processes/copy'))
  const running = new Set<ChildProcess>()
  const waiting: (() => void)[] = []
  let busy = 0
  let closed = false
  let jail: Promise<Jail> | null = null
  const jailed = () => {
    jail ??= buildJail({ script, hidden })
    return jail
  }

  async function turn(): Promise<void> {
    if (busy < atOnce) {
      busy += 1
      return
    }
    if (waiting.length >= mostWaiting) throw new Unavailable('too many copies are asked for', { retryAfterSeconds: 5 })
    // Whoever ends hands its turn over.
    await new Promise<void>((go) => waiting.push(go))
    if (closed) throw stopping()
  }
  function done(): void {
    const next = waiting.shift()
    if (next) next()
    else busy -= 1
  }

  async function run(wanted: CopyWanted, bytes: AsyncIterable<Uint8Array>): Promise<Copy> {
    const { command, args } = await jailed()
    if (closed) throw stopping()
    // A group of its own, so that whatever it starts ends with it; an empty environment, so that it learns nothing.
    const child = spawn(command, args, { env: {}, cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'ignore'] })
    running.add(child)
    const ended = new Promise<void>((resolve) => {
      child.once('error', () => resolve())
      child.once('exit', () => resolve())
    })
    let breach: string | null = null
    const kill = (why: string) => {
      breach ??= why
      if (child.pid !== undefined) killGroup(child.pid)
    }
    const over = new AbortController()
    void clock
      .wait(caps.ms, over.signal)
      .then(() => over.signal.aborted || kill(`it took more than ${caps.ms / 1000} s`))
    void watchMemory(child, caps.memory, clock, over.signal, () =>
      kill(`it took more than ${caps.memory / 1024 / 1024} MB of memory`),
    )
    try {
      const [answer] = await Promise.all([
        collect(child, mostCopyBytes + 4096, () => kill('its copy is too large')),
        feed(child, wanted, bytes).catch((error: unknown) => {
          kill('its bytes cannot be read')
          throw error
        }),
      ])
      await ended
      if (closed) throw stopping()
      if (breach !== null) throw new NoCopy(breach)
      return readAnswer(answer)
    } finally {
      over.abort()
      if (child.pid !== undefined) killGroup(child.pid)
      await ended
      running.delete(child)
    }
  }

  return {
    async make(wanted, bytes) {
      if (closed) throw stopping()
      if (!copiedTypes.includes(wanted.type)) throw new NoCopy(`no copy can be made of ${wanted.type}`)
      if (wanted.size > mostBytes) throw new NoCopy(`it is larger than ${mostBytes / 1024 / 1024} MB`)
      await turn()
      try {
        return await run(wanted, bytes)
      } finally {
        done()
      }
    },
    jail: jailed,
    async close() {
      closed = true
      for (const go of waiting.splice(0)) go()
      for (const { pid } of running) if (pid !== undefined) killGroup(pid)
    },
  }
}

const stopping = () => new Unavailable('the service is stopping')

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

/** Writes the wish and the bytes. A process that ends early has said why, or its answer is missing. */
async function feed({ stdin }: ChildProcess, wanted: CopyWanted, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  let gone = false
  stdin!.on('error', () => {
    gone = true
  })
  stdin!.on('close', () => {
    gone = true
  })
  const write = (piece: Uint8Array) =>
    new Promise<void>((resolve) => {
      if (gone || stdin!.write(piece)) return resolve()
      stdin!.once('drain', resolve).once('close', resolve)
    })
  await write(Buffer.from(`${JSON.stringify(wanted)}\n`))
  for await (const piece of bytes) {
    if (gone) break
    await write(piece)
  }
  stdin!.end()
}

async function collect({ stdout }: ChildProcess, most: number, tooMuch: () => void): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of stdout as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > most) {
      tooMuch()
      break
    }
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
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

/** Where the system tells it (Linux), memory is looked at often enough that a breach is noticed before it hurts. */
async function watchMemory(
  { pid }: ChildProcess,
  most: number,
  clock: Clock,
  signal: AbortSignal,
  breach: () => void,
): Promise<void> {
  while (!signal.aborted && pid !== undefined) {
    const pages = await readFile(`/proc/${pid}/statm`, 'latin1').then(
      (text) => Number(text.split(' ')[1]),
      () => null,
    )
    if (pages === null) return
    if (pages * 4096 > most) return breach()
    await clock.wait(lookEveryMs, signal)
  }
}
