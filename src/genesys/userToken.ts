import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { makeFolder, syncFolder } from '../durable.ts'
import { CredentialsRefused } from './errors.ts'

/** What is kept of a user who has signed in. A secret: it gives access tokens until it is revoked at the platform. */
const userToken = z.object({
  clientId: z.string(),
  user: z.object({ id: z.string(), name: z.string() }),
  refreshToken: z.string().min(1),
})
export type UserToken = z.output<typeof userToken>

/** Null: nobody has signed in. Throws `CredentialsRefused` when the file is not what we wrote. */
export async function readUserToken(file: string): Promise<UserToken | null> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new CredentialsRefused(`${file} cannot be read`, { cause: error })
  }
  try {
    return userToken.parse(JSON.parse(text))
  } catch {
    throw new CredentialsRefused(`${file} is damaged; run: clipgate genesys sign-in`)
  }
}

/** Replaces what is there, whole or not at all, readable by our own user only. Durable when resolved. */
export async function writeUserToken(file: string, token: UserToken): Promise<void> {
  await makeFolder(dirname(file))
  const beside = `${file}.new`
  await rm(beside, { force: true })
  const handle = await open(beside, 'wx', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify(token)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(beside, file)
  await syncFolder(dirname(file))
}
