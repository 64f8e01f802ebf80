import { randomBytes } from 'node:crypto'
import { chmod, chown, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../tests/folder.ts'
import { ConfigError, Damaged, Unavailable } from '../errors.ts'
import { createKeyFile, keyRing, readKeyFile } from './keys.ts'

const id = 'att_0123456789abcdefghjkmnpqrs'

describe('a data key', () => {
  it('comes back from its wrapping under the same attachment id', () => {
    const ring = keyRing([randomBytes(32)])
    const dataKey = ring.newDataKey()
    expect(dataKey.length).toBe(32)
    expect(ring.unwrap(ring.wrap(dataKey, id), id).equals(dataKey)).toBe(true)
  })

  it('is wrapped anew each time and is not in its wrapping', () => {
    const ring = keyRing([randomBytes(32)])
    const dataKey = ring.newDataKey()
    const [one, other] = [ring.wrap(dataKey, id), ring.wrap(dataKey, id)]
    expect(Buffer.from(one.wrapped).equals(other.wrapped)).toBe(false)
    expect(Buffer.from(one.wrapped).includes(dataKey)).toBe(false)
  })

  it('does not come back under another attachment id', () => {
    const ring = keyRing([randomBytes(32)])
    const wrapped = ring.wrap(ring.newDataKey(), id)
    expect(() => ring.unwrap(wrapped, 'att_zzzzzzzzzzzzzzzzzzzzzzzzzz')).toThrow(Damaged)
  })

  it('does not come back when any byte of its wrapping, its version too, is changed, missing or added', () => {
    const ring = keyRing([randomBytes(32)])
    const { masterKeyId, wrapped } = ring.wrap(ring.newDataKey(), id)
    for (let at = 0; at < wrapped.length; at++) {
      const changed = Buffer.from(wrapped)
      changed[at]! ^= 1
      expect(() => ring.unwrap({ masterKeyId, wrapped: changed }, id)).toThrow(Damaged)
      expect(() => ring.unwrap({ masterKeyId, wrapped: wrapped.subarray(0, at) }, id)).toThrow(Damaged)
    }
    expect(() => ring.unwrap({ masterKeyId, wrapped: Buffer.concat([wrapped, Buffer.alloc(1)]) }, id)).toThrow(Damaged)
  })

  it('does not come back under the name of another master key', () => {
    const [older, newer] = [randomBytes(32), randomBytes(32)]
    const ring = keyRing([older, newer])
    const { wrapped } = keyRing([older]).wrap(ring.newDataKey(), id)
    expect(() => ring.unwrap({ masterKeyId: ring.currentId, wrapped }, id)).toThrow(Damaged)
  })

  it('waits for its master key when that one is not here', () => {
    const wrapped = keyRing([randomBytes(32)]).wrap(randomBytes(32), id)
    expect(() => keyRing([randomBytes(32)]).unwrap(wrapped, id)).toThrow(Unavailable)
  })
})

describe('a key ring of several keys', () => {
  it('wraps with the last and opens what any of them wrapped', () => {
    const [older, newer] = [randomBytes(32), randomBytes(32)]
    const before = keyRing([older])
    const ring = keyRing([older, newer])
    const dataKey = before.newDataKey()
    expect(ring.ids).toEqual([before.currentId, ring.currentId])
    expect(ring.wrap(dataKey, id).masterKeyId).toBe(ring.currentId)
    expect(ring.unwrap(before.wrap(dataKey, id), id).equals(dataKey)).toBe(true)
  })

  it('names its keys without telling anything of them', () => {
    const key = randomBytes(32)
    const { currentId } = keyRing([key])
    expect(currentId).toMatch(/^mk_[0-9a-f]{16}$/)
    expect(currentId).toBe(keyRing([Buffer.from(key)]).currentId)
    expect(key.toString('hex')).not.toContain(currentId.slice(3))
  })
})

describe('a key file', () => {
  it('is made for its owner only, holds one key, and is read back', async () => {
    const path = join(await temporaryFolder(), 'master.key')
    const made = await createKeyFile(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const found = await readKeyFile(path)
    expect(found?.map((key) => key.toString('hex'))).toEqual(made.map((key) => key.toString('hex')))
    expect(await readFile(path, 'utf8')).toContain(keyRing(made).currentId)
  })

  it('is never replaced', async () => {
    const path = join(await temporaryFolder(), 'master.key')
    await createKeyFile(path)
    const before = await readFile(path, 'utf8')
    await expect(createKeyFile(path)).rejects.toThrow(ConfigError)
    expect(await readFile(path, 'utf8')).toBe(before)
  })

  it('that is not there is told apart from one that is unreadable', async () => {
    const folder = await temporaryFolder()
    expect(await readKeyFile(join(folder, 'none.key'))).toBeNull()
    await expect(readKeyFile(folder)).rejects.toThrow(ConfigError)
    await expect(createKeyFile(join(folder, 'no such folder', 'master.key'))).rejects.toThrow(ConfigError)
  })

  it.each([0o640, 0o604, 0o660, 0o644, 0o601])(
    'of mode %o is refused, with the command that mends it',
    async (mode) => {
      const path = join(await temporaryFolder(), 'master.key')
      await createKeyFile(path)
      await chmod(path, mode)
      await expect(readKeyFile(path)).rejects.toThrow(`chmod 600 ${path}`)
    },
  )

  it.skipIf(process.getuid?.() !== 0)(
    'of mode 0640 is taken where root handed it to the group of a service that is not root',
    async () => {
      const folder = await temporaryFolder()
      const path = join(folder, 'master.key')
      await createKeyFile(path)
      await chmod(folder, 0o755)
      await chown(path, 0, 65_534)
      const asNobody = async (mode: number) => {
        await chmod(path, mode)
        process.setegid?.(65_534)
        process.seteuid?.(65_534)
        try {
          return await readKeyFile(path)
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
        await createKeyFile(join(folder, name))
        return (await readFile(join(folder, name), 'utf8')).split('\n')[1]!
      }),
    )
    const path = join(folder, 'both.key')
    await writeFile(path, `# older\r\n${lines[0]}\r\n\r\n  # newer\r\n${lines[1]}\r\n`, { mode: 0o600 })
    const ring = keyRing((await readKeyFile(path))!)
    expect(ring.ids).toEqual(lines.map((line) => line.split(' ')[0]))
    expect(ring.currentId).toBe(lines[1]!.split(' ')[0])
  })

  it('that is empty or damaged is refused, and nothing of a key is told', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'master.key')
    await createKeyFile(path)
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
      const failure = await readKeyFile(path).then(
        () => null,
        (error: Error) => error,
      )
      expect(failure, line).toBeInstanceOf(ConfigError)
      expect(failure?.message).not.toContain(encoded.slice(0, 8))
    }
  })
})
