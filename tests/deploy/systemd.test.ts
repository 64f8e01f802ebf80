import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { keyFile as newKeyFile } from '../../src/keys/source.ts'
import { temporaryFolder } from '../folder.ts'
import { eventually, keys } from '../harness.ts'

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
if (!hasSystemd && process.env.TEST_REQUIRE === 'all')
  throw new Error('systemd-analyze is missing: apt-get install --no-install-recommends systemd')

/** The unit as it is, but for where Node lies. */
async function unit(): Promise<string> {
  const path = join(await temporaryFolder(), 'clipgate.service')
  const text = await readFile(new URL('../../deploy/systemd/clipgate.service', import.meta.url), 'utf8')
  await writeFile(path, text.replace('ExecStart=/usr/bin/node ', `ExecStart=${process.execPath} `))
  return path
}

function analyze(...args: string[]) {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Where the second version of cgroups is, beside the first or alone. */
const cgroups = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((path) => existsSync(join(path, 'cgroup.procs')))
const canBoot =
  hasSystemd &&
  cgroups !== undefined &&
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--mount', '--pid', '--fork', '--uts', '--ipc', '--net', '--cgroup', 'true']).status === 0

/** What is done beside the service, in its namespaces. */
const journey = `
url=http://127.0.0.1:8080
until curl -sf $url/health/live; do systemctl is-failed -q clipgate && break; sleep 0.1; done
curl -s -H 'Authorization: Bearer ${keys.all}' -F file=@/mnt/out/photo.jpg $url/webhook/file-upload > /mnt/out/pushed
id=$(grep -o 'att_[a-z0-9]*' /mnt/out/pushed | head -1)
curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer ${keys.all}' $url/v1/attachments/$id/safe-copy > /mnt/out/copied
pid=$(systemctl show -p MainPID --value clipgate)
grep -E '^(CapEff|CapBnd|NoNewPrivs|Uid)' /proc/$pid/status > /mnt/out/status
systemctl start doctor
systemctl stop clipgate
systemctl show -p Result -p ExecMainStatus clipgate > /mnt/out/stopped
touch /mnt/out/found
`

describe('the unit of systemd (apt-get install --no-install-recommends systemd)', () => {
  it.skipIf(!hasSystemd)('is one that systemd takes, without a warning', async () => {
    expect(analyze('verify', '--man=no', await unit())).toEqual({ status: 0, said: '' })
  })

  it.skipIf(!hasSystemd)('exposes little: below 2.0, out of 10', async () => {
    const { status, said } = analyze('security', '--offline=true', '--no-pager', '--threshold=19', await unit())
    expect([status, /level for clipgate\.service: ([\d.]+)/.exec(said)?.[1]]).toEqual([0, expect.any(String)])
  })

  it.skipIf(!canBoot)(
    'runs the service with all its restrictions, and leaves the process that makes copies its whole fence (needs root, and cgroups of version 2)',
    async () => {
      const out = await temporaryFolder()
      await newKeyFile(join(out, 'master.key'), null).create()
      await writeFile(join(out, 'api-keys'), `all:push+read+admin:${keys.all}\n`)
      await writeFile(join(out, 'journey.sh'), journey)
      await cp(join(root, 'demo/photo.jpg'), join(out, 'photo.jpg'))
      const cgroup = join(cgroups!, `clipgate-test-${process.pid}`)
      const script = fileURLToPath(new URL('boot.sh', import.meta.url))
      const system = spawn(script, [await unit(), root, join(root, 'node_modules'), out, cgroup], {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let said = ''
      system.stderr.on('data', (chunk) => (said += chunk))
      const ended = once(system, 'exit')
      onTestFinished(async () => {
        // With it goes all that it started.
        system.kill('SIGKILL')
        await ended
        await eventually(
          () => !existsSync(cgroup) || spawnSync('find', [cgroup, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+']),
          () => !existsSync(cgroup),
        )
      })
      await eventually(
        () => new Promise((resolve) => setTimeout(resolve, 100)),
        () => {
          if (system.exitCode !== null) throw new Error(said)
          return existsSync(join(out, 'found'))
        },
      )
      const found = (name: string) => readFile(join(out, name), 'utf8')
      expect(await found('pushed')).toContain('"status":"success"')
      expect(await found('copied')).toBe('200')
      expect(await found('status')).toMatch(/^Uid:\s+990\s/)
      expect(await found('status')).toMatch(/CapEff:\s+0{16}\nCapBnd:\s+0{16}\nNoNewPrivs:\s+1/)
      const { findings } = JSON.parse(await found('doctor')) as { findings: { what: string; state: string }[] }
      expect(findings.filter(({ state }) => state === 'failed')).toEqual([])
      expect(findings.find(({ what }) => what === 'copies')).toMatchObject({ state: 'ok' })
      expect(await found('stopped')).toBe('Result=success\nExecMainStatus=0\n')
    },
    120_000,
  )
})
