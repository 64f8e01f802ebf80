import { connect } from 'node:net'
import type { Clock } from '../clock.ts'
import { type Engine, NoReply, type Said, saidOfThreat } from './engine.ts'
import { type Line, openLine } from './line.ts'
import type { Scannable } from './scanner.ts'
import type { ClamdAddress } from './settings.ts'

export interface ClamdOptions {
  address: ClamdAddress
  clock: Clock
  /** `MaxThreads` of clamd is 10 by default. */
  atOnce?: number
}

/** Longest time for one file. clamd's own `MaxScanTime` is 120 s by default. */
const scanMs = 150_000
const versionMs = 5000
/** Bytes. A name of a threat is some dozen. */
const longestReply = 1024

/**
 * ClamAV's daemon, by INSTREAM (clamd(8)). What cannot be understood to the letter is `failed`: a reply that is cut, too long,
 * doubled, or that says "OK" before the whole file was there. "OK" means that clamd found nothing within its own limits.
 */
export function clamd({ address, clock, atOnce = 10 }: ClamdOptions): Engine {
  const converse = async (command: string, file: Scannable | null, withinMs: number): Promise<Reply> => {
    const socket = connect({ ...address, allowHalfOpen: true })
    const line = openLine({ socket, connectedBy: 'connect', withinMs, clock })
    try {
      return await ask(line, command, file)
    } finally {
      line.close()
    }
  }
  return {
    name: 'clamd',
    atOnce,
    async judge(file) {
      return saidBy(await converse('zINSTREAM', file, scanMs))
    },
    async signatures() {
      const { text } = await converse('zVERSION', null, versionMs)
      // `ClamAV 1.4.6/27400/Tue Nov 24 08:23:00 2026`; without a date where signatures are one's own.
      if (!/^ClamAV [\x20-\x7e]{1,200}$/.test(text)) throw new NoReply('it does not tell its version')
      const made = Date.parse(`${text.split('/')[2] ?? ''} UTC`)
      return { version: text, madeAt: Number.isNaN(made) ? null : new Date(made) }
    },
  }
}

interface Reply {
  text: string
  /** It came before the whole file was sent. */
  early: boolean
}

function saidBy({ text, early }: Reply): Said {
  const [, name] = /^stream: ([\x21-\x7e][\x20-\x7e]{0,255}) FOUND$/.exec(text) ?? []
  if (name !== undefined) return saidOfThreat(name)
  if (text === 'INSTREAM size limit exceeded. ERROR')
    return { verdict: 'unscannable', detail: 'larger than StreamMaxLength of clamd' }
  if (text === 'stream: OK' && !early) return { verdict: 'clean' }
  throw new NoReply(early ? 'it answered before it had the file' : `it answered "${text.slice(0, 100)}"`)
}

/** One command on a connection of its own, and its whole reply. Throws `NoReply`; and what reading the file throws. */
async function ask(line: Line, command: string, file: Scannable | null): Promise<Reply> {
  let sent = file === null
  let early = false
  const said = wholeReply(line, () => {
    early = !sent
    line.stop()
  })
  said.catch(() => {})
  let going = await line.send(Buffer.from(`${command}\0`))
  if (file) {
    going &&= await sendFile(file, line)
    // Before the last byte is written: a reply to all of it cannot come earlier.
    if (going) {
      sent = true
      line.sendLast(endOfStream)
    }
  }
  const reply = (await said).toString('latin1')
  if (reply.indexOf('\0') !== reply.length - 1)
    throw new NoReply(reply === '' ? 'it hung up' : 'its reply is cut or doubled')
  return { text: reply.slice(0, -1), early }
}

async function wholeReply(line: Line, begun: () => void): Promise<Buffer> {
  const received: Buffer[] = []
  let size = 0
  for (let piece = await line.read(); piece !== null; piece = await line.read()) {
    if (size === 0) begun()
    size += piece.length
    received.push(piece)
    if (size > longestReply) throw new NoReply('its reply is too long')
  }
  return Buffer.concat(received)
}

const endOfStream = Buffer.alloc(4)

/** Each piece after its length. False: it takes no more. */
async function sendFile(file: Scannable, line: Line): Promise<boolean> {
  for await (const piece of file.open()) {
    if (piece.length === 0) continue
    const length = Buffer.alloc(4)
    length.writeUInt32BE(piece.length)
    if (!(await line.send(Buffer.concat([length, piece])))) return false
  }
  return true
}
