import { allows } from '../world/profiles.ts'
import { GuestRefusal } from './refusal.ts'

/** Largest file, in KB, of a live session's answer. A KB is taken as 1024 bytes; the mobile SDK counts 1000. */
const maxFileSizeKB = 10_240
export const maxFileBytes = maxFileSizeKB * 1024

/** Longest inbound text in bytes of UTF-8 (official limits page). */
const maxTextBytes = 4096

/** A file name must be shorter than this, in characters. */
const fileNameLimit = 1024

/**
 * The real list comes from the server only, and only these six of it were seen in public. The rest of this list is made of
 * other common executable extensions: UNCONFIRMED one by one.
 */
const blockedExtensions = [
  ...['.ade', '.adp', '.bat', '.exe', '.js', '.ps1'],
  ...['.chm', '.cmd', '.com', '.cpl', '.dll', '.hta', '.jar', '.jse', '.lnk', '.msc', '.msi', '.msp', '.pif', '.reg'],
  ...['.scr', '.sys', '.vb', '.vbe', '.vbs', '.wsc', '.wsf', '.wsh'],
]

/** What a deployment lets customers send. */
export interface Allowed {
  /** Whether files at all. */
  attachments: boolean
  /** Types by its supported content profile. */
  types: string[]
}

/** What the Guest API checks when a client asks to upload. Throws `GuestRefusal`. Names and sizes are judged, never bytes. */
export function checkFile(file: { name: string; mime: string; sizeBytes: number }, allowed: Allowed): void {
  if (!allowed.attachments) throw new GuestRefusal(4000, 'Attachments are not available')
  if (file.name.length >= fileNameLimit) throw new GuestRefusal(4005, 'File name is too long')
  const extension = /.\.([^./\\]+)$/.exec(file.name)?.[1]
  if (extension === undefined) throw new GuestRefusal(4004, 'File name must have an extension')
  if (blockedExtensions.includes(`.${extension.toLowerCase()}`)) {
    throw new GuestRefusal(4001, `File extension .${extension} not supported`)
  }
  if (!allows(allowed.types, file.mime)) throw new GuestRefusal(4001, `File type ${file.mime} not supported`)
  if (file.sizeBytes === 0) throw new GuestRefusal(4102, 'File is empty')
  if (file.sizeBytes > maxFileBytes) throw new GuestRefusal(4002, 'File size is larger than the allowed maximum')
}

/** Throws `GuestRefusal`. */
export function checkText(text: string): void {
  const bytes = Buffer.byteLength(text)
  if (bytes > maxTextBytes) throw new GuestRefusal(4011, `Message length ${bytes} is larger than ${maxTextBytes}`)
}
