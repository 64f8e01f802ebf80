import { createHmac } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { components } from '../platform.d.ts'
import type { Conversation } from '../world/conversation.ts'
import type { Message } from '../world/message.ts'
import type { World } from '../world/world.ts'
import type { Integration, Integrations } from './integrations.ts'

/** What became of one outbound message's post. */
export interface Delivery {
  messageId: string
  /** The status of each answer; 0 when there was none. */
  attempts: number[]
  state: 'waiting' | 'delivered' | 'failed'
}

const answerWithinMs = 10_000
const retries = 5
const retrySeconds = 5

interface Parts {
  world: World
  integrations: Integrations
  clock: Clock
}

/**
 * Posts every outbound message of an Open Messaging conversation to its integration's webhook. No answer, 429 and 5xx are
 * tried again, five times, five seconds apart by the emulator's time; other refusals are final (inferred).
 */
export function postWebhooks({ world, integrations, clock }: Parts): { deliveries(): Delivery[] } {
  const deliveries: Delivery[] = []

  async function attempt(delivery: Delivery, integration: Integration, body: string): Promise<void> {
    const status = await post(integration, body)
    delivery.attempts.push(status)
    if (status >= 200 && status < 300) delivery.state = 'delivered'
    else if (!isWorthRetrying(status) || delivery.attempts.length > retries) delivery.state = 'failed'
    else clock.after(retrySeconds, () => void attempt(delivery, integration, body))
  }

  world.onChange((conversation, message) => {
    if (message?.direction !== 'outbound' || conversation.channel.messenger !== 'open') return
    const integration = integrations.find(conversation.channel.id)
    if (!integration) return
    const delivery: Delivery = { messageId: message.id, attempts: [], state: 'waiting' }
    deliveries.push(delivery)
    void attempt(delivery, integration, JSON.stringify(webhookBody(message, conversation, integration)))
  })

  return { deliveries: () => deliveries.map((delivery) => ({ ...delivery, attempts: [...delivery.attempts] })) }
}

async function post({ webhookUrl, secret, webhookHeaders }: Integration, body: string): Promise<number> {
  try {
    const answer = await fetch(webhookUrl, {
      method: 'POST',
      headers: {
        ...webhookHeaders,
        'content-type': 'application/json',
        'X-Hub-Signature-256': signatureOf(body, secret),
      },
      body,
      signal: AbortSignal.timeout(answerWithinMs),
      redirect: 'manual',
    })
    await answer.body?.cancel()
    return answer.status
  } catch {
    return 0
  }
}

/** Base64, not hex. */
export function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('base64')}`
}

const isWorthRetrying = (status: number) => status === 0 || status === 429 || status >= 500

function webhookBody(
  message: Message,
  { id, guestAddress }: Conversation,
  integration: Integration,
): components['schemas']['OpenWebhookMessage'] {
  return {
    id: message.id,
    channel: {
      id: integration.id,
      platform: 'Open',
      type: 'Private',
      to: { id: guestAddress, idType: 'Opaque' },
      from: { nickname: integration.name, id: integration.id, idType: 'Opaque' },
      time: message.time.toISOString(),
      messageId: message.id,
    },
    type: 'Text',
    ...(message.text !== undefined && { text: message.text }),
    originatingEntity: 'Human',
    direction: 'Outbound',
    conversationId: id,
  }
}
