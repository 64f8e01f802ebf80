import { randomBytes } from 'node:crypto'

/**
 * A sealed file: a header of 16 bytes, then segments. Each segment is 64 KiB of plaintext under AES-256-GCM with its
 * 16-byte tag; the last one is shorter or full, and there is always a last one (an empty file has one empty segment).
 *
 * This is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): the nonce is prefix ‖ segment number ‖
 * last flag, so segments cannot be reordered, dropped, cut off at the end or taken from another file. The associated
 * data is header ‖ attachment id, so a sealed file opens under its own id only.
 */
export const segmentBytes = 64 * 1024
export const tagBytes = 16
export const headerBytes = 16
export const sealedSegmentBytes = segmentBytes + tagBytes
export const dataKeyBytes = 32

const magic = Buffer.from('CGS1')
const prefixBytes = 7

export function newHeader(): Buffer {
  return Buffer.concat([magic, randomBytes(prefixBytes), Buffer.alloc(headerBytes - magic.length - prefixBytes)])
}

export function isHeader(bytes: Buffer): boolean {
  return bytes.length === headerBytes && bytes.subarray(0, magic.length).equals(magic)
}

/** 12 bytes: 7 of the header's prefix, 4 of the segment's number (big endian), 1 that is 1 on the last segment. */
export function nonceOf(header: Buffer, segment: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  header.copy(nonce, 0, magic.length, magic.length + prefixBytes)
  nonce.writeUInt32BE(segment, prefixBytes)
  nonce[11] = last ? 1 : 0
  return nonce
}

export function associatedData(header: Buffer, attachmentId: string): Buffer {
  return Buffer.concat([header, Buffer.from(attachmentId)])
}

/** How many segments a plaintext of `size` bytes has: at least one. */
export function segmentsOf(size: number): number {
  return Math.max(1, Math.ceil(size / segmentBytes))
}

export function sealedSize(size: number): number {
  return headerBytes + size + segmentsOf(size) * tagBytes
}
