import { randomUUID } from 'node:crypto'
import { chmod, chown, link, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../durable.ts'
import { ConfigError } from '../errors.ts'
import { type KeyLine, parseKeyText, withoutKey, writeKeyLine } from './keyText.ts'

const note = '# Clipgate master key. Without it no stored file can be read: keep a copy in a safe place.\n'

/** Null: there is no such file. Throws `ConfigError` when it is unreadable, open to others, or is no key file. */
export async function readKeyFile(path: string): Promise<KeyLine[] | null> {
  const text = await textOf(path)
  return text === null ? null : parseKeyText(text, `The key file ${path}`)
}

async function textOf(path: string): Promise<string | null> {
  try {
    const { mode, uid } = await stat(path)
    // What root hands to a group, as Kubernetes and systemd hand secrets to a service, is not ours to close.
    const handed = uid === 0 && process.geteuid?.() !== 0
    if ((mode & (handed ? 0o037 : 0o077)) !== 0)
      throw new ConfigError([`The key file ${path} can be read by others. Run: chmod 600 ${path}`])
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    if (error instanceof ConfigError) throw error
    throw new ConfigError([`The key file ${path} cannot be read: ${(error as Error).message}`])
  }
}

/**
 * Makes a key file of one key, durable before this resolves. Never replaces a file: throws `ConfigError`. It takes its name only
 * when it is whole: half a key file, left by a process that died, would refuse every start after it.
 */
export async function createKeyFile(path: string, line: KeyLine): Promise<void> {
  try {
    await written(path, note + writeKeyLine(line), (unnamed) => link(unnamed, path))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new ConfigError([
      code === 'EEXIST'
        ? `${path} exists already and is left as it is.`
        : `${path} cannot be written: ${(error as Error).message}`,
    ])
  }
}

/** Adds a key as the last line: it is there, whole and durable, or the file is as it was. Mode and owner stay. Throws `ConfigError`. */
export async function addToKeyFile(path: string, line: KeyLine): Promise<void> {
  await rewrite(path, (text) => `${text.replace(/\n*$/, '\n')}${writeKeyLine(line)}`)
}

/** Takes a key out of the file, in the same way. False: it was not in it. */
export async function removeFromKeyFile(path: string, id: string): Promise<boolean> {
  return rewrite(path, (text) => withoutKey(text, id))
}

async function rewrite(path: string, change: (text: string) => string): Promise<boolean> {
  const before = await textOf(path)
  if (before === null) throw new ConfigError([`There is no key file ${path}.`])
  const after = change(before)
  if (after === before) return false
  // What is about to replace it must be one.
  parseKeyText(after, `The key file ${path}`)
  try {
    // A link stays one: what it leads to is replaced.
    const real = await realpath(path)
    const { mode, uid, gid } = await stat(real)
    await written(real, after, async (unnamed) => {
      await chmod(unnamed, mode & 0o777)
      if (uid !== process.getuid?.() || gid !== process.getgid?.()) await chown(unnamed, uid, gid)
      await rename(unnamed, real)
    })
  } catch (error) {
    throw new ConfigError([`${path} cannot be written, and is as it was: ${(error as Error).message}`])
  }
  return true
}

/** Writes a text under a name of its own beside `path`, and has `name` give it the right one once it is durable. */
async function written(path: string, text: string, name: (unnamed: string) => Promise<void>): Promise<void> {
  const unnamed = `${path}.${randomUUID()}`
  try {
    const file = await open(unnamed, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await name(unnamed)
  } finally {
    await rm(unnamed, { force: true })
  }
  await syncFolder(dirname(path))
}
