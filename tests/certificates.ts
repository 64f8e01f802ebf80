import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { temporaryFolder } from './folder.ts'

/** A certificate for hosts of these names, which nobody vouches for but itself, and its key: two files. */
export async function certificateFor(...names: [string, ...string[]]): Promise<{ key: string; cert: string }> {
  const folder = await temporaryFolder()
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const alternatives = names.map((name) => `DNS:${name}`).join(',')
  const about = ['-subj', `/CN=${names[0]}`, '-addext', `subjectAltName=${alternatives}`]
  const { status, stderr } = spawnSync('openssl', ['req', ...kind, '-keyout', key, '-out', cert, ...about], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return { key, cert }
}
