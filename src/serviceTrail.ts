import type { Clock } from './clock.ts'
import type { Config, Secrets } from './config.ts'
import type { AuditEntry, AuditKind } from './records/questions/audit.ts'
import type { Records } from './records/records.ts'
import type { KeyRing } from './seal/keys.ts'
import type { Events } from './telemetry/events.ts'

/** The service itself in the audit trail: that it ran and with which settings; and in the log, where the trail ends. */
export interface ServiceTrail {
  /**
   * Writes that the service starts, unless that is written. On a full disk the service can start, so that what is stored
   * can be read: then this says so in the log, and writes it when it is called again and there is room.
   */
  started(): Promise<void>
  stopped(): Promise<void>
  /** Logs the head of each chain. Where logs are kept elsewhere, that proves later that nothing before it was touched. */
  tellHeads(): Promise<void>
}

export function serviceTrail(
  about: { version: string; config: Config; secrets: Secrets; keys: KeyRing },
  parts: { records: Records; clock: Clock; events: Events },
): ServiceTrail {
  const { records, clock, events } = parts
  const entryOf = (what: AuditKind, detail: string | null): AuditEntry => {
    return { at: clock.now(), who: '(service)', what, object: null, outcome: about.version, requestId: null, detail }
  }
  const write = (entry: AuditEntry) =>
    records.audit(entry).then(
      () => true,
      (error: unknown) => {
        events.notAudited(entry.what, error)
        return false
      },
    )
  let start: AuditEntry | null = entryOf('service_start', settingsOf(about))
  return {
    async started() {
      const entry = start
      start = null
      if (entry && !(await write(entry))) start = entry
    },
    async stopped() {
      await write(entryOf('service_stop', null))
    },
    async tellHeads() {
      const heads = await records.auditHeads().catch((error: unknown) => events.auditHeadUnknown(error))
      for (const { node, seq, digest } of heads ?? []) events.auditHead(node, seq, digest)
    },
  }
}

/** Names and values, without secrets, also without such as stand in an address. */
function settingsOf({ config, secrets, keys }: { config: Config; secrets: Secrets; keys: KeyRing }): string {
  const credentials = {
    apiKeys: secrets.apiKeys.map(({ name, scopes }) => ({ name, scopes })),
    pushSigningSecrets: secrets.pushSigningSecrets.length,
  }
  const masterKeys = { current: keys.currentId, all: keys.ids }
  return JSON.stringify({ settings: config, credentials, masterKeys }, (_name, value: unknown) =>
    typeof value === 'string' ? value.replace(/^([a-z0-9+.-]+:\/\/)[^/]*@/i, '$1…@') : value,
  )
}
