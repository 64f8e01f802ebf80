import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { ConfigError } from '../errors.ts'
import { dataKeyBytes } from '../seal/format.ts'
import { masterKeyId } from '../seal/keys.ts'

/** What KMS ties a ciphertext to and writes into its own trail: it opens under the name of its key only. */
const contextOf = (id: string) => ({ clipgate: 'master key', id })

/**
 * Encrypts a master key under a key of AWS KMS. Where KMS is and who we are comes from AWS's own settings (`AWS_REGION`, the usual
 * credentials, `AWS_ENDPOINT_URL_KMS`). Throws `ConfigError`.
 */
export async function encryptKey(kmsKey: string, { id, key }: { id: string; key: Buffer }): Promise<Buffer> {
  const { CiphertextBlob } = await asked((client) =>
    client.send(new EncryptCommand({ KeyId: kmsKey, Plaintext: key, EncryptionContext: contextOf(id) })),
  )
  if (!CiphertextBlob) throw new ConfigError(['AWS KMS gave no ciphertext.'])
  return Buffer.from(CiphertextBlob)
}

/**
 * Decrypts a master key, by whichever key of KMS it is under: the ciphertext says so, and a later one may be under another. Throws
 * `ConfigError`, also when what comes is not the key of this name.
 */
export async function decryptKey({ id, ciphertext }: { id: string; ciphertext: Buffer }): Promise<Buffer> {
  const { Plaintext } = await asked((client) =>
    client.send(new DecryptCommand({ CiphertextBlob: ciphertext, EncryptionContext: contextOf(id) })),
  )
  const key = Plaintext && Buffer.from(Plaintext)
  if (key?.length !== dataKeyBytes || masterKeyId(key) !== id)
    throw new ConfigError([`AWS KMS gave another key than ${id}.`])
  return key
}

async function asked<T>(ask: (client: KMSClient) => Promise<T>): Promise<T> {
  const client = new KMSClient({})
  try {
    return await ask(client)
  } catch (error) {
    const { name, message } = error as Error
    throw new ConfigError([`AWS KMS: ${name}: ${message.split('\n')[0]}`])
  } finally {
    client.destroy()
  }
}
