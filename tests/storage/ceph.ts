import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../freePort.ts'
import { hasPrograms, processes, type RealS3, run } from './programs.ts'

const packages = 'radosgw ceph-mon ceph-osd'
export const needsCeph = `needs apt-get install --no-install-recommends ${packages}`
export const hasCeph = hasPrograms(['radosgw', 'radosgw-admin', 'ceph-mon', 'ceph-osd', 'ceph'], packages)

/** A Ceph cluster of one monitor and one store in memory, and its gateway for S3, on loopback. */
export async function startCeph(): Promise<RealS3> {
  const folder = await mkdtemp(join(tmpdir(), 'clipgate-ceph-'))
  for (const name of ['mon', 'osd', 'run', 'log']) await mkdir(join(folder, name))
  const [port, v2, v1] = [await freePort(), await freePort(), await freePort()]
  const config = join(folder, 'ceph.conf')
  await writeFile(config, configuration(folder, { port, v2, v1 }))
  const { start, until, end } = processes(folder)
  const ours = (program: string, args: string[], timeout = 60_000) => run(program, ['-c', config, ...args], { timeout })
  const keyring = join(folder, 'keyring')
  const addKey = (name: string, ...caps: [string, string][]) =>
    run('ceph-authtool', [keyring, '--gen-key', '-n', name, ...caps.flatMap(([of, cap]) => ['--cap', of, cap])])

  try {
    const map = join(folder, 'monmap')
    const address = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`
    await run('monmaptool', ['--create', '--fsid', randomUUID(), '--addv', 'a', address, map])
    await run('ceph-authtool', ['--create-keyring', keyring])
    await addKey('mon.', ['mon', 'allow *'])
    await addKey('client.admin', ['mon', 'allow *'], ['osd', 'allow *'], ['mgr', 'allow *'])
    await addKey('client.rgw', ['mon', 'allow rw'], ['osd', 'allow rwx'])
    await addKey('osd.0', ['mon', 'allow profile osd'], ['osd', 'allow *'])
    await ours('ceph-mon', ['-i', 'a', '--mkfs', '--monmap', map, '--keyring', keyring])
    start('ceph-mon', ['-c', config, '-i', 'a', '-f'])
    const osd = randomUUID()
    await ours('ceph', ['osd', 'new', osd])
    await ours('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', osd])
    start('ceph-osd', ['-c', config, '-i', '0', '-f'])
    await ours('ceph', ['osd', 'crush', 'add', 'osd.0', '1.0', 'host=localhost', 'root=default'])
    await until('the store', async () => (await ours('ceph', ['osd', 'stat'])).stdout.includes('1 up'))
    const [accessKeyId, secretAccessKey] = ['test-key', 'test-secret']
    const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`]
    await ours('radosgw-admin', ['-n', 'client.rgw', 'user', 'create', '--uid=test', '--display-name=test', ...keys])
    start('radosgw', ['-c', config, '-n', 'client.rgw', '-f'])
    const endpoint = `http://127.0.0.1:${port}`
    await until('the gateway', async () => (await fetch(endpoint)).ok)
    return {
      endpoint,
      accessKeyId,
      secretAccessKey,
      async close() {
        await end()
        await rm(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await end()
    throw error
  }
}

function configuration(folder: string, { port, v2, v1 }: { port: number; v2: number; v1: number }): string {
  return `[global]
mon_host = [v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]
keyring = ${folder}/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_crit = 1
mon_data_avail_warn = 1
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv4 = true
run_dir = ${folder}/run
admin_socket = ${folder}/run/$name.asok
log_file = ${folder}/log/$name.log
[mon.a]
mon_data = ${folder}/mon
mon_addr = 127.0.0.1:${v2}
[osd.0]
osd_data = ${folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 12884901888
osd_class_update_on_start = false
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:${port}
rgw_data = ${folder}
rgw_enable_usage_log = false
`
}
