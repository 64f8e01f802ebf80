import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { ConfigError } from '../errors.ts'
import { askSecret } from './askSecret.ts'

/** A terminal, or a pipe, and all that is shown. */
function asked(isTTY: boolean) {
  const input = Object.assign(new PassThrough(), { isTTY })
  const output = new PassThrough()
  let shown = ''
  output.on('data', (chunk) => {
    shown += chunk
  })
  return { input, shown: () => shown, answer: askSecret('Password: ', input, output) }
}

it('what a person types is the answer, and is shown nowhere', async () => {
  const { input, shown, answer } = asked(true)
  input.write('correct horsex\u007f battery\r')
  expect(await answer).toBe('correct horse battery')
  expect(shown()).toBe('Password: \n')
})

it('what is piped in is its first line, and nobody is asked', async () => {
  const { input, shown, answer } = asked(false)
  input.end('correct horse battery\nmore\n')
  expect(await answer).toBe('correct horse battery')
  expect(shown()).toBe('')
})

it.each([
  [true, '\u0003'],
  [true, '\u0004'],
  [false, ''],
])('nothing, or an end by the person, is no answer', async (isTTY, text) => {
  const { input, answer } = asked(isTTY)
  input.end(text)
  await expect(answer).rejects.toThrow(ConfigError)
})
