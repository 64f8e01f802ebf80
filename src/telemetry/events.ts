import type { Attachment, AttachmentId, Verdict, Way } from '../attachment.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/** What the audit trail says of a deed; here only to be passed on. */
interface AuditRow {
  at: Date
  who: string
  what: string
  object: string | null
  outcome: string
  requestId: string | null
  detail: string | null
}

/**
 * What happens, in the words of the trade: one function an event, and the only place that decides what of it is logged
 * and counted. Nothing here may carry a secret, a token, a file's name or its content.
 */
export function createEvents(log: Log, metrics: Metrics) {
  const engineVersions = new Map<string, string>()
  return {
    serving: (url: string) => log.info({ url }, 'serving'),
    stopping: () => log.info('stopping'),
    stopped: () => log.info('stopped'),

    requestServed(request: {
      requestId: string
      method: string
      route: string
      status: number
      seconds: number
      who: string | null
    }) {
      metrics.requests.observe(
        { method: request.method, route: request.route, status: String(request.status) },
        request.seconds,
      )
      log.info(request, 'request served')
    },
    requestAborted: (requestId: string, route: string) =>
      log.info({ requestId, route }, 'request aborted by its sender'),
    /** Something of ours is broken: the operator sees the cause, the caller never does. */
    requestFailed: (requestId: string, error: unknown) => log.error({ requestId, ...causes(error) }, 'request failed'),
    credentialRefused: (requestId: string, route: string) => log.warn({ requestId, route }, 'credential refused'),

    fileJudged({ id, door, state, code, type, size, conversationId }: Attachment, requestId: string) {
      metrics.files.inc({ door, state, code: code ?? '' })
      if (state === 'accepted') metrics.fileBytes.inc({ door }, size ?? 0)
      log.info({ requestId, attachmentId: id, door, state, code, type, size, conversationId }, 'file judged')
    },
    /** What became of a file after it was settled. */
    fileDecided({ id, door, state, code }: Attachment, who: string) {
      metrics.decided.inc({ state, code: code ?? '' })
      log[state === 'recalled' ? 'warn' : 'info']({ attachmentId: id, door, state, code, who }, 'file decided on')
    },
    heldCounted(held: { person: number; engine: number }): void {
      for (const [waitsFor, count] of Object.entries(held)) metrics.held.set({ waits_for: waitsFor }, count)
    },
    lateJudgingFailed: (error: unknown) => log.error(causes(error), 'stored files cannot be judged now'),
    gatewayConnected: (open: number): void => metrics.gatewayConnections.set(open),
    gatewayUnreachable(error: unknown): void {
      metrics.gatewayTroubles.inc({ kind: 'unreachable' })
      log.error(causes(error), 'the guest socket of genesys cannot be reached')
    },
    gatewayFlooded(deploymentId: string): void {
      metrics.gatewayTroubles.inc({ kind: 'flood' })
      log.warn({ deploymentId }, 'a client that floods is shut out')
    },
    gatewayAddressHeldBack(deploymentId: string): void {
      metrics.gatewayTroubles.inc({ kind: 'address' })
      log.warn({ deploymentId }, 'an address of genesys that nobody asked for is held back')
    },
    /** The address itself is a secret. */
    gatewayTargetRefused(url: string): void {
      metrics.gatewayTroubles.inc({ kind: 'host' })
      const host = URL.canParse(url) ? new URL(url).host : '(none)'
      log.error({ host }, 'genesys wants a file on a host that is not in UPLOAD_HOSTS')
    },
    gatewayUploadFailed(attachmentId: AttachmentId, error: unknown): void {
      metrics.gatewayTroubles.inc({ kind: 'upload' })
      log.error({ attachmentId, ...causes(error) }, 'a file could not be handed on to genesys')
    },
    gatewayUploadLost(deploymentId: string): void {
      metrics.gatewayTroubles.inc({ kind: 'upload' })
      log.error({ deploymentId }, 'the platform took a file and does not know it')
    },
    gatewayCompleted: (attachmentId: AttachmentId, conversationId: string) =>
      log.info({ attachmentId, conversationId }, 'the conversation of a file is found'),
    gatewayIncomplete: (attachmentId: AttachmentId, reason: string, nextAt: Date | null) =>
      log.warn(
        { attachmentId, reason, nextAt: nextAt?.toISOString() ?? null },
        'the conversation of a file is not found',
      ),
    gatewayMessageNotFound: (messageId: string, reason: string, nextAt: Date | null) =>
      log.warn({ messageId, reason, nextAt }, 'the conversation of a message with files is not found'),
    gatewayFailed: (error: unknown) => log.error(causes(error), 'the gateway failed at something'),
    fileErased(attachmentId: AttachmentId, who: string) {
      metrics.erased.inc()
      log.info({ attachmentId, who }, 'file erased')
    },
    fileDamaged(attachmentId: AttachmentId, requestId: string | null, error: unknown) {
      metrics.damaged.inc()
      log.error({ requestId, attachmentId, ...causes(error) }, 'stored file is damaged')
    },
    /** What is stored of a file was read to its end. */
    scrubbed(attachmentId: AttachmentId, outcome: 'whole' | 'damaged' | 'missing') {
      metrics.scrubbed.inc({ outcome })
      if (outcome === 'whole') log.debug({ attachmentId }, 'stored file is whole')
      else log.error({ attachmentId, outcome }, 'stored file cannot be proved')
    },
    scrubFailed: (error: unknown) => log.error(causes(error), 'stored files cannot be read now'),
    intakeTook: (seconds: number): void => metrics.intakeSeconds.observe(seconds),
    copyMade: (kind: 'safe' | 'preview', seconds: number): void => metrics.copySeconds.observe({ kind }, seconds),
    watcherTooSlow: (requestId: string) => log.warn({ requestId }, 'who watches takes too little and is cut off'),
    watchingFailed: (error: unknown) => log.error(causes(error), 'those who watch cannot be told of files now'),
    readerTooSlow: (attachmentId: AttachmentId, requestId: string) =>
      log.warn({ requestId, attachmentId }, 'a reader takes too little and is cut off'),
    swept(result: { orphans: number; expired: number }) {
      metrics.orphans.inc(result.orphans)
      log.info(result, 'swept')
    },
    /** Where logs are kept elsewhere, this proves later that the trail up to here is as it was. */
    auditHead: (node: string, seq: number, digest: string) =>
      log.info({ node, head: `${seq}:${digest}` }, 'audit head'),
    auditHeadUnknown: (error: unknown) => log.error(causes(error), 'audit head cannot be read'),
    notAudited: (what: string, error: unknown) => log.error({ what, ...causes(error) }, 'not in the audit trail yet'),
    spoolNotCleared: (error: unknown) => log.error(causes(error), 'a file is left in the spool'),
    /**
     * A read went on though its row could not be written: the log has it in its place. False: the log takes no errors, so
     * that it has not.
     */
    auditKeptInLog(row: AuditRow, error: unknown): boolean {
      if (!log.isLevelEnabled('error')) return false
      metrics.auditInLog.inc()
      log.error({ audit: row, ...causes(error) }, 'audit row kept in the log')
      return true
    },
    keyInUse: (masterKeyId: string) => log.info({ masterKeyId }, 'new files are sealed under another master key'),
    keysCounted: (toRewrap: number): void => metrics.keysToRewrap.set(toRewrap),
    keysRewrapped: (files: number, left: number) =>
      log.info({ files, left }, 'keys of files are wrapped under the current master key'),
    /** A master key was announced, and its source cannot be read. */
    keysUnreadable: (error: unknown) => log.error(causes(error), 'master keys cannot be read'),
    /** Files that are sealed under these cannot be read by this process. */
    keysLacking: (masterKeyIds: string[]) => log.error({ masterKeyIds }, 'master keys are missing'),
    rotationFailed: (error: unknown) => log.error(causes(error), 'master keys cannot be kept in step now'),
    sweepFailed: (error: unknown) => log.error(causes(error), 'sweep failed'),

    confirmed(attachmentId: AttachmentId, way: Way, attempts: number) {
      metrics.confirmations.inc({ outcome: 'delivered', way })
      log.info({ attachmentId, way, attempts }, 'confirmation delivered')
    },
    confirmationDelayed(attachmentId: AttachmentId, reason: string, nextAt: Date) {
      metrics.confirmations.inc({ outcome: 'retry', way: '' })
      log.warn({ attachmentId, reason, nextAt }, 'confirmation delayed')
    },
    confirmationParked(attachmentId: AttachmentId, reason: string) {
      metrics.confirmations.inc({ outcome: 'parked', way: '' })
      log.error({ attachmentId, reason }, 'confirmation parked')
    },
    /** A conversation, or one message of it, was looked at, and had so many files that were not known. */
    lookedUp(conversationId: string, messageId: string | null, found: number) {
      metrics.pullLookups.inc({ outcome: 'done' })
      log.info({ conversationId, messageId, found }, 'looked at for files')
    },
    lookupDelayed(conversationId: string, reason: string, nextAt: Date) {
      metrics.pullLookups.inc({ outcome: 'retry' })
      log.warn({ conversationId, reason, nextAt }, 'look-up delayed')
    },
    lookupGivenUp(conversationId: string, outcome: 'missing' | 'parked', reason: string) {
      metrics.pullLookups.inc({ outcome })
      log[outcome === 'parked' ? 'error' : 'warn']({ conversationId, outcome, reason }, 'look-up given up')
    },
    fetchDelayed(attachmentId: AttachmentId, reason: string, nextAt: Date) {
      metrics.pullFetches.inc({ outcome: 'retry' })
      log.warn({ attachmentId, reason, nextAt }, 'fetch delayed')
    },
    fileUnfetched(attachmentId: AttachmentId, conversationId: string, reason: string) {
      metrics.pullFetches.inc({ outcome: 'unfetched' })
      log.error({ attachmentId, conversationId, reason }, 'file cannot be fetched')
    },
    /** The agent may have opened it, and it was refused. */
    seenFileRefused({ id, conversationId, code }: Attachment) {
      metrics.seenFilesRefused.inc({ code: code ?? '' })
      log.error({ attachmentId: id, conversationId, code }, 'a file that an agent may have seen was refused')
    },
    alerted: (alertId: string, kind: string, attempts: number) => {
      metrics.alerts.inc({ kind, outcome: 'delivered' })
      log.info({ alertId, kind, attempts }, 'alert delivered')
    },
    alertDelayed(alertId: string, reason: string, nextAt: Date) {
      metrics.alerts.inc({ kind: '', outcome: 'retry' })
      log.warn({ alertId, reason, nextAt }, 'alert delayed')
    },
    alertParked(alertId: string, reason: string) {
      metrics.alerts.inc({ kind: '', outcome: 'parked' })
      log.error({ alertId, reason }, 'alert parked')
    },
    alerterFailed: (error: unknown) => log.error(causes(error), 'alerter failed'),
    alertsCounted(pending: number, parked: number) {
      metrics.alertsWaiting.set({ state: 'pending' }, pending)
      metrics.alertsWaiting.set({ state: 'parked' }, parked)
    },
    listening: (topics: number) => log.info({ topics }, 'listening to notifications'),
    notListening(reason: string) {
      metrics.notificationGaps.inc()
      log.warn({ reason }, 'not listening to notifications')
    },
    topicRejected: (topic: string, reason: string) => log.error({ topic, reason }, 'topic rejected'),
    pullFailed: (error: unknown) => log.error(causes(error), 'pull failed'),
    pullCounted({ lookups, fetching, unfetched }: { lookups: number; fetching: number; unfetched: number }) {
      metrics.pullPending.set({ what: 'lookups' }, lookups)
      metrics.pullPending.set({ what: 'files' }, fetching)
      metrics.pullUnfetched.set(unfetched)
    },

    courierFailed: (error: unknown) => log.error(causes(error), 'courier failed'),
    outboxCounted(pending: number, parked: number) {
      metrics.outboxPending.set(pending)
      metrics.outboxParked.set(parked)
    },

    genesysAnswered(request: { route: string; status: number; count: number | null; allowed: number | null }) {
      metrics.genesysRequests.inc({ route: request.route, status: String(request.status) })
      if (request.count !== null) metrics.genesysRateCount.set(request.count)
      if (request.allowed !== null) metrics.genesysRateAllowed.set(request.allowed)
      log.debug(request, 'genesys answered')
    },
    genesysTokenAsked(outcome: 'given' | 'refused' | 'unavailable') {
      metrics.genesysTokens.inc({ outcome })
      if (outcome !== 'given') log.error({ outcome }, 'genesys gives no token')
    },
    engineJudged({ engine, verdict, detail }: Verdict): void {
      metrics.scans.inc({ engine, verdict })
      if (verdict === 'failed') log.warn({ engine, reason: detail }, 'an engine has no verdict')
    },
    engineKnown(engine: string, signatures: { version: string; madeAt: Date | null } | null): void {
      const before = engineVersions.get(engine)
      if (before !== undefined) metrics.scanEngine.remove({ engine, version: before })
      engineVersions.delete(engine)
      metrics.scanSignatures.remove({ engine })
      if (signatures) {
        engineVersions.set(engine, signatures.version)
        metrics.scanEngine.set({ engine, version: signatures.version }, 1)
      }
      if (signatures?.madeAt) metrics.scanSignatures.set({ engine }, signatures.madeAt.getTime() / 1000)
    },
    platformCompared(counts: Record<string, number>): void {
      metrics.platformDifferences.reset()
      for (const [kind, count] of Object.entries(counts)) metrics.platformDifferences.set({ kind }, count)
    },
    /** Its credentials may not be allowed to look; a comparison that is no longer true would be worse than none. */
    platformNotCompared(error: unknown): void {
      metrics.platformDifferences.reset()
      log.warn(causes(error), 'what genesys lets in is not known')
    },
    genesysWayRefused: (way: Way, reason: string) => log.warn({ way, reason }, 'genesys refuses a way to confirm'),
  }
}

export type Events = ReturnType<typeof createEvents>

/** The messages of an error and what caused it, outermost first, and its stack. For the log only. */
export function causes(error: unknown): { error: string; stack?: string } {
  const messages: string[] = []
  for (let cause = error; cause instanceof Error; cause = cause.cause) messages.push(cause.message)
  return {
    error: messages.join(': ') || String(error),
    ...(error instanceof Error && error.stack && { stack: error.stack }),
  }
}
