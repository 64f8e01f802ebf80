import type { CustomerFile } from '../../emulator/index.ts'
import type { Attachment } from '../../src/attachment.ts'
import type { Fixture } from '../fixtures/files.ts'
import { eventually, keys, startTestService } from '../harness.ts'

export const pullKey = 'pull-only-key-0123456789'

export interface PullBody {
  conversationId: string
  status: 'done' | 'pending'
  count: number
  accepted: number
  refused: number
  sentence: string
  attachments: Attachment[]
  code?: string
}

type Options = Parameters<typeof startTestService>[0]

/** A service whose pull door is open, beside an emulator in which customers send files by the stock Messenger. */
export async function startPull(options: Options = {}) {
  const started = await startTestService({
    ...options,
    env: {
      API_KEYS: `flow:pull:${pullKey},reader:read:${keys.read},desk:admin+read:${keys.all},page:push:${keys.push}`,
      ...options.env,
    },
  })
  const { emulator, url, get } = started
  const list = async (query = '') => (await get<{ items: Attachment[] }>(`/v1/attachments${query}`)).body.items
  return {
    ...started,
    list,
    /** The customer sends a file, which goes past us. */
    customerSends: (conversationId: string, file: Fixture) =>
      emulator.customerSends(conversationId, { file: asPicked(file) }).messageId,
    async pull(body: object, { query = '', key = pullKey }: { query?: string; key?: string | null } = {}) {
      const response = await fetch(`${url}/webhook/message${query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(key !== null && { authorization: `Bearer ${key}` }) },
        body: JSON.stringify(body),
      })
      return { status: response.status, headers: response.headers, body: (await response.json()) as PullBody }
    },
    /** What has come of a conversation, once it is all settled. */
    settled: (conversationId: string, count: number) =>
      eventually(
        () => list(`?conversationId=${conversationId}`),
        (items) => items.length >= count && items.every(({ state }) => state !== 'fetching'),
      ),
    /** How often the platform was asked for something. */
    asked: (method: string, part: string) =>
      emulator.requests().filter((request) => request.method === method && request.path.includes(part)).length,
  }
}

function asPicked({ name, type, bytes }: Fixture): CustomerFile {
  return { name, mime: type, bytes }
}
