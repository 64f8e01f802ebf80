import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openContent } from '../../src/access/download.ts'
import { type AttachmentId, parseAttachmentId } from '../../src/attachment.ts'
import { systemClock } from '../../src/clock.ts'
import { readConfig } from '../../src/config.ts'
import { dataPaths, openRecords } from '../../src/installation.ts'
import { openKeys } from '../../src/keys/open.ts'
import { keySource } from '../../src/keys/source.ts'
import { createService } from '../../src/service.ts'
import { fsStorage } from '../../src/storage/fs.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { jpegOfSize, text } from '../fixtures/files.ts'
import { keys, pushTo, sha256, temporaryFolder, testEnvironment } from '../harness.ts'
import { run, servingAt } from '../journeys/process.ts'
import { digestOf, type Fate, forgetfulFolder, materialise, type Step, stepsOf, tracedCalls } from './replay.ts'
import { endTraced, hasStrace } from './strace.ts'

/** Every step, and many fates by chance: `FAULTS=all` for a long run. */
const everything = process.env.FAULTS === 'all'
const byChance = everything ? 8 : 1

const headers = { authorization: `Bearer ${keys.all}` }

describe.skipIf(!hasStrace)('power lost at any moment (needs strace: apt-get install strace)', () => {
  it('leaves every acknowledged file whole, nothing erased, and no record without its bytes, whatever the disk kept of what was not synced', {
    timeout: everything ? 3_600_000 : 300_000,
  }, async () => {
    const { steps, digests } = await recorded()
    const folder = forgetfulFolder()
    const told = saidIn(steps)
    expect(told.map(({ kind }) => kind)).toEqual(['taken', 'taken', 'refused', 'taken', 'erased', 'taken', 'taken'])
    const seen = new Set<string>()
    let states = 0
    let erasedKey: Buffer | null = null
    const acknowledged: Told[] = []
    for (const [index, step] of steps.entries()) {
      folder.take(step)
      const next = steps[index + 1]
      const isAnswer = told.some(({ at }) => at === index)
      if (isAnswer) acknowledged.push(told[acknowledged.length]!)
      // What was not synced is most before a sync, and what counts as synced is least; between them only names and data come.
      if (!everything && !isAnswer && step.kind !== 'synced' && next?.kind !== 'sync') continue
      for (const fate of fates(index)) {
        const found = folder.after(fate)
        const state = `${digestOf(found)} ${acknowledged.length}`
        if (seen.has(state)) continue
        seen.add(state)
        states++
        const about = `after step ${index} (${step.kind}), ${acknowledged.length} answers, ${fate.name}`
        const erasing = told[acknowledged.length]
        erasedKey =
          (await expectWhole(found, {
            about,
            acknowledged,
            erasing: erasing?.kind === 'erased' ? erasing.id : null,
            digests,
            erasedKey,
            firstKeyOf: told[4]!.id,
          })) ?? erasedKey
        if (isAnswer && fate.name === 'nothing of it') await expectServes(found, about)
      }
    }
    expect(states).toBeGreaterThan(100)
    expect(erasedKey).not.toBeNull()
  })
})

/** A short run of the service, from its first start on, and the digests of what was sent. */
async function recorded(): Promise<{ steps: Step[]; digests: Map<string, string> }> {
  const folder = await temporaryFolder()
  const log = join(await temporaryFolder(), 'strace.log')
  const strace = ['strace', '-f', '-qq', '-y', '-xx', '-s', '100000000', '-e', `trace=${tracedCalls}`, '-o', log]
  const program = run(['serve'], environment(join(folder, 'data')), strace)
  const [, url] = await program.until(servingAt)
  const digests = new Map<string, string>()
  const take = async (size: number) => {
    const file = await jpegOfSize(size)
    const { status, body } = await pushTo(url!, file, { conversationId: 'c', messageId: `m${size}` })
    expect(status).toBe(200)
    digests.set(body.attachment.id, sha256(file.bytes))
    return body.attachment.id
  }
  const first = await take(3000)
  await take(150_000)
  expect((await pushTo(url!, text('note.txt', '<html>'))).status).toBe(415)
  await take(70_000)
  expect((await fetch(`${url}/v1/attachments/${first}`, { method: 'DELETE', headers })).status).toBe(200)
  await take(2000)
  await take(140_000)
  await endTraced(program, 'SIGTERM')
  return { steps: stepsOf(await readFile(log, 'utf8'), folder), digests }
}

interface Told {
  kind: 'taken' | 'refused' | 'erased'
  id: AttachmentId
  /** The step after which it is out. */
  at: number
}

