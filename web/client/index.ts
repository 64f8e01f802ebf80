/** What a page needs to send files to Clipgate with a ticket. One function: `attach`. */
export { type AttachOptions, attach } from './attach.ts'
export { AttachError, type AttachErrorReason } from './errors.ts'
export type { Attachment, Outcome, RefusalCode } from './outcome.ts'
export { fetchPolicy, type Policy, refusedBy } from './policy.ts'
export type { Progress } from './progress.ts'
