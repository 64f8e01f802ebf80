import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from '../folder.ts'
import { freePort } from '../freePort.ts'

export const bringsCIcap = 'apt-get install --no-install-recommends c-icap libc-icap-mod-virus-scan'
export const hasCIcap = spawnSync('c-icap', ['-V']).status === 0
if (!hasCIcap && process.env.TEST_REQUIRE === 'all') throw new Error(`c-icap is missing: ${bringsCIcap}`)

/** Modules lie below the machine's own triplet. */
async function modulesFolder(): Promise<string> {
  for (const name of await readdir('/usr/lib'))
    if (existsSync(join('/usr/lib', name, 'c_icap/virus_scan.so'))) return join('/usr/lib', name, 'c_icap')
  throw new Error(`virus_scan.so is missing: ${bringsCIcap}`)
}

/** A real c-icap that judges through this clamd, and an echo. It ends with the test. */
export async function startCIcap(clamdSocket: string) {
  const folder = await temporaryFolder()
  const path = (name: string) => join(folder, name)
  await mkdir(path('tmp'))
  for (const name of [folder, path('tmp')]) await chmod(name, 0o777)
  const modules = await modulesFolder()
  const port = await freePort()
  await writeFile(
    path('c-icap.conf'),
    [
      `PidFile ${path('c-icap.pid')}`,
      `CommandsSocket ${path('c-icap.ctl')}`,
      'Timeout 30',
      'StartServers 1',
      'MaxServers 2',
      'MinSpareThreads 4',
      'MaxSpareThreads 10',
      'ThreadsPerChild 10',
      `Port 127.0.0.1:${port}`,
      'ServerName test-icap',
      `TmpDir ${path('tmp')}`,
      'MaxMemObject 131072',
      `ModulesDir ${modules}`,
      `ServicesDir ${modules}`,
      'TemplateDir /usr/share/c_icap/templates/',
      'LoadMagicFile /etc/c-icap/c-icap.magic',
      `ServerLog ${path('server.log')}`,
      `AccessLog ${path('access.log')}`,
      'Service echo srv_echo.so',
      'Service antivirus_module virus_scan.so',
      'ServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple',
      'virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE DOCUMENT',
      'virus_scan.PassOnError off',
      'virus_scan.MaxObjectSize 100M',
      'virus_scan.DefaultEngine clamd',
      'Module common clamd_mod.so',
      `clamd_mod.ClamdSocket ${clamdSocket}`,
      '',
    ].join('\n'),
  )
  const child = spawn('c-icap', ['-N', '-f', path('c-icap.conf')], { stdio: 'ignore', detached: true })
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    // It works by processes of its own.
    process.kill(-child.pid!, 'SIGKILL')
    await ended
  })
  while (!(await answers(port)))
    if (child.exitCode !== null)
      throw new Error(`c-icap did not start: ${await readFile(path('server.log'), 'utf8').catch(() => '')}`)
  return { port, url: (service: string) => `icap://127.0.0.1:${port}/${service}` }
}

/** Whether it is an ICAP server that listens there. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  socket.on('connect', () => socket.write(`OPTIONS icap://127.0.0.1:${port}/echo ICAP/1.0\r\nHost: 127.0.0.1\r\n\r\n`))
  const answer = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => null)]).catch(() => null)
  socket.destroy()
  return String(answer).startsWith('ICAP/1.0 200')
}
