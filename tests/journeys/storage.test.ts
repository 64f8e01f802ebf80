import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { newAttachmentId } from '../../src/attachment.ts'
import { systemClock } from '../../src/clock.ts'
import { text } from '../fixtures/files.ts'
import { keys, startTestService, temporaryFolder, testEnvironment } from '../harness.ts'
import type { BucketSettings } from '../storage/fakeBucket.ts'
import { startFakeS3 } from '../storage/fakeS3.ts'
import { storageJourney } from '../storage/journey.ts'
import { addressOf, useCredentials } from '../storage/opened.ts'
import { credentials, isGet, isPut } from '../storage/started.ts'
import { run } from './process.ts'

useCredentials(credentials)

async function opened(settings: Partial<BucketSettings> = {}) {
  const store = await startFakeS3(settings)
  return {
    store,
    address: addressOf(store.endpoint, 'bucket'),
    sealed: async () => [...store.objects.keys()].filter((key) => key.endsWith('.sealed')).sort(),
    putOrphan: async (key: string) =>
      void store.objects.set(`clipgate/${key}.sealed`, { bytes: Buffer.from('x'), upload: '', at: new Date() }),
  }
}

/** Settings without a platform, and without credentials. */
function storedIn(dataDir: string, address: string): Record<string, string> {
  const without = { CLIPGATE_GENESYS_CLIENT_ID: '', CLIPGATE_GENESYS_CLIENT_SECRET: '' }
  return { ...testEnvironment(dataDir, 'http://127.0.0.1:9'), ...without, CLIPGATE_STORAGE_URL: address }
}

interface Ready {
  ready: boolean
  checks: Record<string, { ok: boolean; cause?: string }>
}

storageJourney('an S3 store', () => opened())

