import { readFile, rm } from 'node:fs/promises'
import { NotFound, Unavailable } from '../errors.ts'
import { requireKey, type Storage } from './storage.ts'

/** A storage that forgets with its process and fails on command: for tests of what leans on storage. */
export interface MemoryStorage extends Storage {
  /** The next `times` calls of `operation` throw `Unavailable`. */
  failNext(operation: 'adopt' | 'open' | 'remove' | 'check', times?: number): void
  keys(): string[]
  /** The bytes under `key`, to be changed in place by a test that damages them. */
  bytes(key: string): Buffer
  /** Sets when `key` came, so that a test can make it old. */
  age(key: string, storedAt: Date): void
}

export function memoryStorage(now: () => Date): MemoryStorage {
  const objects = new Map<string, { bytes: Buffer; storedAt: Date }>()
  const failures = new Map<string, number>()
  const mayFail = (operation: string) => {
    const left = failures.get(operation) ?? 0
    if (left === 0) return
    failures.set(operation, left - 1)
    throw new Unavailable(`memory storage was told to fail at ${operation}`)
  }
  const found = (key: string) => {
    const object = objects.get(key)
    if (!object) throw new NotFound('object')
    return object
  }
  return {
    async adopt(key, file) {
      requireKey(key)
      mayFail('adopt')
      const bytes = await readFile(file.path).catch((cause) => {
        throw new Unavailable('memory storage cannot keep a file', { cause })
      })
      objects.set(key, { bytes, storedAt: now() })
      await rm(file.path)
    },
    async open(key, range) {
      mayFail('open')
      const { bytes } = found(requireKey(key))
      return chunked(range ? bytes.subarray(range.start, range.end + 1) : bytes)
    },
    async remove(key) {
      mayFail('remove')
      objects.delete(requireKey(key))
      return 'removed'
    },
    async *list() {
      for (const [key, { storedAt }] of objects) yield { key, storedAt }
    },
    isOwnedBy: async () => true,
    async removeUnfinished() {},
    async check() {
      mayFail('check')
    },
    close: async () => {},
    failNext: (operation, times = 1) => void failures.set(operation, times),
    keys: () => [...objects.keys()],
    bytes: (key) => found(key).bytes,
    age: (key, storedAt) => void Object.assign(found(key), { storedAt }),
  }
}

async function* chunked(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
}
