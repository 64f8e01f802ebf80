import { newAttachmentId } from '../../src/attachment.ts'
import { policyOf } from '../../src/config/policyFile.ts'
import { type RefusalCode, Refused } from '../../src/errors.ts'
import { examine } from '../../src/intake/inspect/examine.ts'
import { bufferSource } from '../../src/intake/inspect/source.ts'
import { checkPolicy } from '../../src/intake/policy.ts'
import { headBytes, sniff } from '../../src/intake/spool/sniff.ts'
import type { WholeFile } from '../../src/intake/spool/spool.ts'
import { textProbe } from '../../src/intake/spool/text.ts'

export interface Claimed {
  name: string
  type: string
  bytes: Buffer
}

/** What the path says of a file before any engine: its code and detail, or null when it is let on. */
export async function judged(
  { name, type, bytes }: Claimed,
  allowedTypes: string[],
): Promise<{ code: RefusalCode; detail: string } | null> {
  const policy = policyOf({ allowedTypes }, { maxFileBytes: 10 * 1024 * 1024, allowedTypes })
  const probe = textProbe()
  probe.see(bytes)
  const found = await sniff(bytes.subarray(0, headBytes), probe.kind())
  try {
    checkPolicy(policy, { filename: name, declaredType: type }, spooled(bytes.length, found))
    await examine(bufferSource(bytes), type, policy.strictness)
    return null
  } catch (error) {
    if (error instanceof Refused) return { code: error.code, detail: error.detail }
    throw error
  }
}

/** What the policy looks at of a file in the spool. */
function spooled(size: number, type: string | null): WholeFile {
  return {
    tooLarge: false,
    examined: null,
    letGo: () => {},
    id: newAttachmentId(),
    dataKey: Buffer.alloc(32),
    path: '',
    sealedSize: 0,
    sha256: '',
    size,
    type,
    async *open() {},
    discard: async () => {},
  }
}