describe('a service whose files are in an S3 store', () => {
  it('answers 503 while it cannot be written, tells why, keeps nothing of the file, and takes it afterwards', async () => {
    const { store, address, sealed } = await opened()
    const { push, get, dataDir } = await startTestService({ env: { STORAGE_URL: address } })
    expect((await push(text())).status).toBe(200)
    store.fail(isPut, { status: 403, code: 'AccessDenied' }, 1000)
    const { status, headers, body } = await push(text('other.txt', 'another'))
    expect([status, body.code, Number(headers.get('retry-after')) > 0]).toEqual([503, 'unavailable', true])
    expect(await readdir(join(dataDir, 'spool'))).toEqual([])
    const ready = await get<Ready>('/health/ready')
    expect([ready.status, ready.body.checks.storage]).toMatchObject([
      503,
      { ok: false, cause: 'storage cannot be written (AccessDenied)' },
    ])
    store.mend()
    expect((await push(text('other.txt', 'another'))).status).toBe(200)
    expect(await sealed()).toHaveLength(2)
  })

  it('never gives a reader less than the whole when the store breaks off', async () => {
    const { store, address } = await opened()
    const { push, url } = await startTestService({ env: { STORAGE_URL: address } })
    const { body } = await push(text('long.txt', 'x'.repeat(300_000)))
    store.fail(isGet, 'cut')
    const read = async () => {
      const answer = await fetch(`${url}/v1/attachments/${body.attachment.id}/content`, {
        headers: { authorization: `Bearer ${keys.read}` },
      })
      return (await answer.text()).length
    }
    await expect(read()).rejects.toThrow()
    expect(await read()).toBe(300_000)
  })

  it('says in the receipt when the store keeps the bytes, each time that it is asked', async () => {
    const { store, address } = await opened({ versions: 'locked' })
    const { push, url } = await startTestService({ env: { STORAGE_URL: address } })
    const { id } = (await push(text())).body.attachment
    const erase = async () =>
      (
        await fetch(`${url}/v1/attachments/${id}`, {
          method: 'DELETE',
          headers: { authorization: `Bearer ${keys.all}` },
        })
      ).json()
    const receipt = await erase()
    expect(receipt).toMatchObject({ key: 'destroyed', bytes: 'kept' })
    expect(await erase()).toEqual(receipt)
    expect(store.keptKeys()).toContain(`clipgate/${id}.sealed`)
  })

  it('sweeps nothing that belongs to another installation', async () => {
    const { address, sealed } = await opened()
    const theirs = await startTestService({ env: { STORAGE_URL: address } })
    await theirs.push(text())
    await theirs.service.sweep()
    const clock = { ...systemClock, now: () => new Date(Date.now() + 25 * 3_600_000) }
    const dataDir = await temporaryFolder()
    const before = await startTestService({ dataDir })
    await before.service.stop()
    const ours = await startTestService({ dataDir, env: { STORAGE_URL: address }, overrides: { clock } })
    await expect(ours.service.sweep()).rejects.toThrow('the sweep left 1 undone')
    expect(await sealed()).toHaveLength(1)
  })

  it('by the commands: doctor says what the store does, erase erases in it', async () => {
    const { store, address, sealed } = await opened({ sha256: false })
    const service = await startTestService({ env: { STORAGE_URL: address } })
    const { id } = (await service.push(text())).body.attachment
    await service.service.stop()
    const env = {
      ...testEnvironment(service.dataDir, service.emulator.url),
      CLIPGATE_STORAGE_URL: address,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    }
    const doctor = run(['doctor'], env)
    expect(await doctor.ended).toBe(0)
    expect(doctor.stdout()).toMatch(
      /ok +storage: s3:\/\/bucket\/clipgate\/ at http:.* was written: it has conditional writes, and checks MD5/,
    )
    const erase = run(['erase', '--attachment', id], env)
    expect(await erase.ended).toBe(0)
    expect(JSON.parse(erase.stdout())).toMatchObject({ attachmentId: id, bytes: 'removed' })
    expect(await sealed()).toEqual([])

    store.fail(isPut, { status: 404, code: 'NoSuchBucket' }, 1000)
    const failing = run(['doctor'], env)
    expect(await failing.ended).toBe(1)
    expect(failing.stdout()).toMatch(/failed +storage: .*NoSuchBucket/)
    expect(failing.stdout() + failing.stderr()).not.toContain(credentials.secretAccessKey)
    expect(failing.stderr()).toBe('')
  })

  it.each(['profile', 'container', 'web identity'] as const)(
    'finds its credentials as AWS programs do: %s',
    async (how) => {
      const { store, address } = await opened()
      const folder = await temporaryFolder()
      const file = join(folder, 'file')
      const issuer = createServer((request, response) => {
        const [AccessKeyId, SecretAccessKey] = ['issued-key', 'issued-secret']
        const expiry = new Date(Date.now() + 3_600_000).toISOString()
        if (request.url === '/container')
          return response.end(JSON.stringify({ AccessKeyId, SecretAccessKey, Token: 'token', Expiration: expiry }))
        const fields = `<AccessKeyId>${AccessKeyId}</AccessKeyId><SecretAccessKey>${SecretAccessKey}</SecretAccessKey>`
        const more = `<SessionToken>token</SessionToken><Expiration>${expiry}</Expiration>`
        const result = `<AssumeRoleWithWebIdentityResult><Credentials>${fields}${more}</Credentials></AssumeRoleWithWebIdentityResult>`
        response.end(`<AssumeRoleWithWebIdentityResponse>${result}</AssumeRoleWithWebIdentityResponse>`)
      }).listen(0, '127.0.0.1')
      await once(issuer, 'listening')
      onTestFinished(() => void issuer.close())
      const url = `http://127.0.0.1:${(issuer.address() as { port: number }).port}`
      await writeFile(file, '[default]\naws_access_key_id = issued-key\naws_secret_access_key = issued-secret\n')
      const doctor = run(['doctor'], {
        ...storedIn(folder, address),
        ...(how === 'profile' && { AWS_SHARED_CREDENTIALS_FILE: file }),
        ...(how === 'container' && { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container` }),
        ...(how === 'web identity' && {
          AWS_WEB_IDENTITY_TOKEN_FILE: file,
          AWS_ROLE_ARN: 'arn:aws:iam::1:role/clipgate',
          AWS_REGION: 'us-east-1',
          AWS_ENDPOINT_URL_STS: url,
        }),
      })
      await doctor.ended
      expect(doctor.stdout()).toMatch(/ok +storage: /)
      expect([...store.keyIds]).toEqual(['issued-key'])
    },
  )

  it('says plainly that it has no credentials', async () => {
    const { address } = await opened()
    const folder = await temporaryFolder()
    const env = { ...storedIn(folder, address), AWS_EC2_METADATA_DISABLED: 'true', HOME: folder }
    const doctor = run(['doctor'], env)
    expect(await doctor.ended).toBe(1)
    expect(doctor.stdout()).toMatch(/failed +storage: .*credentials/i)
  })

  it('is refused when the database is lost and files are there', async () => {
    const { address, putOrphan } = await opened()
    await putOrphan(newAttachmentId())
    await expect(startTestService({ env: { STORAGE_URL: address } })).rejects.toThrow(/Put back the database/)
  })
})
