import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { deflateRawSync, gzipSync } from 'node:zlib'
import type { RefusalCode } from '../../../src/errors.ts'
import { type Entry, longSizes, overlapping, tar, zip } from '../../fixtures/rawZips.ts'
import type { Bad, Good } from './sample.ts'
import { withFolder } from './withFolder.ts'

const run = promisify(execFile)
const zipType = 'application/zip'
const madeHere = 'written byte by byte by tests/fixtures/rawZips.ts'
const letter = 'Dear Sir or Madam,\n\nplease find my documents here.\n'.repeat(20)
/** One pixel. */
const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')
const mega = 1024 * 1024

/** Archives that ordinary programs wrote. */
export async function good(): Promise<Good[]> {
  const made: Good[] = []
  await withFolder(async (folder) => {
    const put = async (path: string, bytes: Buffer | string) => {
      await mkdir(join(folder, path, '..'), { recursive: true })
      await writeFile(join(folder, path), bytes)
    }
    await put('letter.txt', letter)
    await put('photos/one.gif', gif)
    await put('photos/more/two.gif', gif)
    await put('Grüße aus Köln.txt', 'Viele Grüße!\n')
    await put('empty.txt', '')
    await put('写真/メモ.txt', 'メモ\n')
    const call = (program: string, ...args: string[]) => run(program, args, { cwd: folder })
    const keep = async (name: string, type: string, origin: string) =>
      made.push({ name, type, origin, bytes: await readFile(join(folder, name)) })
    const zipped = async (name: string, ...args: string[]) => {
      await call('zip', '-q', ...args.slice(0, -1), name, ...args.at(-1)!.split('|'))
      await keep(name, zipType, `Info-ZIP: zip ${args.join(' ')}`)
    }
    await zipped('one-file.zip', 'letter.txt')
    await zipped('several-files.zip', 'letter.txt|empty.txt|Grüße aus Köln.txt')
    await zipped('with-folders.zip', '-r', 'photos')
    await zipped('without-folder-entries.zip', '-r', '-D', 'photos')
    await zipped('stored.zip', '-0', '-r', 'photos|letter.txt')
    await zipped('best.zip', '-9', 'letter.txt')
    await zipped('without-extras.zip', '-X', 'letter.txt')
    await zipped('flat.zip', '-j', 'photos/one.gif')
    await zipped('long-records.zip', '-fz', 'letter.txt')
    await zipped('names-in-unicode.zip', '-r', '写真|Grüße aus Köln.txt')
    await call('sh', '-c', 'echo "Holiday 2026" | zip -q -z commented.zip letter.txt')
    await keep('commented.zip', zipType, 'Info-ZIP: zip -z')
    await zipped('archive-in-archive.zip', 'with-folders.zip|letter.txt')
    await zipped('three-deep.zip', 'archive-in-archive.zip')
    await zipped('stored-archive.zip', '-0', 'with-folders.zip')
    const python = async (name: string, what: string) => {
      await call('python3', '-c', `import zipfile,sys,io\n${what}`)
      await keep(name, zipType, `Python zipfile: ${what.split('\n')[0]}`)
    }
    await python('python-stored.zip', "zipfile.ZipFile('python-stored.zip','w').write('letter.txt')")
    await python(
      'python-deflated.zip',
      "zipfile.ZipFile('python-deflated.zip','w',zipfile.ZIP_DEFLATED).write('letter.txt')",
    )
    await python('python-unicode.zip', "zipfile.ZipFile('python-unicode.zip','w').writestr('żółw.txt','żółw')")
    await python('python-long.zip', "zipfile.ZipFile('python-long.zip','w').open('a.txt','w',force_zip64=True).close()")
    await python(
      'python-stream.zip',
      "out=io.RawIOBase\nclass W(io.RawIOBase):\n  def __init__(s): s.f=open('python-stream.zip','wb')\n  def writable(s): return True\n  def write(s,b): return s.f.write(b)\n  def flush(s): s.f.flush()\nz=zipfile.ZipFile(W(),'w',zipfile.ZIP_DEFLATED); z.write('letter.txt'); z.writestr('b.txt','b'*5000); z.close()",
    )
    await python('python-empty.zip', "zipfile.ZipFile('python-empty.zip','w').close()")
    await python(
      'python-900-entries.zip',
      "z=zipfile.ZipFile('python-900-entries.zip','w')\nfor n in range(600): z.writestr(f'{n}.txt','')\nz.close()",
    )
    await python(
      'python-commented.zip',
      "z=zipfile.ZipFile('python-commented.zip','w'); z.comment=b'for Ms Weber'; z.write('letter.txt'); z.close()",
    )
    await call('git', 'init', '-q', 'tree').then(() => put('tree/letter.txt', letter))
    const git = (...args: string[]) =>
      call('git', '-C', 'tree', '-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args)
    await git('add', '.')
    await git('commit', '-q', '-m', 'letter')
    await git('archive', '-o', '../from-git.zip', 'HEAD')
    await keep('from-git.zip', zipType, 'git archive, with the commit as comment')
    await git('archive', '-o', '../from-git.tar', 'HEAD')
    await keep('from-git.tar', 'application/x-tar', 'git archive, with a global pax header')
    for (const format of ['gnu', 'pax', 'ustar', 'v7', 'oldgnu']) {
      await call('tar', `--format=${format}`, '-cf', `gnu-tar-${format}.tar`, 'letter.txt', 'photos')
      if (format !== 'v7') await keep(`gnu-tar-${format}.tar`, 'application/x-tar', `GNU tar --format=${format}`)
    }
    await put(`${'long/'.repeat(30)}letter.txt`, letter)
    for (const format of ['gnu', 'pax']) {
      await call('tar', `--format=${format}`, '-cf', `long-names-${format}.tar`, 'long')
      await keep(
        `long-names-${format}.tar`,
        'application/x-tar',
        `GNU tar --format=${format}, a path of 160 characters`,
      )
    }
    await call('tar', '-cf', 'with-zip.tar', 'one-file.zip')
    await keep('with-zip.tar', 'application/x-tar', 'GNU tar, a ZIP in it')
    await call('tar', '-C', 'photos', '-cf', 'this-folder.tar', '.')
    await keep('this-folder.tar', 'application/x-tar', 'GNU tar of "."')
    await call('tar', '-czf', 'photos.tgz', 'photos')
    await keep('photos.tgz', 'application/gzip', 'GNU tar -z')
    await call('python3', '-c', "import tarfile; t=tarfile.open('python.tar','w'); t.add('letter.txt'); t.close()")
    await keep('python.tar', 'application/x-tar', 'Python tarfile')
    for (const [name, flags] of [
      ['named.txt.gz', ''],
      ['unnamed.txt.gz', '-n'],
      ['fast.txt.gz', '-1'],
    ] as const) {
      await call('sh', '-c', `gzip -c ${flags} letter.txt > ${name}`)
      await keep(name, 'application/gzip', `gzip ${flags}`)
    }
    await call('sh', '-c', '(gzip -c letter.txt; gzip -c empty.txt; gzip -c letter.txt) > members.txt.gz')
    await keep('members.txt.gz', 'application/gzip', 'gzip, three members in a row')
    await call('python3', '-c', "import gzip; gzip.open('python.txt.gz','w').write(b'hello')")
    await keep('python.txt.gz', 'application/gzip', 'Python gzip')
    await call('tar', '-czf', 'nested.tar.gz', 'one-file.zip')
    await keep('nested.tar.gz', 'application/gzip', 'GNU tar -z, a ZIP in it')
  })
  return made
}

const text: Entry = { name: 'letter.txt', bytes: letter }

/** Archives that are there to harm whoever opens them; none can. */
export async function bad(): Promise<Bad[]> {
  const as =
    (type: string, ending: string) =>
    (code: RefusalCode, name: string, bytes: Buffer, origin = madeHere): Bad => ({
      name: `${name}.${ending}`,
      type,
      origin,
      code,
      bytes,
    })
  const one = as(zipType, 'zip')
  const gz = as('application/gzip', 'gz')
  const tarred = as('application/x-tar', 'tar')
  const of = (code: RefusalCode, name: string, entry: Partial<Entry>) => one(code, name, zip([{ ...text, ...entry }]))
  const named = (code: RefusalCode, name: string, entry: string | Buffer, flags = 0) =>
    of(code, name, { name: entry, flags })
  const program = Buffer.concat([Buffer.from('MZ'), Buffer.alloc(510), Buffer.from('PE\0\0')])
  const simple = zip([text])
  const zeros = deflateRawSync(Buffer.alloc(31 * mega), { level: 9 })
  const lying = (size: number) => zip([{ name: 'a.txt', packed: zeros, said: { size } }])
  return [
    one('bomb', '31-mb-member', zip([{ name: 'zeros.bin', bytes: Buffer.alloc(31 * mega) }])),
    one('bomb', '19-mb-of-zeros', zip([{ name: 'zeros.bin', bytes: Buffer.alloc(19 * mega) }])),
    one('bomb', 'says-1000-bytes', lying(1000)),
    one('bomb', 'says-0-bytes', lying(0)),
    one(
      'bomb',
      'says-0-bytes-with-descriptor',
      zip([{ name: 'a.txt', packed: zeros, said: { size: 0 }, descriptor: true }]),
    ),
    one('bomb', 'says-10-mb-of-4-gb', zip([{ name: 'a.txt', packed: zeros, said: { size: 0xfffffffe } }])),
    one(
      'bomb',
      'many-that-are-much',
      zip(Array.from({ length: 9 }, (_, n) => ({ name: `${n}`, bytes: 'x', said: { size: 10 * mega } }))),
    ),
    one('corrupt', 'overlap', overlapping(50, mega)),
    one('bomb', 'partial-overlap', partialOverlap()),
    one('corrupt', 'same-entry-twice', zip([text, { ...text, name: 'other.txt', at: 0, unwritten: true }])),
    one(
      'bomb',
      '1001-empty-entries',
      zip(Array.from({ length: 1001 }, (_, n) => ({ name: `${n.toString(36)}`, method: 0 }))).subarray(),
    ),
    one('bomb', '65535-entries-said', zip([text], { entries: 65_535 })),
    one('bomb', '4-billion-entries-said', zip([text], { long: { entries: 0xffffffffn } })),
    one('bomb', '42', nested(5, 16)),
    one('bomb', 'five-deep', nested(5, 1)),
    one(
      'bomb',
      'spread-over-depths',
      zip([{ name: 'a.zip', bytes: zip([{ name: 'a.bin', bytes: Buffer.alloc(31 * mega) }]) }]),
    ),
    one('bomb', 'gz-in-it', zip([{ name: 'a.gz', bytes: gzipSync(Buffer.alloc(31 * mega)) }])),
    one(
      'bomb',
      'many-small-bombs',
      zip(
        Array.from({ length: 9 }, (_, n) => ({
          name: `${n}.gz`,
          bytes: gzipSync(Buffer.alloc(15 * mega), { level: 1 }),
        })),
      ),
    ),
    gz('bomb', '31-mb', gzipSync(Buffer.alloc(31 * mega))),
    gz('bomb', 'ratio', gzipSync(Buffer.alloc(19 * mega))),
    gz('bomb', 'gz-in-gz', deepGzip(5)),
    of('encrypted', 'encrypted', { flags: 1 }),
    of('encrypted', 'strongly-encrypted', { flags: 0x41 }),
    of('corrupt', 'encrypted-in-itself-only', { local: { flags: 1 } }),
    of('encrypted', 'masked-directory', { flags: 0x2000 }),
    one('encrypted', 'aes', zip([{ ...text, method: 99, extra: Buffer.from('0199070002004145030800', 'hex') }])),
    named('active_content', 'parent', '../../etc/cron.d/x'),
    named('active_content', 'parent-inside', 'a/../../x.txt'),
    named('active_content', 'parent-of-windows', '..\\..\\x.txt'),
    named('active_content', 'absolute', '/etc/passwd'),
    named('active_content', 'drive', 'C:/Windows/x.txt'),
    named('active_content', 'share', '\\\\server\\share\\x.txt'),
    named('active_content', 'share-of-slashes', '//server/share/x.txt'),
    named('active_content', 'nul-in-name', 'a.exe\0.txt'),
    named('active_content', 'line-in-name', 'a\r\nb.txt'),
    named('active_content', 'reversed', 'photo\u202egpj.exe', 0x800),
    named('active_content', 'overlong', Buffer.from('2e2ec0af612e747874', 'hex')),
    named('corrupt', 'no-utf8', Buffer.from('61ff2e747874', 'hex'), 0x800),
    named('active_content', 'device', 'aux.txt'),
    named('active_content', 'stream', 'a.txt::$DATA'),
    named('active_content', 'exe', 'invoice.exe'),
    named('active_content', 'script', 'invoice.pdf.js'),
    named('active_content', 'shortcut', 'invoice.lnk'),
    named('active_content', 'hidden-ending', 'invoice.exe.txt'),
    named('active_content', 'blank-ending', 'invoice.exe '),
    named('active_content', 'com', 'setup.com'),
    named('active_content', 'htaccess', '.htaccess'),
    named('active_content', 'page-in-name', '<script>alert(1)<'),
    named('active_content', 'long-name', `${'a'.repeat(300)}.txt`),
    named('active_content', 'long-path', `${'abcdefgh/'.repeat(130)}a.txt`),
    named('active_content', 'no-name', ''),
    of('active_content', 'other-name-in-unicode', { extra: unicodeName('../x.exe') }),
    one('corrupt', 'name-twice', zip([text, text])),
    one('corrupt', 'name-twice-by-case', zip([text, { ...text, name: 'LETTER.TXT' }])),
    one(
      'corrupt',
      'name-twice-composed',
      zip([
        { ...text, name: 'é.txt', flags: 0x800 },
        { ...text, name: 'e\u0301.txt', flags: 0x800 },
      ]),
    ),
    of('active_content', 'link', { mode: 0o120777, bytes: '/etc/passwd', method: 0 }),
    of('active_content', 'character-device', { mode: 0o020666 }),
    of('active_content', 'fifo', { mode: 0o010666 }),
    of('active_content', 'program', { name: 'readme', bytes: program }),
    of('active_content', 'elf', { name: 'readme', bytes: Buffer.from('7f454c4602010100', 'hex') }),
    of('active_content', 'shell', { name: 'readme', bytes: '#!/bin/sh\necho harmless\n' }),
    of('active_content', 'page', { name: 'readme.txt', bytes: '<html><body>' }),
    of('type_mismatch', 'jar', { name: 'META-INF/MANIFEST.MF' }),
    of('unscannable', '7z-in-it', { name: 'a.7z', bytes: Buffer.from('377abcaf271c0004', 'hex') }),
    of('unscannable', 'rar-in-it', { name: 'a.bin', bytes: Buffer.from('526172211a070100', 'hex') }),
    of('unscannable', 'xz-in-it', { name: 'a.tar.xz', bytes: Buffer.from('fd377a585a000004', 'hex') }),
    of('unscannable', 'cab-in-it', { name: 'a.cab', bytes: Buffer.from('4d53434600000000', 'hex') }),
    of('unscannable', 'lzma', { method: 14 }),
    of('unscannable', 'deflate64', { method: 9 }),
    of('corrupt', 'other-name-in-itself', { local: { name: 'letter.exe' } }),
    of('corrupt', 'other-size-in-itself', { local: { size: 5 } }),
    of('corrupt', 'other-method-in-itself', { local: { method: 0 } }),
    of('corrupt', 'other-sum-in-itself', { local: { crc: 5 } }),
    of('corrupt', 'wrong-sum', { said: { crc: 5 } }),
    of('corrupt', 'less-than-said', { said: { size: 5000 } }),
    of('corrupt', 'two-sizes-of-stored', { method: 0, said: { size: 5 } }),
    of('corrupt', 'long-size-missing', { extra: longSizes(), said: { size: 0xffffffff } }),
    of('corrupt', 'long-size-lies', { extra: longSizes(1n << 50n), said: { size: 0xffffffff } }),
    one('polyglot', 'long-end-lies', zip([text], { long: { at: 5n } })),
    one('corrupt', 'ends-disagree', zip([text], { long: true, directorySize: 5 })),
    one('corrupt', 'directory-too-far', zip([text], { directoryAt: 999_999 })),
    one('corrupt', 'fewer-entries-said', zip([text, { ...text, name: 'b' }], { entries: 1 })),
    one('corrupt', 'more-entries-said', zip([text], { entries: 2 })),
    one('corrupt', 'cut', simple.subarray(0, -10)),
    one('corrupt', 'cut-in-half', simple.subarray(0, simple.length / 2)),
    one('corrupt', 'packed-data-broken', zip([{ ...text, packed: Buffer.from('07ffffffff', 'hex') }])),
    one('type_mismatch', 'behind-a-gif', Buffer.concat([gif, simple])),
    one('type_mismatch', 'behind-a-gif-adjusted', zip([text], { before: gif })),
    one('polyglot', 'between-entries', zip([text, { ...text, name: 'b', before: Buffer.from('<?php x') }])),
    one('polyglot', 'before-directory', zip([text], { beforeDirectory: Buffer.from('hidden data') })),
    one('corrupt', 'after-directory', zip([text], { afterDirectory: Buffer.from('hidden data') })),
    one('polyglot', 'page-in-comment', zip([text], { comment: '<script>alert(1)</script>' })),
    one('polyglot', 'trailing', zip([text], { after: Buffer.from('hidden data') })),
    gz(
      'polyglot',
      'tar-of-polyglot',
      gzipSync(tar([{ name: 'a.zip', bytes: zip([text], { after: Buffer.from('hidden') }) }])),
    ),
    gz('corrupt', 'cut', gzipSync(letter).subarray(0, -6)),
    gz('corrupt', 'wrong-sum', Buffer.concat([gzipSync(letter).subarray(0, -8), Buffer.alloc(8, 7)])),
    gz('active_content', 'program', gzipSync(program)),
    gz('active_content', 'path-in-name', gzipNamed('../../x.txt')),
    tarred('active_content', 'link', tar([{ name: 'a', kind: '2', link: '/etc/passwd' }])),
    tarred('active_content', 'hard-link', tar([{ name: 'a', kind: '1', link: '../x' }])),
    tarred('active_content', 'device', tar([{ name: 'a', kind: '3' }])),
    tarred('active_content', 'parent', tar([{ name: '../a', bytes: 'x' }])),
    tarred('active_content', 'exe', tar([{ name: 'a.exe', bytes: 'x' }])),
    tarred(
      'active_content',
      'path-in-pax',
      tar([{ name: 'p', kind: 'x', bytes: '16 path=../a.txt\n'.replace('16', '17') }, { name: 'a' }]),
    ),
    tarred('corrupt', 'cut', tar([{ name: 'a', bytes: letter }]).subarray(0, 900)),
    tarred('corrupt', 'wrong-sum', Buffer.concat([Buffer.from('b'), tar([{ name: 'a', bytes: letter }]).subarray(1)])),
    gz('bomb', 'tar-of-1001', gzipSync(tar(Array.from({ length: 1001 }, (_, n) => ({ name: `${n}` }))))),
  ]
}

/** The second entry begins inside of the data of the first. */
function partialOverlap(): Buffer {
  const inner = zip([{ name: 'b.txt', bytes: 'x', method: 0 }])
  const data = inner.subarray(0, 36)
  return zip([
    { name: 'a.txt', bytes: data, method: 0 },
    { name: 'b.txt', bytes: 'x', method: 0, at: 35, unwritten: true },
  ])
}

function nested(depth: number, copies: number): Buffer {
  let inner = zip([text])
  for (let level = 0; level < depth; level++) {
    const bytes = inner
    inner = zip(Array.from({ length: copies }, (_, n) => ({ name: `${n}.zip`, bytes })))
  }
  return inner
}

function deepGzip(depth: number): Buffer {
  let inner = gzipSync(letter)
  for (let level = 1; level < depth; level++) inner = gzipSync(inner)
  return inner
}

function gzipNamed(name: string): Buffer {
  const bytes = gzipSync(letter)
  const head = Buffer.from(bytes.subarray(0, 10))
  head[3] = 8
  return Buffer.concat([head, Buffer.from(`${name}\0`), bytes.subarray(10)])
}

function unicodeName(name: string): Buffer {
  const head = Buffer.alloc(9)
  head.writeUInt16LE(0x7075, 0)
  head.writeUInt16LE(5 + name.length, 2)
  head[4] = 1
  return Buffer.concat([head, Buffer.from(name)])
}
