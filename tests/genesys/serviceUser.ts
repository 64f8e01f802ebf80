import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createGenesysClient } from '../../src/genesys/client.ts'
import { userGrant } from '../../src/genesys/grants.ts'
import { beginSignIn } from '../../src/genesys/signIn.ts'
import { writeUserToken } from '../../src/genesys/userToken.ts'
import type { start } from './start.ts'

type Started = Awaited<ReturnType<typeof start>>

const redirectUri = 'http://127.0.0.1:8765/callback'

/** A folder for what is kept of a user who has signed in, and the file in it. */
export async function tokenFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'clipgate-user-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'keys', 'genesys-user.json')
}

export function begin({ emulator, clock }: Pick<Started, 'emulator' | 'clock'>) {
  const { url } = emulator
  return beginSignIn({ loginUrl: url, apiUrl: url, clientId: 'demo-page', clientSecret: null, redirectUri, clock })
}

/** As a browser goes there and comes back with the code. */
export async function comeBack(url: string): Promise<URLSearchParams> {
  const { headers } = await fetch(url, { redirect: 'manual' })
  return new URL(headers.get('location') ?? '').searchParams
}

/** Signs the emulator's agent in, and keeps what renews the token. */
export async function signIn(started: Pick<Started, 'emulator' | 'clock'>, file: string) {
  const { url, finish } = begin(started)
  const token = await finish((await comeBack(url)).get('code') ?? '')
  await writeUserToken(file, token)
  return token
}

/** A client that goes by the token of the user who has signed in. */
export function clientOfUser({ emulator, clock, events }: Started, file: string) {
  return createGenesysClient({
    loginUrl: emulator.url,
    apiUrl: emulator.url,
    grant: userGrant({ clientId: 'demo-page', clientSecret: null, file }),
    requestsPerMinute: 10_000,
    clock,
    events,
    random: () => 1,
  })
}
