import { chmod, chown, lstat, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../tests/folder.ts'
import { systemClock } from '../clock.ts'
import { ConfigError } from '../errors.ts'
import { keyRing } from '../seal/keys.ts'
import { keyFile, keySource } from './source.ts'

const create = async (path: string) => [await keyFile(path, null).create()]
const read = (path: string) => keySource({ from: 'file', path, kms: null }, null, systemClock).read()

describe('a key file', () => {
  it('is made for its owner only, holds one key, and is read back', async () => {
    const path = join(await temporaryFolder(), 'master.key')
    const made = await create(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const found = await read(path)
    expect(found?.map((key) => key.toString('hex'))).toEqual(made.map((key) => key.toString('hex')))
    expect(await readFile(path, 'utf8')).toContain(keyRing(made).currentId)
  })

  it('is never replaced', async () => {
    const path = join(await temporaryFolder(), 'master.key')
    await create(path)
    const before = await readFile(path, 'utf8')
    await expect(create(path)).rejects.toThrow(ConfigError)
    expect(await readFile(path, 'utf8')).toBe(before)
  })

  it('that is not there is told apart from one that is unreadable', async () => {
    const folder = await temporaryFolder()
    expect(await read(join(folder, 'none.key'))).toBeNull()
    await expect(read(folder)).rejects.toThrow(ConfigError)
    await expect(create(join(folder, 'no such folder', 'master.key'))).rejects.toThrow(ConfigError)
  })

  it.each([0o640, 0o604, 0o660, 0o644, 0o601])(
    'of mode %o is refused, with the command that mends it',
    async (mode) => {
      const path = join(await temporaryFolder(), 'master.key')
      await create(path)
      await chmod(path, mode)
      await expect(read(path)).rejects.toThrow(`chmod 600 ${path}`)
    },
  )

  it.skipIf(process.getuid?.() !== 0)(
    'of mode 0640 is taken where root handed it to the group of a service that is not root',
    async () => {
      const folder = await temporaryFolder()
      const path = join(folder, 'master.key')
      await keyFile(path, null).create()
      await chmod(folder, 0o755)
      await chown(path, 0, 65_534)
      const asNobody = async (mode: number) => {
        await chmod(path, mode)
        process.setegid?.(65_534)
        process.seteuid?.(65_534)
        try {
          return await read(path)
        } finally {
          process.seteuid?.(0)
          process.setegid?.(0)
        }
      }
      expect(await asNobody(0o640)).toHaveLength(1)
      expect(await asNobody(0o440)).toHaveLength(1)
      for (const mode of [0o660, 0o644, 0o641]) await expect(asNobody(mode)).rejects.toThrow('can be read by others')
      await chown(path, 65_534, 65_534)
      await expect(asNobody(0o640)).rejects.toThrow('can be read by others')
    },
  )

  it('may hold several keys, notes, blank lines and Windows line ends; the last key is current', async () => {
    const folder = await temporaryFolder()
    const lines = await Promise.all(
      ['a', 'b'].map(async (name) => {
        await create(join(folder, name))
        return (await readFile(join(folder, name), 'utf8')).split('\n')[1]!
      }),
    )
    const path = join(folder, 'both.key')
    await writeFile(path, `# older\r\n${lines[0]}\r\n\r\n  # newer\r\n${lines[1]}\r\n`, { mode: 0o600 })
    const ring = keyRing((await read(path))!)
    expect(ring.ids).toEqual(lines.map((line) => line.split(' ')[0]))
    expect(ring.currentId).toBe(lines[1]!.split(' ')[0])
  })

  it('that is empty or damaged is refused, and nothing of a key is told', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'master.key')
    await create(path)
    const good = (await readFile(path, 'utf8')).split('\n')[1]!
    const [name, encoded] = good.split(' ') as [string, string]
    const other = `${encoded[0] === 'A' ? 'B' : 'A'}${encoded.slice(1)}`
    for (const line of [
      '',
      '# only a note',
      encoded,
      `${name}`,
      `${name} ${other}`,
      `mk_0000000000000000 ${encoded}`,
      `${good}\nrubbish`,
    ]) {
      await writeFile(path, `${line}\n`)
      const failure = await read(path).then(
        () => null,
        (error: Error) => error,
      )
      expect(failure, line).toBeInstanceOf(ConfigError)
      expect(failure?.message).not.toContain(encoded.slice(0, 8))
    }
  })

  it('is given a new key as its last line, and loses one, while notes, mode and a link to it stay', async () => {
    const folder = await temporaryFolder()
    const [real, path] = [join(folder, 'real.key'), join(folder, 'master.key')]
    const [first] = await create(real)
    await chmod(real, 0o400)
    await symlink(real, path)
    const file = keyFile(path, null)
    const second = await file.add()
    expect(await read(path)).toEqual([first, second])
    expect([(await lstat(path)).isSymbolicLink(), (await stat(real)).mode & 0o777]).toEqual([true, 0o400])
    const { currentId } = keyRing([first!])
    expect([await file.remove(currentId), await file.remove(currentId)]).toEqual([true, false])
    expect(await read(path)).toEqual([second])
    expect(await readFile(real, 'utf8')).toMatch(/^# Clipgate master key/)
    expect(await readdir(folder)).toEqual(['master.key', 'real.key'])
  })

  it('is as it was when it cannot be changed, and is never left without a key', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'master.key')
    const [only] = await create(path)
    await expect(keyFile(path, null).remove(keyRing([only!]).currentId)).rejects.toThrow('has no key')
    await expect(keyFile(join(folder, 'none'), null).add()).rejects.toThrow('There is no key file')
    expect(await read(path)).toEqual([only])
    expect(await readdir(folder)).toEqual(['master.key'])
  })
})
