import { z } from 'zod'
import { attachmentStates, doors, senders, ways } from '../attachment.ts'
import { refusalCodes } from '../errors.ts'
import { auditKinds } from '../records/questions/audit.ts'
import { linked } from '../records/questions/links.ts'
import { owedStates } from '../records/questions/outbox.ts'
import { waitedFor } from '../records/questions/quarantine.ts'

/** The shapes of requests and answers: what the routes check and what `/openapi.json` describes. */

const nullable = <T extends z.ZodType>(type: T) => type.nullable()

export const verdictShape = z.object({
  engine: z.string(),
  verdict: z.enum(['clean', 'infected', 'unscannable', 'failed']),
  detail: z.string().optional(),
  signatures: z.string().optional(),
  at: z.iso.datetime(),
})

export const attachmentShape = z.object({
  id: z.string().describe('att_ and 26 characters.'),
  state: z.enum(attachmentStates),
  code: nullable(z.enum(refusalCodes)).describe('Why it was refused.'),
  detail: nullable(z.string()),
  door: z.enum(doors),
  conversationId: nullable(z.string()),
  messageId: nullable(z.string()),
  filename: nullable(z.string()).describe('Exactly as the sender gave it. Show it escaped. Null once erased.'),
  type: nullable(z.string()).describe('What the bytes are.'),
  declaredType: nullable(z.string()),
  size: nullable(z.number().int()).describe('Bytes.'),
  sha256: nullable(z.string()),
  scan: z.enum(['required', 'off']).describe('off: taken without asking an engine.'),
  verdicts: z.array(verdictShape),
  confirmation: nullable(
    z.object({
      state: z.enum(['pending', 'delivered', 'parked', 'dropped', 'off']),
      way: nullable(z.enum(ways)),
      at: nullable(z.iso.datetime()),
      possiblyRepeated: z.boolean().optional(),
    }),
  ).describe('Null: it belongs to no conversation, or is not here.'),
  receivedAt: z.iso.datetime().describe('When it came in; through the pull door, when it was learned of.'),
  agentMayHaveSeen: z
    .literal(true)
    .optional()
    .describe('It was pulled from the platform, so the agent may have opened it before it was judged.'),
  sentBy: z.enum(senders).optional().describe('Absent: the customer sent it.'),
})

export const problemShape = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  requestId: z.string(),
  attachmentId: z.string().optional(),
  sentence: z.string().optional().describe('Of a file that is refused: what its customer is told.'),
})

/** Ids of the platform are UUIDs or 32 hex digits; ours to check is only that they can stand in a path. */
const platformId = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9_-]*$/, 'may have letters, digits, - and _ only')
  .transform((id) => id || null)

export const pushQuery = z.object({
  conversation_id: platformId.nullable().default(null).describe('Without it nothing is confirmed.'),
  message_id: platformId.nullable().default(null),
  language: z.string().max(35).nullable().default(null).describe('BCP 47; of the sentence that the customer gets.'),
})

export const ticketRequest = z.strictObject({
  conversationId: z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, 'may have letters, digits, - and _ only'),
  messageId: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,100}$/, 'may have letters, digits, - and _ only')
    .nullable()
    .default(null),
  maxFiles: z.number().int().min(1).max(100).default(1).describe('How many files it is good for.'),
  expiresInSeconds: z.number().int().min(1).max(86_400).default(600),
  language: z.string().max(35).nullable().default(null).describe('BCP 47; of the sentence that the customer gets.'),
})

export const ticketAnswer = z.object({ ticket: z.string(), expiresAt: z.iso.datetime() })

export const pushAnswer = z.object({
  status: z.enum(['success', 'quarantined']),
  message: z.string(),
  attachment: attachmentShape,
  sentence: z.string().describe('What the customer is told of it, in the language that the push or the ticket names.'),
})

const requiredId = z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, 'may have letters, digits, - and _ only')

export const pullRequest = z.strictObject({
  conversationId: requiredId,
  messageId: requiredId
    .nullable()
    .default(null)
    .describe('Without it: every message of the conversation whose files are not known yet.'),
  language: z.string().max(35).nullable().default(null).describe('BCP 47; of the sentence that the customer gets.'),
})

export const pullQuery = z.object({
  wait: z.literal('0').optional().describe('0: answer at once, with what is known.'),
})

export const pullAnswer = z.object({
  conversationId: z.string(),
  status: z.enum(['done', 'pending']).describe('pending: something is on its way, and goes on.'),
  count: z.number().int(),
  accepted: z.number().int(),
  refused: z.number().int(),
  sentence: z.string().describe('What a flow can say to the customer; empty when there is no file.'),
  attachments: z.array(attachmentShape).describe('Newest first, at most 100.'),
})

