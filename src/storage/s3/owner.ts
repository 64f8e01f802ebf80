import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { ask } from './ask.ts'
import { statusOf } from './faults.ts'
import { begin, encryptionFields, type Store } from './store.ts'

/** The object that names the installation: in its first master key's id, which its records never forget. */
const ownerName = '.owner'

/** Whether the place belongs to the installation with these ids. One that belongs to nobody is made its own. */
export async function isOwnedBy(store: Store, ids: string[], conditional: boolean): Promise<boolean> {
  const owner = await readOwner(store)
  if (owner !== null) return ids.includes(owner)
  const { client, place } = store
  const put = {
    Bucket: place.bucket,
    Key: place.prefix + ownerName,
    Body: Buffer.from(ids[0]!),
    ...encryptionFields(store),
    ...(conditional && { IfNoneMatch: '*' }),
  }
  await ask(begin(store), ({ signal }) => client.send(new PutObjectCommand(put), { abortSignal: signal })).catch(
    (error: unknown) => {
      // Somebody was faster: perhaps a process of ours.
      if (statusOf(error) !== 412) throw error
    },
  )
  return ids.includes((await readOwner(store)) ?? '')
}

async function readOwner(store: Store): Promise<string | null> {
  const { client, place } = store
  const get = new GetObjectCommand({ Bucket: place.bucket, Key: place.prefix + ownerName })
  try {
    return await ask(begin(store), async ({ signal }) => {
      const { Body } = await client.send(get, { abortSignal: signal })
      return (await Body?.transformToString())?.trim() ?? ''
    })
  } catch (error) {
    if ((error as Error).name === 'NoSuchKey') return null
    throw error
  }
}
