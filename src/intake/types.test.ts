import { describe, expect, it } from 'vitest'
import { canonicalType, endingsOf, typeOfName } from './types.ts'

describe('a declared type', () => {
  it.each([
    ['image/jpeg', 'image/jpeg'],
    ['image/jpg', 'image/jpeg'],
    ['IMAGE/PJPEG', 'image/jpeg'],
    [' image/x-png ; foo=bar', 'image/png'],
    ['text/plain; charset=utf-8', 'text/plain'],
    ['application/x-pdf', 'application/pdf'],
    ['', ''],
    [';', ''],
    ['no type at all', 'no type at all'],
    ['__proto__', '__proto__'],
    ['constructor', 'constructor'],
  ])('%j has one name', (given, type) => {
    expect(canonicalType(given)).toBe(type)
  })
})

describe('a part that declares no type', () => {
  it.each([
    ['photo.jpg', 'image/jpeg'],
    ['photo.JFIF', 'image/jpeg'],
    ['letter.pdf', 'application/pdf'],
    ['notes.txt', 'text/plain'],
    ['page.html', 'text/html'],
    ['photo', 'application/octet-stream'],
    ['', 'application/octet-stream'],
    ['.', 'application/octet-stream'],
    ['a.unknownending', 'application/octet-stream'],
  ])('%j has the type that its name says', (name, type) => {
    expect(typeOfName(name)).toBe(type)
  })
})

describe('the endings of a type', () => {
  it('are those in use, and none for a type that nobody knows', () => {
    expect([...endingsOf('image/jpeg')]).toEqual(expect.arrayContaining(['jpg', 'jpeg', 'jfif']))
    expect([...endingsOf('application/pdf')]).toEqual(['pdf'])
    expect([...endingsOf('no/such')]).toEqual([])
    expect([...endingsOf('')]).toEqual([])
  })
})
