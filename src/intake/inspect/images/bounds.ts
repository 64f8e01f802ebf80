import { Refused } from '../../../errors.ts'
import type { Limits, Work } from '../limits.ts'
import { pageIn } from '../polyglot.ts'
import type { Source } from '../source.ts'

/** Throws `Refused`: `corrupt` for nothing at all, `bomb` for more than a viewer should have to unfold. */
export function checkPixels(width: number, height: number, limits: Limits): void {
  if (width === 0 || height === 0) throw new Refused('corrupt', `an image of ${width} × ${height}`)
  if (width * height > limits.pixels)
    throw new Refused('bomb', `an image of ${width} × ${height} pixels, limit ${millions(limits.pixels)}`)
}

/** Called with the size of each frame. Throws `Refused` (bomb). */
export function framesOf({ limits, step }: Work): (width: number, height: number) => void {
  let frames = 0
  let pixels = 0
  return (width, height) => {
    step()
    frames += 1
    pixels += width * height
    if (frames > limits.frames) throw new Refused('bomb', `more than ${limits.frames} frames`)
    if (pixels > limits.framePixels)
      throw new Refused('bomb', `its frames have more than ${millions(limits.framePixels)} in all`)
  }
}

/** Comments and other text beside a picture: some programs run what they find there. */
export function checkMetadata(file: Source, at: number, length: number, where: string): void {
  const page = pageIn(file, at, length)
  if (page) throw new Refused('polyglot', `${where} holds a page or program ("${page}")`)
}

function millions(pixels: number): string {
  return `${Math.round(pixels / 1_000_000)} million pixels`
}