const eventShape = z.looseObject({
  id: z.string().optional().describe('By which an event that comes again is known.'),
  detail: z.looseObject({ topicName: z.string().optional(), eventBody: z.looseObject({}).optional() }),
})

export const eventsRequest = z.union([eventShape, z.array(eventShape).max(1000)])

export const eventsAnswer = z.object({ taken: z.number().int(), repeated: z.number().int() })

export const previewQuery = z.object({
  page: z.coerce.number().int().min(1).max(100_000).default(1),
  pixels: z.coerce.number().int().min(16).max(2048).default(640).describe('The longest side.'),
})

const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text))

export const linkRequest = z.strictObject({
  of: z.enum(linked).describe('safe_copy: without what is hidden in the file. original: as it came.'),
  expiresInSeconds: z.number().int().min(60).max(3600).default(300),
})

export const linkAnswer = z.object({
  id: z.string().describe('lnk_…: by which it is revoked.'),
  url: z.string().describe('A secret: whoever has it has the file.'),
  of: z.enum(linked),
  expiresAt: z.iso.datetime(),
})

export const linksAnswer = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      of: z.enum(linked),
      who: z.string().describe('Who made it.'),
      madeAt: z.iso.datetime(),
      expiresAt: z.iso.datetime(),
    }),
  ),
})

export const eventsQuery = z.object({
  conversationId: z.string().min(1).max(100).optional().describe('Without it all, for who is shown all.'),
})

export const overviewQuery = z.object({ days: z.coerce.number().int().min(1).max(365).default(30) })

const secondsShape = nullable(z.object({ p50: z.number(), p99: z.number() }))

export const overviewAnswer = z.object({
  from: z.iso.date().describe('The first day, UTC.'),
  to: z.iso.date().describe('The last day: today.'),
  byDay: z
    .array(
      z.object({
        day: z.iso.date(),
        door: z.enum(doors),
        state: z.enum(attachmentStates),
        files: z.number().int(),
        bytes: z.number().int(),
      }),
    )
    .describe(
      'By the day that files came in on, the oldest first; by the state that they are in now. Days without files are left out.',
    ),
  totals: z.object({
    files: z.number().int().describe('That came in on these days.'),
    bytes: z.number().int(),
    held: z.number().int().describe('In quarantine now.'),
    owed: z.number().int().describe('Confirmations that are on their way now.'),
    parked: z.number().int().describe('Confirmations that are given up until they are retried.'),
  }),
  engines: z
    .array(
      z.object({
        engine: z.string(),
        signatures: nullable(z.string()),
        signaturesAt: nullable(z.iso.datetime()),
        ok: z.boolean(),
        cause: z.string().optional(),
      }),
    )
    .describe('Empty: scanning is switched off.'),
  seconds: z
    .object({ intake: secondsShape, preview: secondsShape })
    .describe('Of the process that answers, in the last ten minutes. Null: it had nothing to do.'),
  storage: z.object({ files: z.number().int(), bytes: z.number().int().describe('Before they are sealed.') }),
})

export const auditRowShape = z.object({
  node: z.string(),
  seq: z.number().int().describe('Its place in the chain of its node.'),
  at: z.iso.datetime(),
  who: z.string(),
  what: z.enum(Object.keys(auditKinds) as [keyof typeof auditKinds]),
  object: nullable(z.string()),
  outcome: z.string(),
  requestId: nullable(z.string()),
  detail: nullable(z.string()),
  previous: z.string(),
  digest: z.string(),
})

export const auditQuery = z.object({
  object: z.string().max(200).optional().describe('An attachment or a master key.'),
  who: z.string().max(200).optional(),
  what: z.enum(Object.keys(auditKinds) as [keyof typeof auditKinds]).optional(),
  from: time.optional(),
  to: time.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(200).optional().describe('next of the page before.'),
})

export const auditAnswer = z.object({ items: z.array(auditRowShape), next: nullable(z.string()) })

export const storyAnswer = z.object({
  attachment: attachmentShape,
  rows: z.array(auditRowShape).describe('The oldest first; at most the newest 1,000.'),
})

export const outboxQuery = z.object({
  state: z.enum(owedStates).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(200).optional().describe('next of the page before.'),
})

