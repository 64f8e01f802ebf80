import { parentPort } from 'node:worker_threads'
import { collectEvery } from './garbage.ts'
import { beginPass, type Pass, type PassResult, type PassStart, scratchBytes } from './pass.ts'

/** To the thread: the next piece of a file, or that it is given up. Files are told apart by number. */
export type ToThread =
  | { file: number; begin?: PassStart; buffer: ArrayBuffer; length: number; last: boolean }
  | { file: number; abort: true }

/** Back from it: the buffer, to be filled again, and what became of the piece; or that the file is given up. */
export type FromThread =
  | { file: number; buffer: ArrayBuffer; result?: PassResult; error?: { code: string | undefined; message: string } }
  | { file: number; aborted: true }

const collected = collectEvery(1024 * 1024)
const scratch = Buffer.alloc(scratchBytes)
const passes = new Map<number, Pass>()

parentPort?.on('message', async (message: ToThread) => {
  if ('abort' in message) {
    const pass = passes.get(message.file)
    passes.delete(message.file)
    try {
      pass?.abort()
    } catch {
      // What cannot be removed now is removed when the service starts again: the spool is emptied then.
    }
    parentPort?.postMessage({ file: message.file, aborted: true } satisfies FromThread)
    return
  }
  const { file, begin, buffer, length, last } = message
  const answer: Exclude<FromThread, { aborted: true }> = { file, buffer }
  try {
    const pass = begin ? beginPass(begin, scratch) : passes.get(file)
    if (!pass) throw new Error('this file failed before')
    if (begin) passes.set(file, pass)
    pass.piece(new Uint8Array(buffer, 0, length), last)
    collected(length)
    if (last) {
      passes.delete(file)
      answer.result = await pass.end()
    }
  } catch (error) {
    passes.delete(file)
    const { code, message: text } = error as NodeJS.ErrnoException
    answer.error = { code, message: text }
  }
  parentPort?.postMessage(answer, [buffer])
})
