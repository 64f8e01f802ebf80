import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import type { Bad, Good } from './sample.ts'

const types = {
  webp: 'image/webp',
  avif: 'image/avif',
  heic: 'image/heic',
  bmp: 'image/bmp',
  tiff: 'image/tiff',
  tif: 'image/tiff',
  mp4: 'video/mp4',
  mov: 'video/quicktime',
  m4a: 'audio/mp4',
  mp3: 'audio/mpeg',
  wav: 'audio/wav',
  ogg: 'audio/ogg',
  opus: 'audio/ogg',
} as Record<string, string>
const typeOf = (name: string) => types[name.slice(name.lastIndexOf('.') + 1)]!

const picture = () =>
  sharp({ create: { width: 64, height: 48, channels: 3, background: '#4a8' } }).composite([
    { input: { create: { width: 20, height: 20, channels: 3, background: '#d33' } }, left: 5, top: 5 },
  ])

const sine = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=0.4']
const film = ['-f', 'lavfi', '-i', 'testsrc=s=64x48:r=5:d=1']

/** Each file's bytes by its name, from the programs that people's machines have. */
async function genuine(): Promise<Map<string, { origin: string; bytes: Buffer }>> {
  const folder = mkdtempSync(join(tmpdir(), 'clipgate-corpus-'))
  const made = new Map<string, { origin: string; bytes: Buffer }>()
  const keep = (name: string, origin: string, bytes: Buffer) => made.set(name, { origin, bytes })
  const by = (name: string, origin: string, command: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(command, args, { cwd: folder })
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
    keep(name, origin, readFileSync(join(folder, name)))
  }
  const ffmpeg = (name: string, origin: string, ...args: string[]) =>
    by(name, `ffmpeg: ${origin}`, 'ffmpeg', '-v', 'error', ...args, '-bitexact', name)
  const convert = (name: string, origin: string, ...args: string[]) =>
    by(name, `ImageMagick: ${origin}`, '/usr/bin/convert', 'scene.png', ...args, name)
  try {
    const scene = await picture().png().toBuffer()
    await sharp(scene).toFile(join(folder, 'scene.png'))
    keep('vips.webp', 'libvips', await sharp(scene).webp().toBuffer())
    keep('lossless.webp', 'libvips: lossless', await sharp(scene).webp({ lossless: true }).toBuffer())
    keep('alpha.webp', 'libvips: transparent', await sharp(scene).ensureAlpha(0.5).webp().toBuffer())
    keep(
      'exif.webp',
      'libvips: Exif and profile',
      await sharp(scene)
        .withExif({ IFD0: { Make: 'Phone' } })
        .withIccProfile('p3')
        .webp()
        .toBuffer(),
    )
    const frames = [scene, await sharp(scene).negate().png().toBuffer()]
    keep(
      'moving.webp',
      'libvips: moving',
      await sharp(frames, { join: { animated: true } })
        .webp()
        .toBuffer(),
    )
    by('cwebp.webp', 'cwebp', 'cwebp', '-quiet', 'scene.png', '-o', 'cwebp.webp')
    keep('vips.avif', 'libvips', await sharp(scene).avif().toBuffer())
    keep(
      'exif.avif',
      'libvips: Exif',
      await sharp(scene)
        .withExif({ IFD0: { Make: 'Phone' } })
        .avif()
        .toBuffer(),
    )
    by('enc.heic', 'heif-enc: x265', 'heif-enc', '-q', '50', 'scene.png', '-o', 'enc.heic')
    by('enc.avif', 'heif-enc', 'heif-enc', '-A', '-q', '50', 'scene.png', '-o', 'enc.avif')
    convert('magick.bmp', 'BMP', '-define', 'bmp:format=bmp4')
    convert('magick3.bmp', 'BMP of Windows 3', '-define', 'bmp:format=bmp3', '-alpha', 'off')
    convert('palette.bmp', 'BMP with a palette', '-colors', '16', '-define', 'bmp:format=bmp3', '-type', 'palette')
    convert('rle.bmp', 'BMP in runs', '-colors', '16', '-type', 'palette', '-compress', 'RLE')
    ffmpeg('ffmpeg.bmp', 'BMP', '-i', 'scene.png')
    keep('vips.tiff', 'libvips', await sharp(scene).tiff().toBuffer())
    keep('lzw.tif', 'libvips: LZW', await sharp(scene).tiff({ compression: 'lzw' }).toBuffer())
    keep('jpeg.tif', 'libvips: JPEG inside', await sharp(scene).tiff({ compression: 'jpeg' }).toBuffer())
    keep(
      'tiles.tif',
      'libvips: tiles and smaller copies',
      await sharp(scene).resize(300).tiff({ tile: true, pyramid: true, tileWidth: 64, tileHeight: 64 }).toBuffer(),
    )
    convert('magick.tiff', 'TIFF', '-compress', 'zip')
    convert('pages.tiff', 'TIFF with three pages', '+clone', '+clone')
    convert('big.tiff', 'TIFF, big end first', '-endian', 'MSB')
    convert('fax.tiff', 'a fax', '-monochrome', '-compress', 'Group4')
    ffmpeg('h264.mp4', 'H.264', ...film, '-c:v', 'libx264', '-pix_fmt', 'yuv420p')
    ffmpeg(
      'fast.mp4',
      'H.264, described first',
      ...film,
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p',
      '-movflags',
      'faststart',
    )
    ffmpeg(
      'pieces.mp4',
      'H.264 in fragments',
      ...film,
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p',
      '-movflags',
      'frag_keyframe+empty_moov',
    )
    ffmpeg(
      'both.mp4',
      'picture and sound',
      ...film,
      ...sine,
      '-c:v',
      'libx264',
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'aac',
      '-shortest',
    )
    ffmpeg('hevc.mp4', 'HEVC', ...film, '-c:v', 'libx265', '-x265-params', 'log-level=none', '-tag:v', 'hvc1')
    ffmpeg('film.mov', 'QuickTime', ...film, '-c:v', 'libx264', '-pix_fmt', 'yuv420p')
    ffmpeg('voice.m4a', 'AAC', ...sine, '-c:a', 'aac')
    ffmpeg('voice.mp3', 'MP3', ...sine)
    ffmpeg('variable.mp3', 'MP3, variable', ...sine, '-q:a', '4', '-ar', '22050', '-ac', '1')
    ffmpeg('tagged.mp3', 'MP3 with both tags', ...sine, '-metadata', 'title=Größe', '-write_id3v1', '1')
    ffmpeg('voice.wav', 'WAVE', ...sine, '-ar', '8000')
    ffmpeg('law.wav', 'WAVE, A-law', ...sine, '-c:a', 'pcm_alaw', '-ar', '8000')
    ffmpeg('voice.ogg', 'Vorbis', ...sine, '-c:a', 'libvorbis')
    ffmpeg('voice.opus', 'Opus', ...sine, '-c:a', 'libopus')
    return made
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

let once: Promise<Map<string, { origin: string; bytes: Buffer }>> | null = null
const files = () => {
  once ??= genuine()
  return once
}

export async function good(): Promise<Good[]> {
  return [...(await files())].map(([name, { origin, bytes }]) => ({ name, type: typeOf(name), origin, bytes }))
}

/** None does anything where it is opened, but take room; addresses lead nowhere. */
export async function bad(): Promise<Bad[]> {
  const made = await files()
  const samples: Bad[] = []
  const add = (name: string, code: Bad['code'], origin: string, bytes: Buffer, type = typeOf(name)) =>
    samples.push({ name, type, origin, code, bytes })
  const of = (name: string) => Buffer.from(made.get(name)!.bytes)
  const changed = (name: string, change: (bytes: Buffer) => void) => {
    const bytes = of(name)
    change(bytes)
    return bytes
  }
  const script = Buffer.from('<script>alert(1)</script>')
  for (const name of [
    'vips.webp',
    'vips.avif',
    'enc.heic',
    'magick.bmp',
    'vips.tiff',
    'h264.mp4',
    'fast.mp4',
    'film.mov',
    'voice.m4a',
    'voice.wav',
    'voice.ogg',
  ])
    add(`cut-${name}`, 'corrupt', `its second half is missing (${name})`, of(name).subarray(0, of(name).length / 2))
  for (const name of [
    'vips.webp',
    'vips.avif',
    'magick.bmp',
    'vips.tiff',
    'h264.mp4',
    'voice.m4a',
    'voice.mp3',
    'voice.wav',
    'voice.ogg',
  ])
    add(
      `script-${name}`,
      name.match(/avif|mp4|m4a/) ? 'corrupt' : 'polyglot',
      `a script behind it (${name})`,
      Buffer.concat([of(name), script]),
    )
  add(
    'program.mp3',
    'polyglot',
    'a program behind it (head only)',
    Buffer.concat([of('voice.mp3'), Buffer.from('MZ\x90\0', 'latin1'), Buffer.alloc(200, 7)]),
  )
  const find = (bytes: Buffer, text: string) => {
    const at = bytes.indexOf(Buffer.from(text, 'latin1'))
    if (at < 0) throw new Error(`no ${text}`)
    return at
  }
  add(
    'canvas.webp',
    'bomb',
    'a canvas of 16,777,216 × 16,777,216',
    changed('exif.webp', (bytes) => bytes.fill(0xff, find(bytes, 'VP8X') + 12, find(bytes, 'VP8X') + 18)),
  )
  add(
    'lies.webp',
    'corrupt',
    'another size than its canvas',
    changed('exif.webp', (bytes) => void bytes.writeUIntLE(99, find(bytes, 'VP8X') + 12, 3)),
  )
  add(
    'frame.webp',
    'corrupt',
    'a frame larger than its canvas',
    changed('moving.webp', (bytes) => void bytes.writeUIntLE(9999, find(bytes, 'ANMF') + 8 + 6, 3)),
  )
  add(
    'long.webp',
    'corrupt',
    'a chunk beyond its end',
    changed('vips.webp', (bytes) => void bytes.writeUInt32LE(0x7fffffff, 16)),
  )
  add('empty.webp', 'corrupt', 'no picture', Buffer.from('RIFF\x04\0\0\0WEBP', 'latin1'))
  const exif = of('exif.webp')
  const inside = find(exif, 'Phone')
  script.copy(exif, inside, 0, 8)
  add('exif.webp', 'polyglot', 'a script in its Exif', exif)
  const size = (bytes: Buffer) => find(bytes, 'ispe') + 8
  add(
    'vast.avif',
    'bomb',
    '65,535 × 65,535 by its sizes',
    changed('vips.avif', (bytes) => {
      bytes.writeUInt32BE(65_535, size(bytes))
      bytes.writeUInt32BE(65_535, size(bytes) + 4)
    }),
  )
  add(
    'none.heic',
    'corrupt',
    'no size at all',
    changed('enc.heic', (bytes) => void bytes.fill(0, size(bytes), size(bytes) + 8)),
  )
  add('avif.heic', 'type_mismatch', 'an AVIF that is called a HEIC', of('vips.avif'), 'image/heic')
  add('film.avif', 'corrupt', 'a film that is called a picture', of('h264.mp4'), 'image/avif')
  const bmp = (width: number, height: number) =>
    changed('magick3.bmp', (bytes) => {
      bytes.writeInt32LE(width, 18)
      bytes.writeInt32LE(height, 22)
    })
  add('vast.bmp', 'bomb', '100,000 × 100,000 by its head', bmp(100_000, 100_000))
  add('short.bmp', 'corrupt', 'fewer pixels than it says', bmp(640, 480))
  add(
    'inside.bmp',
    'unscannable',
    'a JPEG inside',
    changed('magick3.bmp', (bytes) => void bytes.writeUInt32LE(4, 30)),
  )
  const field = (bytes: Buffer, tag: number): number => {
    const directory = bytes.readUInt32LE(4)
    for (let i = 0; i < bytes.readUInt16LE(directory); i++)
      if (bytes.readUInt16LE(directory + 2 + i * 12) === tag) return directory + 2 + i * 12
    throw new Error(`no field ${tag}`)
  }
  add(
    'vast.tiff',
    'bomb',
    '65,535 × 65,535 by its fields',
    changed('vips.tiff', (bytes) => {
      for (const tag of [256, 257]) bytes.writeUInt32LE(65_535, field(bytes, tag) + 8)
    }),
  )
  add(
    'circle.tiff',
    'corrupt',
    'pages in a circle',
    changed('vips.tiff', (bytes) => {
      const directory = bytes.readUInt32LE(4)
      bytes.writeUInt32LE(directory, directory + 2 + bytes.readUInt16LE(directory) * 12)
    }),
  )
  add(
    'strips.tiff',
    'corrupt',
    'its picture lies beyond its end',
    changed('vips.tiff', (bytes) => void bytes.writeUInt32LE(0x7fffffff, field(bytes, 273) + 8)),
  )
  const reference = (bytes: Buffer) => find(bytes, 'url \0\0\0\x01') + 4
  add(
    'elsewhere.mp4',
    'active_content',
    'its samples lie elsewhere',
    changed('fast.mp4', (bytes) => void bytes.writeUInt32BE(0, reference(bytes))),
  )
  add(
    'samples.mp4',
    'corrupt',
    'samples beyond its end',
    changed('fast.mp4', (bytes) => void bytes.writeUInt32BE(0x7fffffff, find(bytes, 'stco') + 12)),
  )
  add(
    'vast.mp4',
    'bomb',
    '65,535 × 65,535 by its track',
    changed('fast.mp4', (bytes) => {
      const track = find(bytes, 'tkhd') - 4
      const end = track + bytes.readUInt32BE(track)
      bytes.writeUInt16BE(65_535, end - 8)
      bytes.writeUInt16BE(65_535, end - 4)
    }),
  )
  add(
    'packed.mov',
    'unscannable',
    'its description is packed',
    changed('film.mov', (bytes) => void bytes.write('cmov', find(bytes, 'trak'), 'latin1')),
  )
  add(
    'other.mov',
    'active_content',
    'a film that lies elsewhere',
    changed('film.mov', (bytes) => void bytes.write('rmra', find(bytes, 'trak'), 'latin1')),
  )
  add('song.m4a', 'type_mismatch', 'a film that is called a song', of('both.mp4'), 'audio/mp4')
  add(
    'list.mp4',
    'type_mismatch',
    'a list of addresses that is called a film',
    Buffer.from('#EXTM3U\n#EXTINF:1\nhttp://example.invalid/a.ts\n'),
  )
  add('text.mp3', 'type_mismatch', 'a text that is called a song', Buffer.from('hello, this is no song at all'))
  add(
    'tag.mp3',
    'corrupt',
    'a tag beyond its end',
    Buffer.concat([Buffer.from('ID3\x04\0\0\x7f\x7f\x7f\x7f', 'latin1'), of('voice.mp3').subarray(50)]),
  )
  add(
    'scripted.mp3',
    'polyglot',
    'a script in its tag',
    Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\0', 'latin1'), Buffer.from([script.length]), script, of('voice.mp3')]),
  )
  add('no-sound.wav', 'corrupt', 'no sound', Buffer.from('RIFF\x04\0\0\0WAVE', 'latin1'))
  add(
    'order.wav',
    'corrupt',
    'sound before its format',
    changed('voice.wav', (bytes) => void bytes.write('data', find(bytes, 'fmt '), 'latin1')),
  )
  add(
    'sum.ogg',
    'corrupt',
    'a wrong check sum',
    changed('voice.ogg', (bytes) => void bytes.writeUInt8(bytes.at(-5)! ^ 1, bytes.length - 5)),
  )
  const second = of('voice.ogg').indexOf('OggS', 30)
  add(
    'page.ogg',
    'corrupt',
    'a page is missing',
    Buffer.concat([
      of('voice.ogg').subarray(0, second),
      of('voice.ogg').subarray(of('voice.ogg').indexOf('OggS', second + 30)),
    ]),
  )
  return samples
}
