import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client'

/** What the overview tells: half of them, and all but the slowest, of the last ten minutes. */
const lately = { percentiles: [0.5, 0.99], maxAgeSeconds: 600, ageBuckets: 5 }

/** The numbers that an operator watches, each prefixed `clipgate_`. One registry a service, so that tests do not share. */
export function createMetrics(uploadsRunning: () => number = () => 0) {
  const registry = new Registry()
  const registers = [registry]
  return {
    registry,
    files: new Counter({
      name: 'clipgate_files_total',
      help: 'Files that went through intake, by door, state and code.',
      labelNames: ['door', 'state', 'code'],
      registers,
    }),
    fileBytes: new Counter({
      name: 'clipgate_file_bytes_total',
      help: 'Bytes of accepted files.',
      labelNames: ['door'],
      registers,
    }),
    scans: new Counter({
      name: 'clipgate_scans_total',
      help: 'What engines said of files, by engine and verdict.',
      labelNames: ['engine', 'verdict'],
      registers,
    }),
    scanEngine: new Gauge({
      name: 'clipgate_scan_engine_info',
      help: 'By which signatures an engine judges, as it tells itself: always 1.',
      labelNames: ['engine', 'version'],
      registers,
    }),
    scanSignatures: new Gauge({
      name: 'clipgate_scan_signatures_timestamp_seconds',
      help: 'When the signatures of an engine were made, in seconds since 1970. Absent where it does not tell.',
      labelNames: ['engine'],
      registers,
    }),
    decided: new Counter({
      name: 'clipgate_decided_total',
      help: 'Files whose state changed after they were judged, by the state that they have since and the code.',
      labelNames: ['state', 'code'],
      registers,
    }),
    held: new Gauge({
      name: 'clipgate_held',
      help: 'Files in quarantine, by whom they wait for.',
      labelNames: ['waits_for'],
      registers,
    }),
    gatewayConnections: new Gauge({
      name: 'clipgate_gateway_connections',
      help: 'Connections of clients that are relayed now.',
      registers,
    }),
    gatewayTroubles: new Counter({
      name: 'clipgate_gateway_troubles_total',
      help: 'What went wrong at the gateway, by kind: unreachable, flood, address, host, upload.',
      labelNames: ['kind'],
      registers,
    }),
    erased: new Counter({ name: 'clipgate_erased_total', help: 'Files erased.', registers }),
    orphans: new Counter({
      name: 'clipgate_orphans_total',
      help: 'Stored objects without a record, removed.',
      registers,
    }),
    damaged: new Counter({
      name: 'clipgate_damaged_total',
      help: 'Reads refused because bytes were damaged.',
      registers,
    }),
    scrubbed: new Counter({
      name: 'clipgate_scrubbed_total',
      help: 'Stored files that were read to be proved, by outcome: whole, damaged, missing.',
      labelNames: ['outcome'],
      registers,
    }),
    auditInLog: new Counter({
      name: 'clipgate_audit_in_log_total',
      help: 'Reads whose audit row could not be written and is in the log.',
      registers,
    }),
    requests: new Histogram({
      name: 'clipgate_http_request_seconds',
      help: 'Time from a request to its answer, in seconds.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers,
    }),
    intakeSeconds: new Summary<'kind' | 'quantile'>({
      name: 'clipgate_intake_seconds',
      help: "From a file's first byte to its answer, its sender's own pace included, in seconds, in the last ten minutes.",
      registers,
      ...lately,
    }),
    copySeconds: new Summary<'kind' | 'quantile'>({
      name: 'clipgate_copy_seconds',
      help: 'Time to make a copy, by kind (safe, preview), waiting for its turn included, in seconds, in the last ten minutes.',
      labelNames: ['kind'],
      registers,
      ...lately,
    }),
    confirmations: new Counter({
      name: 'clipgate_confirmations_total',
      help: 'Attempts to confirm, by how they ended and by which way.',
      labelNames: ['outcome', 'way'],
      registers,
    }),
    outboxPending: new Gauge({ name: 'clipgate_outbox_pending', help: 'Confirmations owed.', registers }),
    outboxParked: new Gauge({
      name: 'clipgate_outbox_parked',
      help: 'Confirmations given up until retried.',
      registers,
    }),
    pullLookups: new Counter({
      name: 'clipgate_pull_lookups_total',
      help: 'Attempts to look at conversations and messages for files, by how they ended.',
      labelNames: ['outcome'],
      registers,
    }),
    pullFetches: new Counter({
      name: 'clipgate_pull_fetches_total',
      help: 'Attempts to fetch a file that failed, by how they ended. Those that did not are in clipgate_files_total.',
      labelNames: ['outcome'],
      registers,
    }),
    pullPending: new Gauge({
      name: 'clipgate_pull_pending',
      help: 'What is to be looked at (lookups), and files that are to be fetched (files).',
      labelNames: ['what'],
      registers,
    }),
    pullUnfetched: new Gauge({
      name: 'clipgate_pull_unfetched',
      help: 'Files that could not be fetched and are given up until retried.',
      registers,
    }),
    seenFilesRefused: new Counter({
      name: 'clipgate_seen_files_refused_total',
      help: 'Files that an agent may have seen and that were refused, by code.',
      labelNames: ['code'],
      registers,
    }),
    alerts: new Counter({
      name: 'clipgate_alerts_total',
      help: 'Attempts to tell the alert webhook of a file, by kind and how they ended.',
      labelNames: ['kind', 'outcome'],
      registers,
    }),
    alertsWaiting: new Gauge({
      name: 'clipgate_alerts_waiting',
      help: 'Alerts that are owed to the webhook (pending), and given up until retried (parked).',
      labelNames: ['state'],
      registers,
    }),
    notificationGaps: new Counter({
      name: 'clipgate_notification_gaps_total',
      help: 'How often a channel of the notification service was lost, or could not be opened.',
      registers,
    }),
    genesysRequests: new Counter({
      name: 'clipgate_genesys_requests_total',
      help: 'Requests to Genesys Cloud, by route and status (0: no answer).',
      labelNames: ['route', 'status'],
      registers,
    }),
    genesysRateCount: new Gauge({
      name: 'clipgate_genesys_ratelimit_count',
      help: 'inin-ratelimit-count of the last answer.',
      registers,
    }),
    genesysRateAllowed: new Gauge({
      name: 'clipgate_genesys_ratelimit_allowed',
      help: 'inin-ratelimit-allowed of the last answer.',
      registers,
    }),
    genesysTokens: new Counter({
      name: 'clipgate_genesys_tokens_total',
      help: 'Access tokens asked for, by outcome.',
      labelNames: ['outcome'],
      registers,
    }),
    platformDifferences: new Gauge({
      name: 'clipgate_platform_differences',
      help: 'Differences between our policy and what Genesys Cloud lets in, by kind. Absent while they are not known.',
      labelNames: ['kind'],
      registers,
    }),
    keysToRewrap: new Gauge({
      name: 'clipgate_keys_to_rewrap',
      help: 'Files whose keys are not wrapped under the current master key yet.',
      registers,
    }),
    uploadsRunning: new Gauge({
      name: 'clipgate_uploads_running',
      help: 'Files coming in now.',
      registers,
      collect() {
        this.set(uploadsRunning())
      },
    }),
  }
}

export type Metrics = ReturnType<typeof createMetrics>
