import { serviceUrl } from './address.ts'
import type { Outcome } from './outcome.ts'
import { sayHere } from './texts.ts'

/** What the service takes, as far as a page can use it: `types` serves the `accept` of an input too. */
export interface Policy {
  maxFileBytes: number
  allowedTypes: string[]
  /** With the endings, without the dot, that a name may have. */
  types?: { type: string; endings: string[] }[]
}

/**
 * `GET /v1/policy`, which is open to everybody. Rejects with what `fetch` rejects with, and with an `Error` when the answer is no
 * policy.
 */
export async function fetchPolicy(url: string, signal?: AbortSignal): Promise<Policy> {
  const answer = await fetch(serviceUrl(url, 'v1/policy'), { credentials: 'omit', ...(signal && { signal }) })
  const policy = answer.ok ? ((await answer.json()) as Partial<Policy>) : null
  if (typeof policy?.maxFileBytes !== 'number' || !Array.isArray(policy.allowedTypes))
    throw new Error(`${answer.url} gives no policy (${answer.status}).`)
  return policy as Policy
}

/**
 * Whether the policy forbids this file before a byte of it is sent. Null: it may be good, which only the service can tell. Never
 * stricter than the service, which knows other names of the types that browsers use: so the ending decides here.
 */
export function refusedBy(
  policy: Policy,
  { name, size }: { name: string; size: number },
  language?: string,
): Extract<Outcome, { kind: 'refused' }> | null {
  const { maxFileBytes } = policy
  const endings = policy.types?.map(({ type, endings }) => (endings[0] ?? type).toUpperCase()) ?? policy.allowedTypes
  const refuse = (code: 'too_large' | 'type_not_allowed' | 'empty', detail: string) => ({
    kind: 'refused' as const,
    code,
    sentence: sayHere(code, { name, maxFileBytes, endings, language }),
    detail,
    attachmentId: null,
  })
  if (size === 0) return refuse('empty', 'The file has no bytes.')
  if (size > maxFileBytes)
    return refuse('too_large', `File size exceeds maximum allowed size of ${maxFileBytes} bytes.`)
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase()
  if (ending && policy.types && !policy.types.some(({ endings }) => endings.includes(ending)))
    return refuse('type_not_allowed', `No allowed type has names that end in .${ending}.`)
  return null
}
