import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { ConfigError } from '../errors.ts'
import { storageKey } from '../storage/storage.ts'
import { type Fingerprint, fingerprintOf, isSame, writeWhole } from './copied.ts'

/** Names in the folder of a backup. */
export const backupNames = {
  manifest: 'manifest.json',
  /** An object a line: its key, its size and its digest, all of the sealed bytes. */
  list: 'objects.ndjson',
  database: 'clipgate.db',
  objects: 'objects',
} as const

const fingerprint = { bytes: z.number().int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }
const shape = z.object({
  format: z.literal(1),
  /** Version of the program that made it. */
  program: z.string(),
  /** ISO 8601, UTC. What was acknowledged before `began` is in it; what came until `ended` may be. */
  began: z.iso.datetime(),
  ended: z.iso.datetime(),
  database: z.object({ ...fingerprint, schema: z.string() }),
  /** Ids of the master keys without which nothing in it can be opened. */
  masterKeys: z.array(z.string()),
  keyFile: z.string(),
  /** `s3`: the sealed files stay in their store, and are not in here. */
  storage: z.enum(['fs', 's3']),
  list: z.object({ ...fingerprint, count: z.number().int().nonnegative(), objectBytes: z.number().nonnegative() }),
  /** The end of the audit trail as it was copied. */
  auditHead: z.string().nullable(),
  /** Files that the copied database names, and that were erased or destroyed while the backup was made. */
  gone: z.array(z.string()),
  /** Files whose bytes were not there, and should have been. */
  missing: z.array(z.string()),
})
export type Manifest = z.infer<typeof shape>

/** Whoever looks into the folder for it shall know. */
export const aboutKeyFile = 'not in this folder, on purpose: keep it elsewhere, and give it back before a restore'

export interface ListedObject extends Fingerprint {
  key: string
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const text = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)
  await writeWhole(join(folder, backupNames.manifest), () => chunksOf([text]))
}

/** Throws `ConfigError` where there is no whole backup of a kind that this program knows. */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, backupNames.manifest), 'utf8').catch((error: Error) => {
    throw new ConfigError([`${folder} has no backup that ended: ${error.message}`])
  })
  const parsed = shape.safeParse(jsonOf(text))
  if (!parsed.success) throw new ConfigError([`${folder} has a manifest that this program cannot read.`])
  return parsed.data
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Takes the list down as objects are copied. It has its name once it is closed. */
export async function openList(folder: string) {
  const path = join(folder, backupNames.list)
  const unnamed = `${path}.unnamed`
  const file = await open(unnamed, 'w', 0o600)
  const digest = createHash('sha256')
  const written = { count: 0, objectBytes: 0, bytes: 0 }
  let lines = ''
  let writing: Promise<void> = Promise.resolve()
  const flush = () => {
    const text = lines
    lines = ''
    digest.update(text)
    written.bytes += Buffer.byteLength(text)
    writing = writing.then(() => file.writeFile(text))
    return writing
  }
  return {
    async add({ key, bytes, sha256 }: ListedObject): Promise<void> {
      lines += `${JSON.stringify({ key, bytes, sha256 })}\n`
      written.count++
      written.objectBytes += bytes
      if (lines.length > 100_000) await flush()
    },
    async close(): Promise<Manifest['list']> {
      await flush()
      await file.sync()
      await file.close()
      await rename(unnamed, path)
      return { ...written, sha256: digest.digest('hex') }
    },
  }
}

/** Throws `ConfigError` when the list is not the one that the manifest speaks of. */
export async function* readList(folder: string, { list }: Manifest): AsyncGenerator<ListedObject> {
  const path = join(folder, backupNames.list)
  if (!isSame(await fingerprintOf(path), list)) throw new ConfigError([`${path} is damaged or missing.`])
  for await (const line of createInterface({ input: createReadStream(path, 'utf8') })) {
    const object = JSON.parse(line) as ListedObject
    if (!storageKey.test(object.key)) throw new ConfigError([`${path} names what is no object.`])
    yield object
  }
}

async function* chunksOf(parts: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* parts
}
