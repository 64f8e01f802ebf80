import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { multiPicture, withSegment } from '../../fixtures/jpegs.ts'
import type { Bad, Good } from './sample.ts'

const [jpeg, png, gif] = ['image/jpeg', 'image/png', 'image/gif'] as const

/** A picture with some of everything in it, the same each time. */
async function scene(width = 96, height = 64): Promise<Buffer> {
  const raw = Buffer.alloc(width * height * 3)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3
      raw[at] = (x * 255) / width
      raw[at + 1] = (y * 255) / height
      raw[at + 2] = (x * y) % 251
    }
  return sharp(raw, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
}

export async function good(): Promise<Good[]> {
  const folder = mkdtempSync(join(tmpdir(), 'clipgate-corpus-'))
  const samples: Good[] = []
  const path = (name: string) => join(folder, name)
  const keep = (name: string, type: string, origin: string, bytes: Buffer) =>
    samples.push({ name, type, origin, bytes })
  const by = (name: string, type: string, origin: string, command: string, ...args: string[]) => {
    const { status, stderr, stdout } = spawnSync(command, args, { cwd: folder, maxBuffer: 2 ** 24 })
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
    keep(name, type, origin, args.includes('-') || stdout.length > 100 ? stdout : readFileSync(path(name)))
  }
  const convert = (name: string, type: string, origin: string, ...args: string[]) =>
    by(name, type, `ImageMagick: ${origin}`, '/usr/bin/convert', 'scene.png', ...args, name)
  try {
    const picture = await scene()
    writeFileSync(path('scene.png'), picture)
    const vips = () => sharp(picture)
    const gps = { IFD0: { Make: 'Phone', Model: '12' }, IFD3: { GPSLatitude: '52/1 30/1 0/1', GPSLatitudeRef: 'N' } }
    keep('vips.jpg', jpeg, 'libvips', await vips().jpeg().toBuffer())
    keep('vips-progressive.jpg', jpeg, 'libvips: progressive', await vips().jpeg({ progressive: true }).toBuffer())
    keep(
      'vips-444.jpeg',
      jpeg,
      'libvips: no subsampling',
      await vips().jpeg({ chromaSubsampling: '4:4:4', quality: 100 }).toBuffer(),
    )
    keep('vips-moz.jpg', jpeg, 'libvips: mozjpeg', await vips().jpeg({ mozjpeg: true }).toBuffer())
    keep('vips-grey.jpg', jpeg, 'libvips: grey', await vips().greyscale().jpeg().toBuffer())
    keep(
      'vips-cmyk.jpg',
      jpeg,
      'libvips: CMYK with its profile',
      await vips().toColourspace('cmyk').withIccProfile('cmyk').jpeg().toBuffer(),
    )
    keep(
      'phone.jpg',
      jpeg,
      'a phone: Exif, GPS, orientation',
      await vips().withExif(gps).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    )
    keep('profile.jpg', jpeg, 'libvips: Display P3', await vips().withIccProfile('p3').jpeg().toBuffer())
    keep('tiny.jpg', jpeg, 'one pixel', await sharp(picture).resize(1, 1).jpeg().toBuffer())
    keep(
      'large.jpg',
      jpeg,
      'a wide picture',
      await sharp({ create: { width: 8000, height: 6000, channels: 3, background: '#888' } })
        .jpeg({ quality: 1 })
        .toBuffer(),
    )
    const shot = await vips().jpeg().toBuffer()
    const small = await sharp(picture).resize(24).jpeg().toBuffer()
    keep('gainmap.jpg', jpeg, 'a phone: a gain map behind it, in the index', multiPicture(shot, [small]))
    keep('burst.jpg', jpeg, 'a camera: two previews behind it, in the index', multiPicture(shot, [small, small]))
    keep('padded.jpg', jpeg, 'a mailer: zeros behind it', Buffer.concat([shot, Buffer.alloc(512)]))
    keep(
      'filled.jpg',
      jpeg,
      'a camera: FF between its segments',
      Buffer.concat([shot.subarray(0, 2), Buffer.from('ffff', 'hex'), shot.subarray(2)]),
    )
    keep(
      'notes.jpg',
      jpeg,
      'an editor: XMP and a comment',
      withSegment(
        withSegment(shot, 0xe1, 'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'),
        0xfe,
        'Created with an editor',
      ),
    )
    convert('magick.jpg', jpeg, 'JPEG', '-quality', '70')
    convert('magick-interlaced.jpg', jpeg, 'progressive', '-interlace', 'JPEG')
    convert('magick-comment.jpg', jpeg, 'a comment', '-set', 'comment', 'from my camera')
    convert('magick-density.jpg', jpeg, 'its density', '-density', '300')
    writeFileSync(path('shot.jpg'), shot)
    by(
      'tran.jpg',
      jpeg,
      'jpegtran: progressive, optimized',
      'jpegtran',
      '-progressive',
      '-optimize',
      '-outfile',
      'tran.jpg',
      'shot.jpg',
    )
    by(
      'tran-arithmetic.jpg',
      jpeg,
      'jpegtran: arithmetic coding',
      'jpegtran',
      '-arithmetic',
      '-outfile',
      'tran-arithmetic.jpg',
      'shot.jpg',
    )
    by(
      'tran-restart.jpg',
      jpeg,
      'jpegtran: restart marks',
      'jpegtran',
      '-restart',
      '1',
      '-outfile',
      'tran-restart.jpg',
      'shot.jpg',
    )
    by('ffmpeg.jpg', jpeg, 'ffmpeg', 'ffmpeg', '-v', 'error', '-i', 'scene.png', '-bitexact', 'ffmpeg.jpg')

    keep('vips.png', png, 'libvips', picture)
    keep('vips-palette.png', png, 'libvips: palette', await vips().png({ palette: true }).toBuffer())
    keep('vips-two.png', png, 'libvips: two colours', await vips().png({ palette: true, colours: 2 }).toBuffer())
    keep('vips-interlaced.png', png, 'libvips: interlaced', await vips().png({ progressive: true }).toBuffer())
    keep('vips-alpha.png', png, 'libvips: transparent', await vips().ensureAlpha(0.5).png().toBuffer())
    keep('vips-grey.png', png, 'libvips: grey', await vips().greyscale().png().toBuffer())
    keep('vips-16.png', png, 'libvips: 16 bits', await vips().toColourspace('rgb16').png().toBuffer())
    keep(
      'vips-profile.png',
      png,
      'libvips: profile, Exif',
      await vips().withExif(gps).withIccProfile('p3').png().toBuffer(),
    )
    keep('tiny.png', png, 'one pixel', await sharp(picture).resize(1, 1).png().toBuffer())
    keep('padded.png', png, 'a mailer: a line end behind it', Buffer.concat([picture, Buffer.from('\r\n')]))
    convert('magick.png', png, 'PNG with its texts')
    convert('magick-1.png', png, 'one bit', '-monochrome')
    convert(
      'magick-interlaced.png',
      png,
      'interlaced, grey and alpha',
      '-colorspace',
      'gray',
      '-alpha',
      'set',
      '-interlace',
      'PNG',
    )
    convert('magick-text.png', png, 'compressed text', '-set', 'Description', 'long text '.repeat(300))
    by('ffmpeg.png', png, 'ffmpeg', 'ffmpeg', '-v', 'error', '-i', 'scene.png', '-bitexact', 'ffmpeg.png')
    by(
      'moving.apng',
      png,
      'ffmpeg: APNG',
      'ffmpeg',
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      'testsrc=s=48x32:r=5:d=1',
      '-f',
      'apng',
      '-bitexact',
      'moving.apng',
    )
    writeFileSync(path('opti.png'), picture)
    by('opti.png', png, 'optipng', 'optipng', '-quiet', '-o1', 'opti.png')

    keep('vips.gif', gif, 'libvips', await vips().gif().toBuffer())
    keep(
      'tiny.gif',
      gif,
      'one pixel',
      Buffer.from('47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b', 'hex'),
    )
    convert('magick.gif', gif, 'GIF with a comment', '-set', 'comment', 'hello')
    convert('magick-moving.gif', gif, 'moving', '(', '+clone', '-flip', ')', '-set', 'delay', '10', '-loop', '0')
    convert('magick-87.gif', gif, 'GIF 87a', '-define', 'gif:version=87a')
    convert('magick-interlaced.gif', gif, 'interlaced', '-interlace', 'GIF')
    by(
      'ffmpeg.gif',
      gif,
      'ffmpeg: moving',
      'ffmpeg',
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      'testsrc=s=48x32:r=5:d=1',
      '-bitexact',
      'ffmpeg.gif',
    )
    writeFileSync(path('source.gif'), readFileSync(path('magick-moving.gif')))
    by('sicle.gif', gif, 'gifsicle: optimized', 'gifsicle', '-O3', 'source.gif', '-o', 'sicle.gif')
    return samples
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function chunk(type: string, data: Buffer | string): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), Buffer.from(data as string, 'latin1')])
  const head = Buffer.alloc(4)
  head.writeUInt32BE(body.length - 4)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([head, body, sum])
}

