import type { AuditHead } from '../records/questions/audit.ts'
import type { Records } from '../records/records.ts'
import type { Io } from './io.ts'

const batch = 2000

/** Whether every chain of the audit trail is whole; told in a line. */
export async function verifyChains(records: Records, io: Io): Promise<boolean> {
  let rows = 0
  for (const { node } of await records.auditHeads())
    for (let after: AuditHead | null = null; ; ) {
      const { whole, last, broken } = await records.verifyAudit({ node, after, limit: batch })
      rows += whole
      if (broken) {
        io.err(`The audit trail is broken at row ${broken.seq} of node ${broken.node}. See: clipgate audit verify`)
        return false
      }
      after = last
      if (whole < batch) break
    }
  io.out(`The audit trail is whole: ${rows} rows.`)
  return true
}
