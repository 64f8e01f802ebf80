import { expect, it } from 'vitest'
import { readCookie } from './cookie.ts'

const secret = `${'A-_9'.repeat(10)}xyz`

it.each([
  [`__Host-clipgate=${secret}`, secret],
  [`theme=dark; __Host-clipgate=${secret}; a=b`, secret],
  [`  __Host-clipgate=${secret}  `, secret],
  [`__Host-clipgate=; __Host-clipgate=${secret}`, secret],
  ['', null],
  [undefined, null],
  ['theme=dark', null],
  [`__host-clipgate=${secret}`, null],
  [`__Host-clipgate2=${secret}`, null],
  [`x__Host-clipgate=${secret}`, null],
  [`__Host-clipgate=${secret}x`, null],
  [`__Host-clipgate=${secret.slice(1)}`, null],
  [`__Host-clipgate="${secret}"`, null],
  ['__Host-clipgate', null],
])('of %s the secret is read, if it is one', (cookie, expected) => {
  expect(readCookie(cookie === undefined ? {} : { cookie })).toBe(expected)
})
