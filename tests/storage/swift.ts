import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../freePort.ts'
import { hasPrograms, processes, type RealS3, run } from './programs.ts'

const packages = 'swift-proxy swift-account swift-container swift-object memcached'
export const needsSwift = `needs root, and apt-get install --no-install-recommends ${packages}`
const programs = ['swift-proxy-server', 'swift-account-server', 'swift-container-server', 'swift-object-server']
export const hasSwift =
  hasPrograms([...programs, 'swift-ring-builder', 'memcached'], packages) && process.getuid?.() === 0

/**
 * OpenStack Swift on one device, behind its own S3 layer, on loopback. It writes `/etc/swift/swift.conf`: Swift reads it there
 * before it has been told of another place.
 */
export async function startSwift(): Promise<RealS3> {
  const folder = await mkdtemp(join(tmpdir(), 'clipgate-swift-'))
  const etc = join(folder, 'etc')
  await mkdir(etc)
  await mkdir(join(folder, 'srv', 'd1'), { recursive: true })
  await mkdir('/etc/swift', { recursive: true })
  for (const path of ['/etc/swift/swift.conf', join(etc, 'swift.conf')]) await writeFile(path, common)
  const { start, until, end } = processes(folder)
  try {
    for (const kind of ['account', 'container', 'object']) {
      const port = await freePort()
      const ring = (...args: string[]) => run('swift-ring-builder', [`${kind}.builder`, ...args], { cwd: etc })
      await ring('create', '4', '1', '1')
      await ring('add', `r1z1-127.0.0.1:${port}/d1`, '1')
      // Its code says that it has warned of one device for all.
      await ring('rebalance').catch(() => {})
      const config = join(etc, `${kind}-server.conf`)
      await writeFile(config, backend(folder, kind, port))
      start(`swift-${kind}-server`, [config, '-v'])
    }
    const [port, cache] = [await freePort(), await freePort()]
    start('memcached', ['-u', userInfo().username, '-l', '127.0.0.1', '-p', String(cache), '-m', '64'])
    await writeFile(join(etc, 'proxy-server.conf'), proxy(folder, port, cache))
    start('swift-proxy-server', [join(etc, 'proxy-server.conf'), '-v'])
    const endpoint = `http://127.0.0.1:${port}`
    await until('the proxy', async () => (await fetch(`${endpoint}/healthcheck`)).ok)
    return {
      endpoint,
      accessKeyId: 'test:tester',
      secretAccessKey: 'testing',
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

const common = `[swift-hash]
swift_hash_path_prefix = test
swift_hash_path_suffix = test
[storage-policy:0]
name = p0
default = yes
[swift-constraints]
max_file_size = 5368709122
`

function backend(folder: string, kind: string, port: number): string {
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${userInfo().username}
swift_dir = ${folder}/etc
devices = ${folder}/srv
mount_check = false
[pipeline:main]
pipeline = ${kind}-server
[app:${kind}-server]
use = egg:swift#${kind}
`
}

const filters = [
  'catch_errors',
  'gatekeeper',
  'healthcheck',
  'listing_formats',
  'bulk',
  'copy',
  'slo',
  'dlo',
  'symlink',
]

function proxy(folder: string, port: number, cache: number): string {
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${userInfo().username}
swift_dir = ${folder}/etc
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo symlink versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
${filters.map((name) => `[filter:${name}]\nuse = egg:swift#${name}\n`).join('')}[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${cache}
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
dns_compliant_bucket_names = yes
check_bucket_owner = false
min_segment_size = 5242880
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
`
}
