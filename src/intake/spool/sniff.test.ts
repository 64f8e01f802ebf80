import { describe, expect, it } from 'vitest'
import { gif, jpeg, pdf, png } from '../../../tests/fixtures/files.ts'
import { headBytes, sniff } from './sniff.ts'
import { textProbe } from './text.ts'

/** As the spool asks it: of the first bytes, knowing whether all are text. */
function typeOf(bytes: Uint8Array): Promise<string | null> {
  const probe = textProbe()
  probe.see(bytes)
  return sniff(bytes.subarray(0, headBytes), probe.kind())
}

describe('the true type of', () => {
  it.each([
    ['a JPEG', jpeg],
    ['a PNG', png],
    ['a GIF', gif],
    ['a PDF', pdf],
  ])('%s is what its encoder made', async (_, make) => {
    const { type, bytes } = await make()
    expect(await typeOf(bytes)).toBe(type)
    // Whatever comes after its first bytes.
    expect(await typeOf(Buffer.concat([bytes, Buffer.from('<script>alert(1)</script>')]))).toBe(type)
  })

  it.each([
    ['a zip', Buffer.from('504b0304140000000800', 'hex'), 'application/zip'],
    [
      'a Windows program',
      Buffer.concat([Buffer.from('MZ\x90\x00\x03', 'latin1'), Buffer.alloc(200)]),
      'application/x-msdownload',
    ],
    ['a bitmap', Buffer.concat([Buffer.from('BM'), Buffer.alloc(60)]), 'image/bmp'],
  ])('%s is not one that we take', async (_, bytes, type) => {
    expect(await typeOf(bytes)).toBe(type)
  })

  it('bytes that mean nothing is unknown', async () => {
    expect(await typeOf(Buffer.from([0, 1, 2, 3]))).toBeNull()
    expect(await typeOf(Buffer.from('Grüße\0', 'latin1'))).toBeNull()
    expect(await typeOf(Buffer.concat([Buffer.alloc(1000), Buffer.from('%PDF-1.7')]))).toBeNull()
  })
})

describe('text in the encoding of a country', () => {
  it('is text when it is nothing else', async () => {
    expect(await typeOf(Buffer.from('Grüße', 'latin1'))).toBe('text/plain')
    expect(await typeOf(Buffer.from('<script>é</script>', 'latin1'))).toBe('text/x-script')
    expect(await typeOf(Buffer.from('%PDF-1.4 é', 'latin1'))).toBe('application/pdf')
  })
})

describe('a text that some program would run or render is told apart', () => {
  const openings: [string, string][] = [
    ['<!DOCTYPE html><p>', 'text/html'],
    ['<!-- --><p>', 'text/html'],
    ['<html>', 'text/html'],
    ['<BODY onload=alert(1)>', 'text/html'],
    ['<a href=x>', 'text/html'],
    ['</p>', 'text/html'],
    ['<svg onload=alert(1)>', 'image/svg+xml'],
    ['<SVG\n', 'image/svg+xml'],
    ['<?xml version="1.0"?><svg/>', 'application/xml'],
    ['<?php system($_GET[0]);', 'text/x-script'],
    ['<?= 1 ?>', 'text/x-script'],
    ['<% Response.Write() %>', 'text/x-script'],
    ['<script>alert(1)</script>', 'text/x-script'],
    ['#!/bin/sh\nrm -rf /', 'text/x-script'],
    ['%PDF-1.7\n', 'application/pdf'],
    ['%!PS-Adobe-3.0\n', 'application/postscript'],
    ['{\\rtf1\\ansi', 'application/rtf'],
  ]
  it.each(openings)('%s', async (opening, type) => {
    for (const before of ['', '\ufeff', ' ', '\r\n\t \f', '\ufeff \n', ' '.repeat(4000)]) {
      expect(await typeOf(Buffer.from(`${before}${opening} and more`))).toBe(type)
      if (before.startsWith('\ufeff') || before === '') {
        const wide = Buffer.from(`\ufeff${before}${opening} and more`, 'utf16le')
        expect(await typeOf(wide)).toBe(type)
        expect(await typeOf(wide.swap16())).toBe(type)
      }
    }
  })

  it.each([
    'BMW service invoice',
    'MZ is the chassis number',
    'PK of my name',
    'GIF89a is a format',
    '1 < 2 and <3',
    'a %PDF- in the middle',
    'RIFF',
    '< html>',
    '{"json": true}',
    'a,b,c\n1,2,3',
    '',
  ])('but “%s” is text', async (text) => {
    expect(await typeOf(Buffer.from(text))).toBe('text/plain')
  })

  it('and so is a character that the first bytes cut in two', async () => {
    expect(await typeOf(Buffer.from(`${'x'.repeat(headBytes - 1)}éé`))).toBe('text/plain')
  })
})