/** What the senders were told. */
function saidIn(steps: Step[]): Told[] {
  return steps.flatMap((step, at): Told[] => {
    const body = step.kind === 'said' ? /\r\n\r\n(\{.*\})/s.exec(step.text)?.[1] : undefined
    if (body === undefined) return []
    const { attachment, attachmentId, key } = JSON.parse(body) as {
      attachment?: { id: string }
      attachmentId?: string
      key?: string
    }
    const kind = attachment ? 'taken' : key ? 'erased' : 'refused'
    return [{ kind, id: parseAttachmentId(attachment?.id ?? attachmentId ?? ''), at }]
  })
}

function* fates(seed: number): Generator<Fate> {
  const yes = () => true
  const no = () => false
  yield { name: 'nothing of it', keepsName: no, keepsData: no, zeros: false }
  yield { name: 'all of it', keepsName: yes, keepsData: yes, zeros: false }
  yield { name: 'names without data', keepsName: yes, keepsData: no, zeros: false }
  yield { name: 'names and sizes, with zeros for data', keepsName: yes, keepsData: no, zeros: true }
  yield { name: 'data without names', keepsName: no, keepsData: yes, zeros: false }
  for (let i = 0; i < byChance; i++) {
    const even = chance(seed * 100 + i)
    yield { name: `some of it (${seed * 100 + i})`, keepsName: even, keepsData: even, zeros: i % 2 === 1 }
  }
}

/** Heads or tails, the same for the same seed (mulberry32). */
function chance(seed: number): () => boolean {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) & 1) === 1
  }
}

function environment(dataDir: string): Record<string, string> {
  return { ...testEnvironment(dataDir, 'http://127.0.0.1:9'), CLIPGATE_CONFIRM: 'off' }
}

interface Expected {
  about: string
  acknowledged: Told[]
  /** It may be erased already, or not yet. */
  erasing: AttachmentId | null
  digests: Map<string, string>
  /** The wrapped key of what is erased, once it is known. */
  erasedKey: Buffer | null
  firstKeyOf: AttachmentId
}

/** Opens what was found, with the service's own parts, and looks at all that is in it. Gives the key of `firstKeyOf`. */
async function expectWhole(found: Map<string, Buffer | null>, expected: Expected): Promise<Buffer | null> {
  const { about, acknowledged, erasing, digests, erasedKey, firstKeyOf } = expected
  const folder = await temporary()
  try {
    await materialise(found, folder)
    const dataDir = join(folder, 'data')
    const { config, secrets } = readConfig(environment(dataDir))
    const { objects, spool } = dataPaths(dataDir)
    const erased = acknowledged.filter(({ kind }) => kind === 'erased').map(({ id }) => id)
    if (erased.length > 0) {
      for (const [path, bytes] of found)
        expect([about, path, erasedKey === null || bytes?.includes(erasedKey) === true]).toEqual([about, path, false])
      for (const id of erased)
        expect([about, [...found.keys()].some((path) => path.endsWith(id))]).toEqual([about, false])
    }
    const records = await openRecords({ config, secrets }, systemClock)
    try {
      const source = keySource(config.masterKeys, secrets.masterKey, systemClock)
      const keyRing = await openKeys({ source, process: 'tests' }, records, systemClock)
      const storage = await fsStorage(objects, spool)
      for (const { kind, id } of acknowledged) {
        const attachment = await records.attachment(id)
        const allowed =
          kind === 'refused'
            ? ['refused']
            : erased.includes(id)
              ? ['erased']
              : id === erasing
                ? ['accepted', 'erased']
                : ['accepted']
        expect([about, id, attachment && allowed.includes(attachment.state)]).toEqual([about, id, true])
      }
      for (const attachment of await records.listAttachments({ limit: 100 })) {
        const { id, state } = attachment
        if (state !== 'accepted') continue
        const content = await openContent(attachment, { records, keys: keyRing, storage })
        const pieces: Buffer[] = []
        for await (const piece of content.bytes()) pieces.push(piece)
        expect([about, id, sha256(Buffer.concat(pieces))]).toEqual([about, id, digests.get(id)])
      }
      const key = await records.dataKey(firstKeyOf)
      return key && Buffer.from(key.wrapped)
    } finally {
      await records.close()
    }
  } catch (error) {
    throw new Error(`${about}: ${(error as Error).message}`, { cause: error })
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Starts the whole service on what was found, and takes a file in. */
async function expectServes(found: Map<string, Buffer | null>, about: string): Promise<void> {
  const folder = await temporary()
  await materialise(found, folder)
  const { config, secrets } = readConfig(environment(join(folder, 'data')))
  const service = await createService(config, secrets, { log: createLog('silent') })
  await service.start()
  const { status } = await pushTo(service.url, await jpegOfSize(1000))
  expect([about, status]).toEqual([about, 200])
  await service.sweep()
  expect(await readdir(dataPaths(config.dataDir).spool)).toEqual([])
  await service.stop()
  await rm(folder, { recursive: true })
}

let made = 0
let parent: Promise<string> | null = null

async function temporary(): Promise<string> {
  parent ??= temporaryFolder()
  const folder = join(await parent, String(made++))
  await mkdir(folder)
  return folder
}
