import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from '../folder.ts'

export const hasClamd = spawnSync('clamd', ['--version']).status === 0
if (!hasClamd && process.env.TEST_REQUIRE === 'all')
  throw new Error('clamd is missing: apt-get install --no-install-recommends clamav-daemon')

/** A harmless line that the signatures of these tests call a threat. */
export const marker = 'CLIPGATE-TEST-MARKER-5b1e'
export const threat = 'Clipgate.Test.Marker.UNOFFICIAL'

/** A real clamd in a folder of its own, with signatures of ours. It ends with the test. */
export async function startClamd({ streamMaxLength = '25M', signatures = [] as string[] } = {}) {
  const folder = await temporaryFolder()
  const path = (name: string) => join(folder, name)
  for (const name of ['db', 'tmp']) await mkdir(path(name))
  const own = `Clipgate.Test.Marker:0:*:${Buffer.from(marker).toString('hex')}`
  await writeFile(path('db/local.ndb'), `${[own, ...signatures].join('\n')}\n`)
  await writeFile(
    path('clamd.conf'),
    [
      `DatabaseDirectory ${path('db')}`,
      `LocalSocket ${path('clamd.sock')}`,
      `TemporaryDirectory ${path('tmp')}`,
      'Foreground true',
      'OfficialDatabaseOnly false',
      `StreamMaxLength ${streamMaxLength}`,
      'MaxFileSize 25M',
      'MaxScanSize 100M',
      'AlertExceedsMax true',
      'AlertEncryptedArchive true',
      'SelfCheck 0',
      'MaxThreads 4',
      `User ${process.getuid?.() === 0 ? 'root' : process.env.USER}`,
      '',
    ].join('\n'),
  )
  let child = await run()

  async function run() {
    await rm(path('clamd.sock'), { force: true })
    const started = spawn('clamd', ['-c', path('clamd.conf')], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [started.stdout, started.stderr]) stream.on('data', (chunk) => (said += chunk))
    while (!(await answers(path('clamd.sock'))))
      if (started.exitCode !== null || started.signalCode !== null) throw new Error(`clamd did not start: ${said}`)
    return started
  }

  async function stop() {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(stop)

  return {
    address: `unix:${path('clamd.sock')}`,
    socket: path('clamd.sock'),
    config: path('clamd.conf'),
    stop,
    async startAgain() {
      child = await run()
    },
  }
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  const answer = await Promise.race([
    once(socket, 'data').then(() => true),
    once(socket, 'close').then(() => false),
    once(socket, 'connect')
      .then(() => socket.write('zPING\0'))
      .then(() => new Promise<boolean>(() => {})),
  ]).catch(() => false)
  socket.destroy()
  // Others may go on: it is the program that starts.
  await new Promise((resolve) => setImmediate(resolve))
  return answer
}
