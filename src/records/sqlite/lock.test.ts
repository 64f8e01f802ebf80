import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { childProcess, firstLine } from '../../../tests/child.ts'
import { temporaryFolder } from '../../../tests/folder.ts'
import { ConfigError } from '../../errors.ts'
import { lockFolder } from './lock.ts'

/** A process that asks for the lock, says how it went, lets go of the value, and stays. */
function locker(path: string) {
  return childProcess(`
    import { lockFolder } from './src/records/sqlite/lock.ts'
    console.log(await lockFolder(${JSON.stringify(path)}).then(() => 'held', (error) => error.constructor.name))
    setInterval(() => {}, 1000)
  `)
}

describe('the lock on a data folder', () => {
  it('has one holder: a second is refused, and told who has it', async () => {
    const path = join(await temporaryFolder(), 'serve.lock')
    const lock = await lockFolder(path)
    await expect(lockFolder(path)).rejects.toThrow(ConfigError)
    await expect(lockFolder(path)).rejects.toThrow('Another clipgate process')
    lock.release()
  })

  it('is free again once it is released', async () => {
    const path = join(await temporaryFolder(), 'serve.lock')
    for (let i = 0; i < 3; i++) (await lockFolder(path)).release()
  })

  it('is a file for our own user only', async () => {
    const path = join(await temporaryFolder(), 'serve.lock')
    const lock = await lockFolder(path)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    lock.release()
  })

  it('holds against another process, even after this one has asked for it a second time in vain', async () => {
    const path = join(await temporaryFolder(), 'serve.lock')
    const lock = await lockFolder(path)
    await expect(lockFolder(path)).rejects.toThrow(ConfigError)
    expect(await firstLine(await locker(path))).toBe('ConfigError')
    lock.release()
    expect(await firstLine(await locker(path))).toBe('held')
  })

  it('is free once its holder has died, in whatever way', async () => {
    const path = join(await temporaryFolder(), 'serve.lock')
    const child = await locker(path)
    expect(await firstLine(child)).toBe('held')
    await expect(lockFolder(path)).rejects.toThrow(ConfigError)
    const died = once(child, 'exit')
    child.kill('SIGKILL')
    await died
    ;(await lockFolder(path)).release()
  })

  it('cannot be had in a folder that is not there', async () => {
    await expect(lockFolder(join(await temporaryFolder(), 'none', 'serve.lock'))).rejects.toThrow('ENOENT')
  })
})