export const outboxAnswer = z.object({
  items: z.array(
    z.object({
      attachmentId: z.string(),
      conversationId: z.string(),
      state: z.enum(owedStates),
      way: nullable(z.enum(ways)),
      attempts: z.number().int(),
      nextAt: z.iso.datetime().describe('Of what is pending: when it is due.'),
      reason: nullable(z.string()),
      createdAt: z.iso.datetime(),
    }),
  ),
  next: nullable(z.string()),
})

export const differencesAnswer = z.object({
  differences: z.array(
    z.object({
      kind: z.enum(['only_there', 'only_here', 'larger_there', 'smaller_there', 'off_there']),
      where: z.string().describe("A supported content profile's or a web deployment's name and id."),
      says: z.string(),
    }),
  ),
})

export const keysAnswer = z.object({
  keys: z.array(
    z.object({
      id: z.string(),
      current: z.boolean().describe('New files are sealed under it.'),
      state: z.enum(['waiting', 'current', 'old', 'retired']),
      files: z.number().int().describe('That cannot be read without it.'),
      since: z.iso.datetime(),
      retiredAt: nullable(z.iso.datetime()),
    }),
  ),
})

export const listQuery = z.object({
  conversationId: z.string().optional(),
  state: z.enum(attachmentStates).optional(),
  type: z.string().optional(),
  door: z.enum(doors).optional(),
  q: z.string().min(1).max(200).optional().describe('The beginning of a word in the name, or a whole id or digest.'),
  from: time.optional(),
  to: time.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().optional().describe('next of the page before.'),
})

export const listAnswer = z.object({ items: z.array(attachmentShape), next: nullable(z.string()) })

export const receiptShape = z.object({
  attachmentId: z.string(),
  erasedAt: z.iso.datetime(),
  key: z.literal('destroyed'),
  bytes: z
    .enum(['removed', 'kept'])
    .describe('kept: by the store, which locks them or keeps older versions. Without the key they cannot be read.'),
  digestOfRecord: z.string().describe('SHA-256 of the record as it was before.'),
})

export const decisionRequest = z.strictObject({
  reason: z.string().trim().min(1).max(500).describe('It stays in the audit trail: no names of customers.'),
})

export const releaseAnswer = z.object({
  status: z.enum(['released', 'asked']).describe('asked: another person must agree.'),
  attachment: attachmentShape,
})

export const heldQuery = z.object({
  waitsFor: z.enum(waitedFor).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(200).optional(),
})

export const heldAnswer = z.object({
  items: z.array(
    z.object({
      attachment: attachmentShape,
      waitsFor: z.enum(waitedFor),
      since: z.iso.datetime(),
      until: z.iso.datetime().describe('It is destroyed then, unless somebody has decided.'),
      asked: nullable(z.object({ by: z.string(), at: z.iso.datetime() })).describe('Who would release it.'),
    }),
  ),
  next: nullable(z.string()),
})

const filesShape = {
  maxFileBytes: z.number().int(),
  allowedTypes: z.array(z.string()),
  types: z
    .array(
      z.object({
        type: z.string(),
        endings: z.array(z.string()).describe('That a name may end in, without the dot.'),
        inspected: z.boolean().describe('Whether we read its structure; else the engines alone judge it.'),
      }),
    )
    .describe('The allowed types.'),
  trailingData: z.enum(['refuse', 'cut']).describe('What becomes of bytes after the end of a file.'),
  limits: z.record(z.string(), z.number()).describe('What a file may ask of whoever opens it; sizes in bytes.'),
}

export const policyShape = z.object({
  ...filesShape,
  scan: z.enum(['required', 'off']),
  keep: z.enum(['original', 'safe_copy']).describe('What is kept of an accepted file.'),
  quarantine: z
    .object({
      codes: z.array(z.enum(refusalCodes)).describe('Refused for one of these, a file is kept for a person.'),
      engineDown: z.boolean().describe('A file that no engine could judge waits until one can.'),
      days: z.number().int().describe('It is destroyed after so many.'),
      secondPerson: z.boolean().describe('Two persons must agree before a file is released.'),
    })
    .describe('What is kept of files that are not accepted, sealed and given to nobody. All others are thrown away.'),
  rescanDays: z.number().int().describe('Files of so many days are judged again when signatures change.'),
  agentFiles: z
    .enum(['ignore', 'record'])
    .describe('Files that agents and bots send: passed over, or fetched, judged and recorded.'),
  deployments: z
    .record(z.string(), z.object(filesShape))
    .describe('What is another for files that come through one deployment of Web Messaging.'),
})

export const readyShape = z.object({
  ready: z.boolean(),
  checks: z.record(
    z.string(),
    z.object({ ok: z.boolean(), cause: z.string().optional(), note: z.string().optional() }),
  ),
})
