import type { Kysely } from 'kysely'
import type { Clock } from '../clock.ts'
import { accountOf, accounts, addAccount, hasAccounts, removeAccount, setPassword } from './questions/accounts.ts'
import { alertState, forgetAlerts, leaseAlerts, releaseAlerts, settleAlert } from './questions/alerts.ts'
import {
  attachment,
  idsOfConversation,
  listAttachments,
  newestOfConversation,
  pulledOf,
  receivedBefore,
  storedAmong,
} from './questions/attachments.ts'
import { audit, auditHas, auditHeads, findAudit, listAudit, verifyAudit } from './questions/audit.ts'
import { filesByDay, storedFiles } from './questions/days.ts'
import { bytesRemoved, erase, storedInVain } from './questions/erase.ts'
import {
  backfillState,
  knownMessages,
  leaseFetches,
  pullState,
  releasePulls,
  retryFetches,
  settleFetch,
} from './questions/fetches.ts'
import { announceFile, beginSending, fileSent, gatewayFile, moveFile } from './questions/gateway.ts'
import { forgetGatewayFiles, sessionAmong, unsentFiles, untoldFiles } from './questions/gatewayLeft.ts'
import {
  completeFile,
  foundMessage,
  gatewayState,
  leaseMessages,
  leaseSentFiles,
  noteMessage,
  retryMessage,
  retrySentFile,
} from './questions/gatewaySent.ts'
import { dataKey, filesByMasterKey, filesUnder, masterKeyIds, masterKeys } from './questions/keys.ts'
import { endLink, keepLink, link, linksOf } from './questions/links.ts'
import {
  askLookups,
  conversationsSince,
  forgetLookups,
  leaseLookups,
  lookupState,
  settleLookup,
  takeEvents,
} from './questions/lookups.ts'
import {
  deliveredByWay,
  dropConfirmations,
  leaseConfirmations,
  listOutbox,
  outboxState,
  releaseLeases,
  retryConfirmations,
  settleConfirmation,
} from './questions/outbox.ts'
import { askRelease, decide, heldOne, heldState, heldTooLong, leaseHeld, listHeld } from './questions/quarantine.ts'
import { forgetUsage, quotaUsed } from './questions/quota.ts'
import { leaseRescan, releaseRescan, rescanState, settleRescan } from './questions/rescan.ts'
import {
  announceMasterKey,
  holdMasterKeys,
  keyHolders,
  keysUnder,
  leaveMasterKeys,
  retireMasterKey,
  rewrapKeys,
} from './questions/rotation.ts'
import { beginScrub, leaseScrub, releaseScrub, scrubState, settleScrub } from './questions/scrub.ts'
import {
  endAllSessions,
  endSession,
  forgetSessions,
  keepSession,
  session,
  sessionIsLive,
  touchSession,
} from './questions/sessions.ts'
import { earlierDelivery, forgetDeliveries, settle } from './questions/settle.ts'
import { storedCount, storedPage } from './questions/stored.ts'
import { forgetSpent, keepTicket, signatureUsed, spend, ticket } from './questions/tickets.ts'
import { forgetVerdicts, knownVerdicts } from './questions/verdicts.ts'
import type { Schema } from './schema.ts'

/** Questions that only read. */
export const reads = {
  attachment,
  listAttachments,
  newestOfConversation,
  storedAmong,
  receivedBefore,
  idsOfConversation,
  storedInVain,
  storedPage,
  storedCount,
  earlierDelivery,
  dataKey,
  masterKeys,
  masterKeyIds,
  filesByMasterKey,
  filesUnder,
  keysUnder,
  keyHolders,
  listOutbox,
  outboxState,
  deliveredByWay,
  listAudit,
  findAudit,
  verifyAudit,
  auditHeads,
  auditHas,
  ticket,
  link,
  linksOf,
  filesByDay,
  storedFiles,
  signatureUsed,
  session,
  sessionIsLive,
  accounts,
  accountOf,
  hasAccounts,
  quotaUsed,
  pulledOf,
  knownMessages,
  lookupState,
  conversationsSince,
  pullState,
  backfillState,
  alertState,
  listHeld,
  heldOne,
  heldState,
  heldTooLong,
  knownVerdicts,
  rescanState,
  scrubState,
  gatewayFile,
  unsentFiles,
  untoldFiles,
  sessionAmong,
  gatewayState,
}

/** Changes: each is one value, and one transaction. */
export const changes = {
  keepTicket,
  keepLink,
  endLink,
  spend,
  forgetSpent,
  keepSession,
  touchSession,
  endSession,
  forgetSessions,
  endAllSessions,
  addAccount,
  setPassword,
  removeAccount,
  forgetUsage,
  settle,
  forgetDeliveries,
  erase,
  bytesRemoved,
  holdMasterKeys,
  announceMasterKey,
  leaveMasterKeys,
  rewrapKeys,
  retireMasterKey,
  leaseConfirmations,
  settleConfirmation,
  releaseLeases,
  retryConfirmations,
  dropConfirmations,
  askLookups,
  takeEvents,
  leaseLookups,
  settleLookup,
  forgetLookups,
  leaseFetches,
  settleFetch,
  retryFetches,
  releasePulls,
  leaseAlerts,
  settleAlert,
  releaseAlerts,
  forgetAlerts,
  decide,
  askRelease,
  leaseHeld,
  forgetVerdicts,
  leaseRescan,
  settleRescan,
  releaseRescan,
  beginScrub,
  leaseScrub,
  settleScrub,
  releaseScrub,
  announceFile,
  beginSending,
  moveFile,
  fileSent,
  leaseSentFiles,
  retrySentFile,
  completeFile,
  forgetGatewayFiles,
  noteMessage,
  leaseMessages,
  retryMessage,
  foundMessage,
  audit,
}

type Asked<Questions> = {
  [Name in keyof Questions]: Questions[Name] extends (db: Kysely<Schema>, ...args: infer Args) => Promise<infer Answer>
    ? (...args: Args) => Promise<Answer>
    : never
}

/**
 * Facts: attachments, keys, deliveries, the outbox, the audit trail. One method a question; a change has committed, and
 * would survive power loss, when its method resolves. Safe for concurrent use.
 *
 * Every method throws `Unavailable` when the database cannot be used (nothing changed, safe to ask again), and a change
 * throws `OutcomeUnknown` when its commit was asked for and not confirmed: it may stand.
 */
export interface Records extends Asked<typeof reads>, Asked<typeof changes> {
  /** No other process serves from them: what a start finds leased is of a process that has died. */
  readonly alone: boolean
  /** The time that all processes over these records share, once one of them was asked. Null: this machine's. */
  readonly clock: Clock | null
  /** `listener` is called when another process may have left something to do: at once, late, or never. */
  onWork(listener: () => void): void
  /** Makes what was deleted unreadable in the database's own files. */
  truncateLog(): Promise<void>
  /** Resolves when both reading and writing work. */
  check(): Promise<void>
  close(): Promise<void>
}
