import { assert, constantFrom, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { naughtyNames } from '../../tests/fixtures/names.ts'
import { newAttachmentId } from '../attachment.ts'
import { policyOf } from '../config/policyFile.ts'
import { Refused } from '../errors.ts'
import { checkPolicy, type Policy } from './policy.ts'
import type { Spooled } from './spool/spool.ts'
import { canonicalType } from './types.ts'

const policy: Policy = policyOf(undefined, {
  maxFileBytes: 1000,
  allowedTypes: ['image/jpeg', 'image/png', 'image/gif', 'application/pdf', 'text/plain'],
})

async function* none(): AsyncGenerator<Buffer> {}

function spooled(type: string | null, size = 100): Spooled {
  return {
    tooLarge: false,
    examined: null,
    letGo: () => {},
    id: newAttachmentId(),
    dataKey: Buffer.alloc(32),
    path: '/nowhere',
    size,
    sealedSize: size + 32,
    sha256: '0'.repeat(64),
    type,
    open: none,
    discard: async () => {},
  }
}

const cut: Spooled = {
  tooLarge: true,
  id: newAttachmentId(),
  size: null,
  sha256: null,
  type: null,
  discard: async () => {},
}

/** Null: it keeps to the policy. */
function refusal(filename: string, declaredType: string, file: Spooled | string | null, of = policy): Refused | null {
  try {
    checkPolicy(
      of,
      { filename, declaredType: canonicalType(declaredType) },
      typeof file === 'object' && file !== null ? file : spooled(file),
    )
    return null
  } catch (error) {
    if (error instanceof Refused) return error
    throw error
  }
}

describe('a file whose name, declared type and content agree', () => {
  const files: [string, string, string][] = [
    ['photo.jpg', 'image/jpeg', 'image/jpeg'],
    ['photo.jpeg', 'image/jpeg', 'image/jpeg'],
    ['photo.jfif', 'image/jpeg', 'image/jpeg'],
    ['photo.JPE', 'image/pjpeg', 'image/jpeg'],
    ['my photo (1).JPG', 'image/jpg', 'image/jpeg'],
    ['写真.jpg', 'image/jpeg', 'image/jpeg'],
    ['Grüße aus Köln.png', 'image/png; charset=binary', 'image/png'],
    ['screen.shot.2026-10-02.png', 'IMAGE/PNG', 'image/png'],
    ['animated.apng', 'image/apng', 'image/png'],
    ['v1.2.pdf', 'application/pdf', 'application/pdf'],
    ['amazon.com.pdf', 'application/pdf', 'application/pdf'],
    ['contract.doc.pdf', 'application/pdf', 'application/pdf'],
    ['Mr. Smith et al. 3.4.pdf', 'application/x-pdf', 'application/pdf'],
    ['100% cotton.pdf', 'application/pdf', 'application/pdf'],
    ['50%25.pdf', 'application/pdf', 'application/pdf'],
    ['Scan 12:30.pdf', 'application/pdf', 'application/pdf'],
    ['a; b.pdf', 'application/pdf', 'application/pdf'],
    ["o'brien & sons, “quoted”.pdf", 'application/pdf', 'application/pdf'],
    ['C:\\fakepath\\photo.jpg', 'image/jpeg', 'image/jpeg'],
    ['/home/me/v1.0/photo.jpg', 'image/jpeg', 'image/jpeg'],
    ['.jpg', 'image/jpeg', 'image/jpeg'],
    ['...and more.gif', 'image/gif', 'image/gif'],
    ['😀.gif', 'image/gif', 'image/gif'],
    ['notes.txt', 'text/plain', 'text/plain'],
    ['server.log', 'text/plain;charset=utf-8', 'text/plain'],
    ['README.text', 'text/plain', 'text/plain'],
  ]
  it.each(files)('is taken: %s as %s', (filename, declaredType, type) => {
    expect(refusal(filename, declaredType, type)).toBeNull()
  })
})

describe('a name that hides another ending', () => {
  const names = [
    'a.jpg.php',
    'a.php%00.jpg',
    'a.php\0.jpg',
    'a.p%68p',
    'a.p%68p.jpg',
    'a.php.',
    'a.php. .',
    'a.php ',
    'a.php::$DATA',
    'a.php:x.jpg',
    'a.php.jpg',
    'a.PHP.jpg',
    'a.php .jpg',
    'a.asp;.jpg',
    'a.asp;x.jpg',
    'invoice.exe.jpg',
    'a.html.b.jpg',
    'a.svg.jpg',
    '%zz.php%00.jpg',
    '%zz.p%68p.jpg',
    'a.%70%68%70.jpg',
    'a.php%c0%80.jpg',
    'a%2ephp%2ejpg',
    'a%2fb.php%00.jpg',
    '..%5c..%5ca.php%00.jpg',
    'photo\u202egpj.exe',
    'x.jpg\0.exe',
    '.htaccess.jpg',
    'a.phtml.jpg',
    'macro.docm.jpg',
    'link.lnk.jpg',
  ]
  it.each(names)('is refused: %j', (filename) => {
    expect(refusal(filename, 'image/jpeg', 'image/jpeg')?.code).toBe('type_mismatch')
  })

  it.each([
    'photo',
    '',
    '.',
    '..',
    'photo.',
    'photo.jpg.',
    'photo.jpg ',
    'folder.jpg/',
    'photo.png',
    'photo.jpg1',
    'photo.ｊｐｇ',
    'photo .jpg\t',
    'photo\0.jpg',
    'CON',
    'photo.jpg%00',
  ])('or has not the ending of its type is refused: %j', (filename) => {
    expect(refusal(filename, 'image/jpeg', 'image/jpeg')?.code).toBe('type_mismatch')
  })
})

describe('name, declared type and content', () => {
  const kinds = {
    PNG: ['a.png', 'image/png'],
    PDF: ['a.pdf', 'application/pdf'],
    HTML: ['a.html', 'text/html'],
  } as const
  const names = Object.keys(kinds) as (keyof typeof kinds)[]
  const all = names.flatMap((name) =>
    names.flatMap((declared) => names.map((content) => ({ name, declared, content }))),
  )

  it.each(all)('must agree, and be allowed: $name, $declared, $content', ({ name, declared, content }) => {
    const found = refusal(kinds[name][0], kinds[declared][1], kinds[content][1])
    if (declared === 'HTML') expect(found?.code).toBe('type_not_allowed')
    else expect(found?.code ?? 'taken').toBe(name === declared && content === declared ? 'taken' : 'type_mismatch')
  })

  it('must agree even where all of them are allowed', () => {
    const wide = { ...policy, allowedTypes: ['image/png', 'application/pdf', 'text/html'] }
    for (const { name, declared, content } of all) {
      const agree = name === declared && content === declared
      expect(refusal(kinds[name][0], kinds[declared][1], kinds[content][1], wide)?.code ?? 'taken').toBe(
        agree ? 'taken' : 'type_mismatch',
      )
    }
  })

  it('must be known: content of no type that we know is refused', () => {
    expect(refusal('a.png', 'image/png', null)?.detail).toBe(
      'Declared as image/png, but the content is of no known type.',
    )
    expect(refusal('a.bin', 'application/octet-stream', null)?.code).toBe('type_not_allowed')
    expect(refusal('a.jpg', '', 'image/jpeg')?.code).toBe('type_not_allowed')
  })
})

describe('the reason', () => {
  it('is the first that applies: size, then nothing at all, then the declared type, the name, the content', () => {
    expect(refusal('a.exe', 'text/html', cut)?.code).toBe('too_large')
    expect(refusal('a.exe', 'text/html', spooled(null, 0))?.code).toBe('empty')
    expect(refusal('a.exe', 'text/html', null)?.code).toBe('type_not_allowed')
    expect(refusal('a.exe', 'image/png', null)?.detail).toContain('the name ends in .exe')
  })

  it('says what the contract says', () => {
    expect(refusal('a.png', 'image/png', cut)?.detail).toBe('File size exceeds maximum allowed size of 1000 bytes.')
    expect(refusal('a.html', 'text/html', 'text/html')?.detail).toBe(
      "MIME type 'text/html' is not allowed. Allowed types: image/jpeg, image/png, image/gif, application/pdf, text/plain",
    )
  })
})

describe('any name at all', () => {
  it.each(naughtyNames)('is data: %j', (filename) => {
    for (const declaredType of policy.allowedTypes) refusal(filename, declaredType, declaredType)
  })

  it('is taken or refused, and nothing else happens', () => {
    const ending = constantFrom('', '.jpg', '.php', '%2ephp', '\0', ' ', '::$DATA', '%', '%f', '\ud800')
    assert(
      property(string({ unit: 'binary' }), ending, ending, (name, one, other) => {
        const found = refusal(name + one + other, 'image/jpeg', 'image/jpeg')
        if (found === null) expect((name + one + other).toLowerCase()).toMatch(/(\.|%2e)(jpe?g|jpe|jfif|pjpeg|pjp)$/i)
      }),
      { numRuns: 2000 },
    )
  })

  it('is read in a time that grows with its length only', () => {
    const before = process.cpuUsage().user
    for (const long of ['.', ' ', '. ', '%', '%2e', '%zz', '\0', ':', '/', 'a.', ';.'])
      refusal(`${long.repeat(100_000)}x.jpg`, 'image/jpeg', 'image/jpeg')
    // Microseconds of this process: quadratic work on one of them would take many seconds.
    expect(process.cpuUsage().user - before).toBeLessThan(5_000_000)
  })
})
