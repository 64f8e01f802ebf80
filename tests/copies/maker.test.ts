import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type CopyWanted, NoCopy } from '../../src/copies/copy.ts'
import { buildJail } from '../../src/copies/jail.ts'
import { type CopyMakerOptions, createCopyMaker } from '../../src/copies/maker.ts'
import { SenderGone, Unavailable } from '../../src/errors.ts'
import { genuine } from '../corpus/kept.ts'
import { examined } from '../fixtures/examined.ts'
import { gif, jpeg, noise, pdf, png } from '../fixtures/files.ts'

async function* once(bytes: Buffer) {
  yield bytes
}

function maker(options: CopyMakerOptions = {}) {
  const made = createCopyMaker(options)
  onTestFinished(() => made.close())
  return (bytes: Buffer, wanted: Partial<CopyWanted> = {}) =>
    made.make({ kind: 'safe', type: 'image/jpeg', page: 1, pixels: 320, size: bytes.length, ...wanted }, once(bytes))
}

/** A picture whose left half is red, as a phone held upright would save it: lying, with a note of how to turn it, and where. */
const phone = () =>
  sharp({ create: { width: 60, height: 40, channels: 3, background: '#00f' } })
    .composite([{ input: { create: { width: 30, height: 40, channels: 3, background: '#f00' } }, left: 0, top: 0 }])
    .withExif({ IFD0: { Make: 'Phone' }, IFD3: { GPSLatitude: '52/1 30/1 0/1', GPSLatitudeRef: 'N' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer()

describe('a safe copy', () => {
  it('of a picture shows it upright, and tells nothing of where and by what it was taken', async () => {
    const original = await phone()
    expect((await sharp(original).metadata()).orientation).toBe(6)
    const { type, bytes } = await maker()(original)
    const { width, height, orientation, exif, xmp, icc } = await sharp(bytes).metadata()
    expect({ type, width, height, orientation, exif, xmp, icc }).toEqual({ type: 'image/jpeg', width: 40, height: 60 })
    // Turned to the right: what was left is on top.
    const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true })
    const pixel = (y: number) => data.subarray((y * info.width + 20) * info.channels).subarray(0, 3)
    expect(pixel(10)[0]).toBeGreaterThan(200)
    expect(pixel(50)[2]).toBeGreaterThan(200)
  })

  it('of a moving picture moves, and loses its comments', async () => {
    const frames = await Promise.all([1, 2, 3].map(() => noise(16).png().toBuffer()))
    const moving = await sharp(frames, { join: { animated: true } })
      .gif({ delay: [100, 100, 100] })
      .toBuffer()
    const { type, bytes, pages } = await maker()(moving, { type: 'image/gif' })
    expect([type, pages, (await sharp(bytes).metadata()).pages]).toEqual(['image/gif', 3, 3])
  })

  it.each([
    ['PNG', png, 'image/png'],
    ['GIF', gif, 'image/gif'],
  ])('of a %s is one', async (_, make, type) => {
    const { bytes } = await make()
    expect(await maker()(bytes, { type })).toMatchObject({ type, pages: 1 })
  })

  it('of a TIFF with pages is a PDF of them, each as large as it was scanned', async () => {
    const sheet = () =>
      sharp({ create: { width: 300, height: 400, channels: 3, background: '#0a0' } })
        .png()
        .toBuffer()
    const joined = sharp([await sheet(), await sheet()], { join: { animated: true } })
    const scan = await joined.withMetadata({ density: 100 }).tiff().toBuffer()
    for (const [file, pages, size] of [
      [scan, 2, '/MediaBox [0 0 216 288]'],
      // It does not say how it was scanned.
      [genuine('pages.tiff'), 3, '/MediaBox [0 0 '],
    ] as const) {
      const copy = await maker()(file, { type: 'image/tiff' })
      expect([copy.type, copy.pages]).toEqual(['application/pdf', pages])
      expect(copy.bytes.toString('latin1')).toContain(size)
      expect(await examined(copy.bytes, 'application/pdf')).toBe('taken')
      const last = await maker()(copy.bytes, { kind: 'preview', type: 'application/pdf', page: pages, pixels: 200 })
      expect(last.pages).toBe(pages)
    }
  })

  it('of a HEIC is a JPEG without its metadata, where heif-convert is installed; else it says why not', async () => {
    const heic = genuine('enc.heic')
    const { heif } = await buildJail({ script: '--version', hidden: [] })
    const made = maker()(heic, { type: 'image/heic' })
    if (!heif) return await expect(made).rejects.toThrow('heif-convert')
    const { type, bytes } = await made
    const { format, exif, width } = await sharp(bytes).metadata()
    expect([type, format, exif, width]).toEqual(['image/jpeg', 'jpeg', undefined, 64])
    const cut = heic.subarray(0, heic.length / 2)
    await expect(maker()(cut, { type: 'image/heic' })).rejects.toThrow('heif-convert failed')
  })

  it('of a PDF is its pages as pictures, without its words, links and actions', async () => {
    const { bytes: original } = await pdf('letter.pdf', 'Secret words')
    const { type, bytes, pages } = await maker()(original, { type: 'application/pdf' })
    expect([type, pages]).toEqual(['application/pdf', 1])
    const text = bytes.toString('latin1')
    expect(text).toMatch(/^%PDF-1\./)
    expect(text).toContain('/Subtype /Image')
    expect(text).not.toMatch(/\/Font\b|\/Annots|\/URI|\/JavaScript/)
    expect(await maker()(bytes, { type: 'application/pdf', kind: 'preview' })).toMatchObject({ type: 'image/webp' })
  })

  it('of a text is UTF-8, without characters that deceive the eye', async () => {
    const text = async (bytes: Buffer, kind: CopyWanted['kind'] = 'safe') =>
      (await maker()(bytes, { type: 'text/plain', kind })).bytes.toString()
    expect(await text(Buffer.from('Gr\xfc\xdfe \x80', 'latin1'))).toBe('Grüße €')
    expect(await text(Buffer.from('\ufeffGrüße', 'utf16le'))).toBe('Grüße')
    expect(await text(Buffer.from('pay \u202ecod.exe\u2066 now'))).toBe('pay cod.exe now')
    const long = `${'x'.repeat(65_535)}é and more`
    expect(await text(Buffer.from(long), 'preview')).toBe('x'.repeat(65_535))
    expect(await text(Buffer.from(long))).toBe(long)
  })
})

describe('a preview', () => {
  it('fits in what is asked, and is never larger than the picture', async () => {
    const large = await noise(600).jpeg().toBuffer()
    const make = maker()
    const sizeOf = async (pixels: number) => {
      const { type, bytes } = await make(large, { kind: 'preview', pixels })
      expect(type).toBe('image/webp')
      return (await sharp(bytes).metadata()).width
    }
    expect([await sizeOf(100), await sizeOf(2000)]).toEqual([100, 600])
  })

  it('of a page that is not there says how many there are', async () => {
    const { bytes } = await pdf()
    await expect(maker()(bytes, { kind: 'preview', type: 'application/pdf', page: 2 })).rejects.toThrow(
      'it has 1 pages',
    )
  })
})

describe('what cannot be done says why', () => {
  it.each<[string, Buffer, Partial<CopyWanted>, string]>([
    [
      'a type that nobody shows',
      Buffer.from('x'),
      { type: 'application/zip' },
      'no copy can be made of application/zip',
    ],
    ['a file that is too large', Buffer.from('x'), { size: 65 * 1024 * 1024 }, 'larger than 64 MB'],
    [
      'a drawing that is called a picture',
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
      {},
      'cannot be opened',
    ],
    ['bytes that are no picture', Buffer.alloc(100, 7), {}, 'cannot be opened'],
    ['bytes that are no PDF', Buffer.alloc(100, 7), { type: 'application/pdf' }, 'cannot be opened'],
  ])('%s', async (_, bytes, wanted, reason) => {
    await expect(maker()(bytes, wanted)).rejects.toThrow(reason)
  })

  it('a picture that is cut', async () => {
    const { bytes } = await jpeg('cut.jpg', 200)
    await expect(maker()(bytes.subarray(0, bytes.length / 2))).rejects.toThrow('cannot be opened')
  })
})

describe('a process that a file has taken over', () => {
  const script = fileURLToPath(new URL('misbehaves.mjs', import.meta.url))
  const misbehaving = (options: CopyMakerOptions = {}) => {
    const make = maker({ script, ...options })
    return (act: string) =>
      make(Buffer.from(act)).then(
        () => 'made',
        (error: Error) => error.message,
      )
  }

  it('is ended when it hangs or spins', async () => {
    const act = misbehaving({ caps: { ms: 1500 } })
    expect(await act('hang')).toBe('it took more than 1.5 s')
    expect(await act('spin')).toBe('it took more than 1.5 s')
  })

  it('is ended when it fills the memory or floods, and the next copy is made', async () => {
    const act = misbehaving({ caps: { memory: 300 * 1024 * 1024 }, atOnce: 1 })
    expect(await act('fill')).toBe('it took more than 300 MB of memory')
    expect(await act('flood')).toBe('its copy is too large')
    expect(await act('environment')).toBe('{}')
  })

  it.each([
    ['die', 'it could not be opened: the process that tried ended'],
    ['nonsense', 'it could not be opened: the answer makes no sense'],
    ['lie', 'it could not be opened: the answer makes no sense'],
    ['short', 'it could not be opened: the answer makes no sense'],
    ['fork', 'ERR_ACCESS_DENIED'],
    ['write', 'ERR_ACCESS_DENIED'],
    ['read /etc/passwd', 'ERR_ACCESS_DENIED'],
  ])('that would %s gets nowhere', async (act, outcome) => {
    expect(await misbehaving()(act)).toBe(outcome)
  })

  it('reaches no network, where the system allows that', async () => {
    const server = createServer()
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    const { means } = await buildJail({ script, hidden: [] })
    expect(await misbehaving()(`connect ${port}`)).toBe(means.network ? 'ENETUNREACH' : 'connected')
  })
})

it('the means hold without what Node forbids by itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clipgate-jail-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'keys'))
  writeFileSync(join(folder, 'key'), 'secret')
  const { copy, means } = await buildJail({
    script: '--version',
    hidden: [folder, join(folder, 'keys'), '/nowhere'],
  })
  const node = copy.indexOf(process.execPath)
  const run = (script: string) => {
    const [first, ...rest] = [...copy.slice(0, node), 'sh', '-c', script]
    return spawnSync(first!, rest, { encoding: 'utf8', env: { PATH: process.env.PATH } }).stdout.trim()
  }
  if (means.folders) expect(run(`ls ${folder}`)).toBe('')
  if (means.limits) expect(run(`ulimit -t; ulimit -f; ulimit -c`)).toBe('30\n0\n0')
  if (means.rights) expect(run('grep NoNewPrivs /proc/self/status')).toMatch(/1$/)
  // Nobody can be who runs it only where nobody may read Node: not below somebody's home.
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all', '--bounding-set=-all']
  const readable = spawnSync('setpriv', [...nobody, 'test', '-x', process.execPath]).status === 0
  if (means.rights && process.getuid?.() === 0) expect(run('id -u')).toBe(readable ? '65534' : '0')
})

