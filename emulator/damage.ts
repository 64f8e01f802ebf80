import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Fault } from './faults.ts'

/** How much of an endless body is sent at a time. */
const pieceBytes = 64 * 1024

export function damagesBody(fault: Fault): boolean {
  return [fault.cutAfterBytes, fault.stallAfterBytes, fault.contentLength, fault.garbled, fault.endless].some(
    (setting) => setting !== undefined && setting !== false,
  )
}

/** What the damaged answer says of its own length; an endless one says nothing. */
export function claimedLength(fault: Fault, bytes: Buffer): number | undefined {
  return fault.contentLength ?? (fault.endless ? undefined : bytes.length)
}

export interface DamagedConnection {
  /** Sends the answer's head although no byte of the body follows. */
  sendHead(): void
  /** Ends the connection once what was sent has left. */
  cut(): void
}

/** The body as a fault leaves it, in pieces. */
export async function* damagedBody(fault: Fault, whole: Buffer, connection: DamagedConnection): AsyncGenerator<Buffer> {
  const bytes = fault.garbled ? garbled(whole) : whole
  const { cutAfterBytes, stallAfterBytes, contentLength } = fault
  if (fault.endless) {
    const piece = Buffer.alloc(pieceBytes, bytes.length > 0 ? bytes : 'endless ')
    for (;;) yield piece
  }
  const sent = bytes.subarray(0, cutAfterBytes ?? stallAfterBytes)
  if (sent.length > 0) yield sent
  await nextTurn()
  connection.sendHead()
  if (stallAfterBytes !== undefined && cutAfterBytes === undefined) await forEver()
  // A length that is not the true one leaves a connection on which nothing more can be said.
  if (cutAfterBytes === undefined && (contentLength === undefined || contentLength === bytes.length)) return
  connection.cut()
  await forEver()
}

/** As long, but its last bit is another one. */
function garbled(whole: Buffer): Buffer {
  const bytes = Buffer.from(whole)
  const last = bytes.length - 1
  if (last >= 0) bytes.writeUInt8(bytes.readUInt8(last) ^ 1, last)
  return bytes
}

const forEver = () => new Promise<never>(() => undefined)