/** Chunks after the header of a PNG. */
const afterHeader = (bytes: Buffer, ...chunks: Buffer[]) =>
  Buffer.concat([bytes.subarray(0, 33), ...chunks, bytes.subarray(33)])

function headerOf(width: number, height: number, depth = 8, colour = 2): Buffer {
  const data = Buffer.alloc(13)
  data.writeUInt32BE(width)
  data.writeUInt32BE(height, 4)
  data.set([depth, colour], 8)
  return chunk('IHDR', data)
}

const pngOf = (header: Buffer, ...chunks: Buffer[]) =>
  Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), header, ...chunks, chunk('IEND', '')])

/** A ZIP with one empty file. */
const zip = Buffer.from(
  '504b03040a0000000000000000000000000000000000000000000100000061504b01021e030a00000000000000000000000000000000000000000001000000000000000000000000000000000061504b050600000000010001002f0000001f0000000000',
  'hex',
)

/** None does anything where it is opened, but take room. */
export async function bad(): Promise<Bad[]> {
  const picture = await scene()
  const shot = await sharp(picture).jpeg().toBuffer()
  const still = await sharp(picture).gif().toBuffer()
  const samples: Bad[] = []
  const add = (
    name: string,
    code: Bad['code'],
    origin: string,
    bytes: Buffer,
    type: string = name.endsWith('jpg') ? jpeg : name.endsWith('gif') ? gif : png,
  ) => samples.push({ name, type, origin, code, bytes })
  const script = '<script>alert(1)</script>'

  for (const [name, bytes] of [
    ['cut.jpg', shot],
    ['cut.png', picture],
    ['cut.gif', still],
  ] as const) {
    add(name, 'corrupt', 'its second half is missing', bytes.subarray(0, bytes.length / 2))
    add(name.replace('cut', 'endless'), 'corrupt', 'its last bytes are missing', bytes.subarray(0, -1))
    add(name.replace('cut', 'script'), 'polyglot', 'a script behind it', Buffer.concat([bytes, Buffer.from(script)]))
    add(name.replace('cut', 'zip'), 'polyglot', 'a ZIP behind it (GIFAR)', Buffer.concat([bytes, zip]))
    add(name.replace('cut', 'twice'), 'polyglot', 'the same again behind it', Buffer.concat([bytes, bytes]))
    add(
      name.replace('cut', 'other'),
      'polyglot',
      'a program behind it (head only)',
      Buffer.concat([bytes, Buffer.from('MZ\x90\0', 'latin1'), Buffer.alloc(60)]),
    )
  }
  // JPEG
  add('comment.jpg', 'polyglot', 'a script in a comment', withSegment(shot, 0xfe, script))
  add('exif.jpg', 'polyglot', 'PHP in a segment', withSegment(shot, 0xe1, 'Exif\0\0<?php echo 1; ?>'))
  add(
    'pdf.jpg',
    'polyglot',
    'a PDF in a comment',
    withSegment(shot, 0xfe, '%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<<>>\nstartxref\n0\n%%EOF'),
  )
  add('inner-zip.jpg', 'polyglot', 'a ZIP in a comment', withSegment(shot, 0xfe, zip.toString('latin1')))
  const frame = shot.indexOf(Buffer.from('ffc0', 'hex'))
  const sized = (height: number, width: number) => {
    const bytes = Buffer.from(shot)
    bytes.writeUInt16BE(height, frame + 5)
    bytes.writeUInt16BE(width, frame + 7)
    return bytes
  }
  add('vast.jpg', 'bomb', '65,535 × 65,535 by its header', sized(65_535, 65_535))
  add('flat.jpg', 'corrupt', 'no height by its header', sized(0, 96))
  add(
    'late-height.jpg',
    'corrupt',
    'its height is told after its picture',
    Buffer.concat([shot.subarray(0, -2), Buffer.from('ffdc0004ffff', 'hex'), shot.subarray(-2)]),
  )
  const scan = shot.indexOf(Buffer.from('ffda', 'hex'))
  const scans = Array.from({ length: 101 }, () => shot.subarray(scan, -2))
  add('scans.jpg', 'bomb', '101 scans', Buffer.concat([shot.subarray(0, scan), ...scans, shot.subarray(-2)]))
  add(
    'frames.jpg',
    'corrupt',
    'two frames',
    Buffer.concat([shot.subarray(0, frame), shot.subarray(frame, frame + 19), shot.subarray(frame)]),
  )
  add(
    'no-picture.jpg',
    'corrupt',
    'nothing between its ends',
    Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex'),
  )
  add('begins-twice.jpg', 'corrupt', 'a second beginning', Buffer.concat([shot.subarray(0, 2), shot]))
  add(
    'long.jpg',
    'corrupt',
    'a segment beyond its end',
    Buffer.concat([shot.subarray(0, 2), Buffer.from('fffeffff', 'hex'), shot.subarray(2, 500)]),
  )
  const two = multiPicture(shot, [await sharp(picture).resize(24).jpeg().toBuffer()])
  add('index-cut.jpg', 'corrupt', 'the picture behind it is cut', two.subarray(0, -40))
  add(
    'index-more.jpg',
    'polyglot',
    'something behind the pictures of its index',
    Buffer.concat([two, Buffer.from(script)]),
  )
  // PNG
  const pixels = chunk('IDAT', deflateSync(Buffer.alloc(4)))
  add('vast.png', 'bomb', '65,535 × 65,535 by its header', pngOf(headerOf(65_535, 65_535), pixels))
  add(
    'bits.png',
    'bomb',
    '30,000 × 30,000 of one bit',
    pngOf(headerOf(30_000, 30_000, 1, 0), chunk('IDAT', deflateSync(Buffer.alloc(1000)))),
  )
  add(
    'more.png',
    'bomb',
    'more in its picture than its size',
    pngOf(headerOf(1, 1), chunk('IDAT', deflateSync(Buffer.alloc(5_000_000)))),
  )
  add('less.png', 'corrupt', 'less in its picture than its size', pngOf(headerOf(100, 100), pixels))
  add(
    'text-bomb.png',
    'bomb',
    'a text that unpacks to 31 MB',
    afterHeader(
      picture,
      chunk('zTXt', Buffer.concat([Buffer.from('a\0\0'), deflateSync(Buffer.alloc(31 * 1024 * 1024))])),
    ),
  )
  add(
    'profile-bomb.png',
    'bomb',
    'a profile that unpacks to 31 MB',
    afterHeader(
      picture,
      chunk('iCCP', Buffer.concat([Buffer.from('a\0\0'), deflateSync(Buffer.alloc(31 * 1024 * 1024))])),
    ),
  )
  add('text.png', 'polyglot', 'PHP in a text', afterHeader(picture, chunk('tEXt', 'Comment\0<?php echo 1; ?>')))
  add(
    'packed-text.png',
    'polyglot',
    'a script in a compressed text',
    afterHeader(picture, chunk('zTXt', Buffer.concat([Buffer.from('a\0\0'), deflateSync(script)]))),
  )
  add(
    'pdf.png',
    'polyglot',
    'a PDF in a text',
    afterHeader(picture, chunk('tEXt', 'a\0%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj')),
  )
  const summed = Buffer.from(picture)
  summed[29]! ^= 1
  add('sum.png', 'corrupt', 'a wrong check sum', summed)
  const damaged = Buffer.from(picture)
  damaged[picture.length - 40]! ^= 1
  add('damaged.png', 'corrupt', 'a changed byte in its picture', damaged)
  add('headers.png', 'corrupt', 'two headers', afterHeader(picture, headerOf(1, 1)))
  add(
    'length.png',
    'corrupt',
    'a chunk beyond its end',
    Buffer.concat([picture.subarray(0, 33), Buffer.from('7fffffff49444154', 'hex'), picture.subarray(33)]),
  )
  const control = (number: number) => {
    const data = Buffer.alloc(26)
    data.writeUInt32BE(number)
    data.writeUInt32BE(1, 4)
    data.writeUInt32BE(1, 8)
    return chunk('fcTL', data)
  }
  add(
    'frames.png',
    'bomb',
    '2,001 frames',
    pngOf(headerOf(1, 1), ...Array.from({ length: 2001 }, (_, i) => control(i)), pixels),
  )
  // GIF
  const parts = {
    head: Buffer.from('GIF89a\x01\0\x01\0\0\0\0', 'latin1'),
    frame: Buffer.from('2c0000000001000100000202440100', 'hex'),
  }
  add(
    'frames.gif',
    'bomb',
    '2,001 frames',
    Buffer.concat([parts.head, ...Array.from({ length: 2001 }, () => parts.frame), Buffer.from(';')]),
  )
  const wide = Buffer.from(parts.frame)
  wide.writeUInt16LE(60_000, 5)
  wide.writeUInt16LE(60_000, 7)
  add('vast.gif', 'bomb', 'a frame of 60,000 × 60,000', Buffer.concat([parts.head, wide, Buffer.from(';')]))
  const large = Buffer.from(parts.frame)
  large.writeUInt16LE(16_000, 5)
  large.writeUInt16LE(16_000, 7)
  add(
    'sum.gif',
    'bomb',
    'frames that are too large together',
    Buffer.concat([parts.head, ...Array.from({ length: 20 }, () => large), Buffer.from(';')]),
  )
  add(
    'comment.gif',
    'polyglot',
    'a script in a comment',
    Buffer.concat([
      parts.head,
      Buffer.from('21fe', 'hex'),
      Buffer.from([script.length]),
      Buffer.from(script),
      Buffer.from([0]),
      parts.frame,
      Buffer.from(';'),
    ]),
  )
  add(
    'script.gif',
    'polyglot',
    'a program for browsers (GIF89a/*…)',
    Buffer.concat([Buffer.from('GIF89a/*\x01\0\0\0\0', 'latin1'), parts.frame, Buffer.from(';*/=1;alert(1)')]),
  )
  add('no-picture.gif', 'corrupt', 'no frame', Buffer.concat([parts.head, Buffer.from(';')]))
  add(
    'block.gif',
    'corrupt',
    'a block that nobody knows',
    Buffer.concat([parts.head, Buffer.from([0x99]), parts.frame, Buffer.from(';')]),
  )
  // Names and types that do not agree: a matrix.
  for (const [name, bytes] of [
    ['photo.png', shot],
    ['photo.gif', shot],
    ['photo.jpg', picture],
    ['photo.gif', picture],
    ['photo.jpg', still],
    ['photo.png', still],
  ] as const)
    add(name, 'type_mismatch', 'another picture than it says', bytes)
  add('photo.jpg', 'type_mismatch', 'declared as another picture', shot, png)
  add('photo.jpg.php', 'type_mismatch', 'an ending that a server runs', shot, jpeg)
  add('photo.php.jpg', 'type_mismatch', 'an inner ending that a server runs', shot, jpeg)
  return samples
}
