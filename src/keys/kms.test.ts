import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startKms } from '../../tests/fixtures/kms.ts'
import { temporaryFolder } from '../../tests/folder.ts'
import { systemClock } from '../clock.ts'
import { masterKeyId } from '../seal/keys.ts'
import { readKeyFile } from './keyFile.ts'
import { keyFile, keySource } from './source.ts'

async function started() {
  const kms = await startKms()
  Object.assign(process.env, kms.env)
  onTestFinished(() => {
    for (const name of Object.keys(kms.env)) delete process.env[name]
  })
  const path = join(await temporaryFolder(), 'master.key')
  const read = (key: string | null = kms.keyId) => keySource({ from: 'file', path, kms: key }, null, systemClock).read()
  return { ...kms, path, read }
}

it('a key file may hold what AWS KMS made of its keys, tied to their names, and asks in the form that KMS wants', async () => {
  const { asked, keyId, path, read } = await started()
  const file = keyFile(path, keyId)
  const [first, second] = [await file.create(), await file.add()]
  expect(await read()).toEqual([first, second])
  const text = await readFile(path, 'utf8')
  expect(text.match(/^mk_[0-9a-f]{16} kms:[A-Za-z0-9+/=]+$/gm)).toHaveLength(2)
  for (const key of [first, second]) expect(text).not.toContain(key.toString('base64'))
  expect(asked.map(({ target }) => target)).toEqual([
    'TrentService.Encrypt',
    'TrentService.Encrypt',
    'TrentService.Decrypt',
    'TrentService.Decrypt',
  ])
  const context = { clipgate: 'master key', id: masterKeyId(first) }
  expect(asked[0]!.body).toEqual({ KeyId: keyId, Plaintext: first.toString('base64'), EncryptionContext: context })
  expect(asked[2]!.body).toEqual({ CiphertextBlob: expect.any(String), EncryptionContext: context })
  for (const { headers } of asked) {
    expect(headers['content-type']).toBe('application/x-amz-json-1.1')
    expect(headers['x-amz-date']).toMatch(/^\d{8}T\d{6}Z$/)
    expect(headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/kms\/aws4_request, SignedHeaders=[a-z0-9;-]*x-amz-target[a-z0-9;-]*, Signature=[0-9a-f]{64}$/,
    )
  }
})

it('beside keys that lie there as they are, as long as a file has both', async () => {
  const { keyId, path, read } = await started()
  const plain = await keyFile(path, null).create()
  const encrypted = await keyFile(path, keyId).add()
  expect(await read()).toEqual([plain, encrypted])
  await expect(read(null)).rejects.toThrow(
    `${masterKeyId(encrypted)} is encrypted by AWS KMS. Set CLIPGATE_MASTER_KEY_KMS`,
  )
})

it('is refused when a ciphertext stands under another name, or KMS does not decrypt it, and no key is told', async () => {
  const { deny, keyId, path, read } = await started()
  const key = await keyFile(path, keyId).create()
  const [line] = (await readKeyFile(path))!
  const other = masterKeyId(Buffer.alloc(32))
  await writeFile(path, (await readFile(path, 'utf8')).replace(line!.id, other))
  await expect(read()).rejects.toThrow('AWS KMS: InvalidCiphertextException')
  await writeFile(path, (await readFile(path, 'utf8')).replace(other, line!.id))
  expect(await read()).toEqual([key])
  deny()
  await expect(read()).rejects.toThrow('AWS KMS: AccessDeniedException: User is not authorized to perform this action')
  await expect(keyFile(join(path, '..', 'next.key'), keyId).create()).rejects.toThrow('AccessDeniedException')
})
