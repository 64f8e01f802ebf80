import { rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Command, InvalidArgumentError } from 'commander'
import { systemClock } from '../clock.ts'
import { type Config, readConfig, type Secrets } from '../config.ts'
import { ConfigError, Unavailable } from '../errors.ts'
import { beginSignIn, type SignIn } from '../genesys/signIn.ts'
import { readUserToken, type UserToken, writeUserToken } from '../genesys/userToken.ts'
import type { Io } from './io.ts'
import { auditedByCli } from './opened.ts'

/** clipgate genesys sign-in | sign-out */
export function genesys(program: Command, io: Io): void {
  const group = program.command('genesys').description('a service user whose token sends messages to customers')

  group
    .command('sign-in')
    .description('sign a service user in by a browser on this machine, and keep what renews its token')
    .option('--port <number>', 'where the browser comes back to: http://127.0.0.1:<number>/callback', portNumber, 8765)
    .action(async ({ port }: { port: number }) => {
      const { config, secrets } = readConfig(io.env)
      const user = userOf(config)
      const token = await signIn(io, port, user, secrets)
      await auditedByCli(io, { what: 'user_sign_in', object: token.user.id, outcome: 'keeping', detail: null })
      await writeUserToken(user.tokenFile, token)
      io.out(`${token.user.name} (${token.user.id}) is signed in. Kept in ${user.tokenFile}, which is a secret.`)
    })

  group
    .command('sign-out')
    .description('forget the service user; revoke the token at Genesys Cloud, too, if it may have leaked')
    .action(async () => {
      const { tokenFile } = userOf(readConfig(io.env).config)
      const known = await readUserToken(tokenFile).catch(() => null)
      await rm(tokenFile, { force: true })
      await auditedByCli(io, {
        what: 'user_sign_out',
        object: known?.user.id ?? null,
        outcome: 'forgotten',
        detail: null,
      })
      io.out(known ? `${known.user.name} is signed out.` : 'Nobody was signed in.')
    })
}

type User = NonNullable<NonNullable<Config['genesys']>['user']> & { loginUrl: string; apiUrl: string }

function userOf({ genesys }: Config): User {
  if (!genesys?.user)
    throw new ConfigError([
      'Set CLIPGATE_GENESYS_USER_CLIENT_ID to an OAuth client with the grant "authorization code", beside the client credentials.',
    ])
  return { ...genesys.user, loginUrl: genesys.loginUrl, apiUrl: genesys.apiUrl }
}

async function signIn(io: Io, port: number, user: User, { genesysUserClientSecret }: Secrets): Promise<UserToken> {
  const answers = await listen(port)
  try {
    const begun = beginSignIn({
      ...user,
      clientSecret: genesysUserClientSecret,
      redirectUri: `http://127.0.0.1:${answers.port}/callback`,
      clock: systemClock,
    })
    io.out(`Open this address in a browser on this machine, and sign the service user in:\n${begun.url}`)
    return await Promise.race([answers.token(begun), stopped(io)])
  } catch (error) {
    throw new Unavailable((error as Error).message, { cause: (error as Error).cause })
  } finally {
    answers.close()
  }
}

/** Ends the waiting when the process is asked to end. */
function stopped(io: Io): Promise<never> {
  return new Promise((_, reject) => io.onStop(() => reject(new Error('nobody signed in'))))
}

/** Waits on loopback for the browser that comes back. */
async function listen(port: number) {
  let take: (url: URL, response: ServerResponse) => void = (_, response) => page(response, 404, 'Not found.')
  const server = createServer((request: IncomingMessage, response) => {
    const address = request.url ?? ''
    const url = URL.canParse(address, 'http://127.0.0.1') ? new URL(address, 'http://127.0.0.1') : null
    if (url?.pathname !== '/callback' || request.method !== 'GET') page(response, 404, 'Not found.')
    else take(url, response)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    /** Resolves once a browser brought the code of this sign-in; others are turned away. */
    token: ({ state, finish }: SignIn) =>
      new Promise<UserToken>((resolve, reject) => {
        take = ({ searchParams }, response) => {
          const [code, failed] = [searchParams.get('code'), searchParams.get('error')]
          if (searchParams.get('state') !== state) return page(response, 400, 'This is not the sign-in that was begun.')
          if (code === null) {
            page(response, 400, 'The sign-in failed. Look at the terminal.')
            return reject(new Error(`Genesys Cloud says: ${failed ?? 'no code'}`))
          }
          take = (_, again) => page(again, 400, 'This sign-in was used.')
          finish(code).then(
            (token) => {
              page(response, 200, 'Signed in. You can close this page.')
              resolve(token)
            },
            (error: Error) => {
              page(response, 400, 'The sign-in failed. Look at the terminal.')
              reject(error)
            },
          )
        }
      }),
    close() {
      server.close()
      server.closeIdleConnections()
    },
  }
}

function page(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'close',
    })
    .end(`${text}\n`)
}

function portNumber(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('a port from 0 to 65535.')
  return port
}
