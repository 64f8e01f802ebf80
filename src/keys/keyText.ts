import { ConfigError } from '../errors.ts'
import { dataKeyBytes } from '../seal/format.ts'
import { masterKeyId } from '../seal/keys.ts'

/** A line of a key file: the key itself, or what AWS KMS made of it. */
export type KeyLine = { id: string; key: Buffer } | { id: string; ciphertext: Buffer }

const kmsMark = 'kms:'

/**
 * The text of a key file: one key a line, `<id> <base64 of 32 bytes>` or `<id> kms:<base64 of a ciphertext>`, the newest last.
 * Lines that begin with # are notes. `from` names the text in problems. Throws `ConfigError` when it says something else, and tells
 * nothing of it: it may be a key.
 */
export function parseKeyText(text: string, from: string): KeyLine[] {
  const lines = text
    .split('\n')
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'))
  if (lines.length === 0) throw new ConfigError([`${from} has no key.`])
  return lines.map(({ line, number }) => {
    const [id = '', encoded = '', ...rest] = line.split(/\s+/)
    const damaged = new ConfigError([`${from} is damaged: line ${number} does not hold a key and its name.`])
    if (!/^mk_[0-9a-f]{16}$/.test(id) || rest.length > 0) throw damaged
    if (encoded.startsWith(kmsMark)) {
      const ciphertext = Buffer.from(encoded.slice(kmsMark.length), 'base64')
      if (ciphertext.length === 0) throw damaged
      return { id, ciphertext }
    }
    const key = Buffer.from(encoded, 'base64')
    if (key.length !== dataKeyBytes || masterKeyId(key) !== id) throw damaged
    return { id, key }
  })
}

export function writeKeyLine(line: KeyLine): string {
  return 'key' in line
    ? `${line.id} ${line.key.toString('base64')}\n`
    : `${line.id} ${kmsMark}${line.ciphertext.toString('base64')}\n`
}

/** The text without the lines of one key; notes stay. */
export function withoutKey(text: string, id: string): string {
  return text
    .split('\n')
    .filter((line) => line.trim().split(/\s+/)[0] !== id)
    .join('\n')
}
