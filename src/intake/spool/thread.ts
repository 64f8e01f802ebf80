import { parentPort, workerData } from 'node:worker_threads'
import { type Syncing, turnsOf } from './ahead.ts'
import { collectEvery } from './garbage.ts'
import { beginPass, type Pass, type PassResult, type PassStart, scratchBytes } from './pass.ts'

/** The next piece of a file, or that it is given up. Files are told apart by number. */
export type Order =
  | { file: number; begin?: PassStart; buffer: ArrayBuffer; length: number; last: boolean }
  | { file: number; abort: true }

/**
 * The buffer, to be filled again, and what became of the piece; or that the file was read, and only the disk is waited for; or that
 * it is given up.
 */
export type Report =
  | { file: number; buffer: ArrayBuffer; result?: PassResult; error?: { code: string | undefined; message: string } }
  | { file: number; read: true }
  | { file: number; aborted: true }

/** What a thread is told when it starts. */
export interface ThreadData {
  syncing: Syncing
  /** Which of the threads it is, from 0. */
  thread: number
}

/** To the thread and back: as many as there are, since waking costs more than what most ask for. */
export type ToThread = Order[]
export type FromThread = Report[]

const collected = collectEvery(4 * 1024 * 1024)
const scratch = Buffer.alloc(scratchBytes)
const { syncing, thread } = workerData as ThreadData
const turns = turnsOf(syncing, thread)
const passes = new Map<number, Pass>()

parentPort?.on('message', async (orders: ToThread) => answer(await Promise.all(orders.map(carryOut))))

function answer(reports: FromThread): void {
  const buffers = reports.flatMap((report) => ('buffer' in report ? [report.buffer] : []))
  parentPort?.postMessage(reports, buffers)
}

/** NOTE: what is done with a piece is done before this first waits, so that the pieces of a file keep their order. */
async function carryOut(order: Order): Promise<Report> {
  if ('abort' in order) {
    const pass = passes.get(order.file)
    passes.delete(order.file)
    try {
      pass?.abort()
    } catch {
      // What cannot be removed now is removed when the service starts again: the spool is emptied then.
    }
    return { file: order.file, aborted: true }
  }
  const { file, begin, buffer, length, last } = order
  const report: Extract<Report, { buffer: ArrayBuffer }> = { file, buffer }
  try {
    const pass = begin ? beginPass(begin, scratch, turns) : passes.get(file)
    if (!pass) throw new Error('this file failed before')
    if (begin) passes.set(file, pass)
    report.buffer = pass.piece(new Uint8Array(buffer, 0, length), last)
    collected(length)
    if (last) {
      passes.delete(file)
      const { result, disk } = await pass.end()
      report.result = result
      // Whoever asked in the same message must not wait for the disk, too.
      if (disk) {
        void disk.then(
          () => answer([report]),
          (error) => answer([{ file, buffer: report.buffer, error: toldOf(error) }]),
        )
        return { file, read: true }
      }
    }
  } catch (error) {
    passes.delete(file)
    report.error = toldOf(error)
  }
  return report
}

function toldOf(error: unknown): { code: string | undefined; message: string } {
  const { code, message } = error as NodeJS.ErrnoException
  return { code, message }
}
