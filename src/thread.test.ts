import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { temporaryFolder } from '../tests/folder.ts'
import { askThread } from './thread.ts'

/** Answers each question with how many came in its message. */
const entry = `
import { parentPort } from 'node:worker_threads'
parentPort.on('message', (message) => {
  if (message === 'close') return parentPort.close()
  parentPort.postMessage(message.map(({ id }) => ({ id, answer: message.length })))
})
`

async function thread() {
  const path = join(await temporaryFolder(), 'thread.mjs')
  await writeFile(path, entry)
  const made = askThread<unknown, number>({
    entry: pathToFileURL(path).href,
    died: (cause) => new Error('it died', { cause }),
    closed: () => new Error('it is closed'),
  })
  onTestFinished(() => made.close())
  return made
}

it('is asked once for all that is asked in one turn', async () => {
  const { ask } = await thread()
  expect(await Promise.all([ask(1), ask(2), ask(3)])).toEqual([3, 3, 3])
  expect(await ask(4)).toBe(1)
})

it('is asked the others when one of them cannot be copied', async () => {
  const { ask, asked } = await thread()
  const answers = await Promise.allSettled([ask(1), ask(() => 2), ask(3)])
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(asked()).toBe(0)
})

it('that is ended fails what it was asked in the same turn, and the next question starts another', async () => {
  const { ask, kill } = await thread()
  const asked = ask(1)
  kill('enough')
  await expect(asked).rejects.toThrow('it died')
  expect(await ask(2)).toBe(1)
})

it('is closed when all is answered, also what was asked just before', async () => {
  const { ask, close } = await thread()
  const [last] = await Promise.all([ask(1), close()])
  expect(last).toBe(1)
  await expect(ask(2)).rejects.toThrow('it is closed')
})
