import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { temporaryFolder } from './folder.ts'

/** A certificate for a host of this name, which nobody vouches for but itself, and its key: two files. */
export async function certificateFor(name: string): Promise<{ key: string; cert: string }> {
  const folder = await temporaryFolder()
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const about = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  const { status, stderr } = spawnSync('openssl', ['req', ...kind, '-keyout', key, '-out', cert, ...about], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return { key, cert }
}
