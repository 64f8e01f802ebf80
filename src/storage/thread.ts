import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import type { FromThread, ToThread } from '../thread.ts'
import { type Adopted, type Adoption, adoptAll } from './adopt.ts'

/** Takes over what waits, together; what comes meanwhile is the next batch. */

let waiting: { id: number; question: Adoption }[] = []
let working = false

parentPort?.on('message', (message: ToThread<Adoption>) => {
  if (message === 'close') {
    parentPort?.close()
    return
  }
  waiting.push(message)
  if (!working) void work()
})

async function work(): Promise<void> {
  working = true
  while (waiting.length > 0) {
    const batch = waiting
    waiting = []
    const adopted = adoptAll(batch.map(({ question }) => question))
    const answers: FromThread<Adopted> = batch.map(({ id }, i) => ({ id, answer: adopted[i]! }))
    parentPort?.postMessage(answers)
    // Lets in what was asked meanwhile.
    await nextTurn()
  }
  working = false
}
