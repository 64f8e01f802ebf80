import type { MasterKey } from '../records/questions/keys.ts'
import type { Records } from '../records/records.ts'

/** Every master key that was ever announced, and how many files it wraps the keys of. */
export async function listKeys(
  records: Pick<Records, 'masterKeys' | 'filesByMasterKey'>,
): Promise<(MasterKey & { files: number })[]> {
  const known = await records.masterKeys()
  const files = new Map((await records.filesByMasterKey()).map((one) => [one.id, one.files]))
  return known.map((key) => ({ ...key, files: files.get(key.id) ?? 0 }))
}
