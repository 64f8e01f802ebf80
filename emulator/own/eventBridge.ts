import { randomUUID } from 'node:crypto'
import { org } from '../org.ts'
import { type Conversation, customerOf } from '../world/conversation.ts'

const template = 'v2.detail.events.conversation.{id}.customer.start'

/**
 * The event that Amazon EventBridge delivers when the customer joins. No event tells of a message. That `sessionId` is the
 * customer's communication is UNCONFIRMED.
 */
export function customerStartEvent(conversation: Conversation): object {
  const { id, startTime, guestAddress } = conversation
  const customer = customerOf(conversation)
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': template,
    source: `aws.partner/genesys.com/cloud/${org.id}/emulator`,
    account: '111122223333',
    time: startTime.toISOString().replace(/\.\d+Z$/, 'Z'),
    region: 'eu-west-1',
    resources: [],
    detail: {
      topicName: template.replace('{id}', id),
      version: '2',
      eventBody: {
        eventTime: startTime.getTime(),
        conversationId: id,
        participantId: customer.id,
        sessionId: customer.communicationId,
        mediaType: 'MESSAGE',
        direction: 'INBOUND',
        addressTo: org.deploymentId,
        addressFrom: guestAddress,
        messageType: 'WEBMESSAGING',
        divisionId: org.divisionId,
      },
      metadata: { CorrelationId: randomUUID() },
      timestamp: startTime.toISOString(),
    },
  }
}
