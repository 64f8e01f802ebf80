import { chownSync } from 'node:fs'
import { chmod, copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { certificateFor } from '../../../tests/certificates.ts'
import { hasPostgres, startPostgres, statement } from '../../../tests/postgres.ts'
import { Unavailable } from '../../errors.ts'
import { examineServer } from './examine.ts'

describe.skipIf(!hasPostgres)('needs apt-get install --no-install-recommends postgresql', () => {
  describe('a server over TLS', () => {
    /** Its address over the network, and the certificate that vouches for it. */
    async function secure(name: string) {
      const { key, cert } = await certificateFor(name)
      const server = await startPostgres()
      onTestFinished(() => server.close())
      const own = { key: join(server.folder, 'server.key'), cert: join(server.folder, 'server.crt') }
      await copyFile(key, own.key)
      await copyFile(cert, own.cert)
      await chmod(own.key, 0o600)
      if (process.getuid?.() === 0) for (const path of Object.values(own)) chownSync(path, 65_534, 65_534)
      for (const [setting, value] of [
        ['ssl_cert_file', own.cert],
        ['ssl_key_file', own.key],
        ['ssl', 'on'],
      ])
        await statement(server.url(), `ALTER SYSTEM SET ${setting} = '${value}'`)
      await server.stop()
      await server.startAgain()
      const address = (query: string) => `postgres://postgres@localhost:${server.port}/postgres?${query}`
      return { address, cert }
    }

    it('is used when its certificate holds, and only then', async () => {
      const { address, cert } = await secure('localhost')
      const { version, tls, keepsCommits } = await examineServer(address(`sslmode=verify-full&sslrootcert=${cert}`))
      expect(version).toMatch(/^\d+/)
      expect(tls).toMatch(/^TLSv1\.[23]$/)
      // The servers of these tests run without.
      expect(keepsCommits).toBe(false)
      expect((await examineServer(address('sslmode=disable'))).tls).toBeNull()
      const failure = await examineServer(address('sslmode=require')).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(Unavailable)
      expect(((failure as Error).cause as Error).message).toContain('certificate')
    })

    it('is not used when its certificate is for another', async () => {
      const { address, cert } = await secure('elsewhere.example')
      const failure = await examineServer(address(`sslmode=require&sslrootcert=${cert}`)).catch(
        (error: unknown) => error,
      )
      expect(failure).toBeInstanceOf(Unavailable)
      expect(((failure as Error).cause as Error).message).toContain('does not match')
    })
  })
})
