import { type Proof, prove } from '../access/prove.ts'
import type { AttachmentId } from '../attachment.ts'
import { eachAbreast } from '../moving/abreast.ts'
import type { Progress } from '../moving/progress.ts'
import { allStored } from '../records/questions/stored.ts'
import type { Records } from '../records/records.ts'
import type { KeyRing } from '../seal/keys.ts'
import type { Storage } from '../storage/storage.ts'
import type { Io } from './io.ts'

export interface Proofs {
  whole: number
  bad: { id: AttachmentId; proof: Exclude<Proof, 'whole' | 'gone'> }[]
}

/** Reads every stored file to its end, and compares it with its record. */
export async function proveAll({
  progress,
  ...parts
}: {
  records: Records
  storage: Storage
  keys: KeyRing
  progress: Progress
}): Promise<Proofs> {
  const { records } = parts
  const proofs: Proofs = { whole: 0, bad: [] }
  progress.begin('files opened and compared', await records.storedCount())
  await eachAbreast(allStored(records.storedPage), async ({ id }) => {
    const attachment = await records.attachment(id)
    const proof = attachment ? await prove(attachment, parts) : 'gone'
    if (proof === 'whole') proofs.whole++
    else if (proof !== 'gone') proofs.bad.push({ id, proof })
    progress.step()
  })
  progress.end()
  return proofs
}

/** False: something is damaged or missing. */
export function tellProofs({ whole, bad }: Proofs, io: Io): boolean {
  for (const { id, proof } of bad) io.err(`${id}: its bytes are ${proof}.`)
  io.out(`${whole} files are whole${bad.length > 0 ? `, ${bad.length} are damaged or missing` : ''}.`)
  return bad.length === 0
}
