import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { ConfigError } from '../errors.ts'
import { dataKeyBytes } from '../seal/format.ts'
import { masterKeyId } from '../seal/keys.ts'
import { outputOf } from './command.ts'
import { addToKeyFile, createKeyFile, readKeyFile, removeFromKeyFile } from './keyFile.ts'
import { type KeyLine, parseKeyText } from './keyText.ts'
import type { KeySettings } from './settings.ts'

/** Gives the master keys, the newest last. */
export interface KeySource {
  /** For sentences: what has the keys. */
  readonly name: string
  /** What is asked again may have more keys. False: only another process is given others. */
  readonly changes: boolean
  /** Null: there is none. Throws `ConfigError` when what is there holds no keys, or they cannot be had. */
  read(): Promise<Buffer[] | null>
  /** Null: the keys are not kept by us. */
  readonly file: KeyFile | null
}

/** A key file that we may write. Each change is durable when it resolves, or has changed nothing; throws `ConfigError`. */
export interface KeyFile {
  readonly path: string
  /** Makes the file, with a new key. Never replaces one. */
  create(): Promise<Buffer>
  /** A new key, as the last line. */
  add(): Promise<Buffer>
  /** False: it was not in the file. */
  remove(id: string): Promise<boolean>
}

/** Loaded by who needs it: AWS's client is larger than all the rest of a start. */
const loadKms = () => import('./kms.ts')

export function keySource(settings: KeySettings, masterKey: string | null, clock: Clock): KeySource {
  switch (settings.from) {
    case 'file': {
      const { path, kms } = settings
      return { name: `the key file ${path}`, changes: true, read: () => readFile(path, kms), file: keyFile(path, kms) }
    }
    case 'environment': {
      const name = 'CLIPGATE_MASTER_KEY'
      // Where a variable is one line, commas part the keys.
      const text = masterKey?.includes('\n') ? masterKey : (masterKey ?? '').replaceAll(',', '\n')
      return { name, changes: false, read: async () => plainKeys(parseKeyText(text, name), name), file: null }
    }
    case 'command': {
      const name = `what ${settings.command[0]} prints`
      const read = async () => plainKeys(parseKeyText(await outputOf(settings.command, clock), name), name)
      return { name, changes: true, read, file: null }
    }
  }
}

/** A key file that new keys are written to: as they are, or encrypted by AWS KMS. */
export function keyFile(path: string, kms: string | null): KeyFile {
  const newLine = async () => {
    const key = randomBytes(dataKeyBytes)
    const id = masterKeyId(key)
    const line: KeyLine =
      kms === null ? { id, key } : { id, ciphertext: await (await loadKms()).encryptKey(kms, { id, key }) }
    return { key, line }
  }
  return {
    path,
    async create() {
      const { key, line } = await newLine()
      await createKeyFile(path, line)
      return key
    },
    async add() {
      const { key, line } = await newLine()
      await addToKeyFile(path, line)
      return key
    },
    remove: (id) => removeFromKeyFile(path, id),
  }
}

async function readFile(path: string, kms: string | null): Promise<Buffer[] | null> {
  const lines = await readKeyFile(path)
  if (lines === null || kms === null) return lines && plainKeys(lines, `The key file ${path}`)
  return Promise.all(lines.map(async (line) => ('key' in line ? line.key : (await loadKms()).decryptKey(line))))
}

function plainKeys(lines: KeyLine[], from: string): Buffer[] {
  return lines.map((line) => {
    if ('key' in line) return line.key
    throw new ConfigError([`${from}: ${line.id} is encrypted by AWS KMS. Set CLIPGATE_MASTER_KEY_KMS.`])
  })
}