it('files wait for their turn, and who waits when the service stops is told', async () => {
  const script = fileURLToPath(new URL('misbehaves.mjs', import.meta.url))
  const made = createCopyMaker({ script, atOnce: 1 })
  const wanted: CopyWanted = { kind: 'safe', type: 'image/png', size: 4, page: 1, pixels: 1 }
  const running = made.make(wanted, once(Buffer.from('hang'))).catch((error: Error) => error)
  const waiting = made.make(wanted, once(Buffer.from('hang'))).catch((error: Error) => error)
  await made.jail()
  await made.close()
  expect(await waiting).toBeInstanceOf(Unavailable)
  expect(await running).toBeInstanceOf(Unavailable)
})

it('nobody waits with so many that others cannot, and what nobody waits for any more is not made', async () => {
  const script = fileURLToPath(new URL('misbehaves.mjs', import.meta.url))
  const made = createCopyMaker({ script, atOnce: 1, caps: { ms: 1000 } })
  const wanted: CopyWanted = { kind: 'preview', type: 'image/png', size: 4, page: 1, pixels: 1 }
  const ask = (who: string | null, isGone = () => false) =>
    made
      .make(wanted, once(Buffer.from('hang')), { who, isGone })
      .then(() => null)
      .catch((error: Error) => error)
  const first = ask(null)
  const gone = ask('user:otto', () => true)
  const ofAnn = Array.from({ length: 50 }, () => ask('user:ann'))
  expect(await ask('user:ann')).toBeInstanceOf(Unavailable)
  const others = [ask('user:otto'), ask(null)]
  expect(await first).toBeInstanceOf(NoCopy)
  expect(await gone).toBeInstanceOf(SenderGone)
  await made.close()
  for (const one of await Promise.all([...ofAnn, ...others])) expect(one).toBeInstanceOf(Unavailable)
})
