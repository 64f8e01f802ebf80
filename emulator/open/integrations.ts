import { randomUUID } from 'node:crypto'

/** One Open Messaging integration: a channel of the customer's own making. */
export interface Integration {
  id: string
  name: string
  /** Where outbound messages are posted. */
  webhookUrl: string
  /** By which their signatures are made. */
  secret: string
  webhookHeaders: Record<string, string>
  supportedContentId: string
  dateCreated: Date
  dateModified: Date
}

export type IntegrationContent = Omit<Integration, 'id' | 'dateCreated' | 'dateModified'>

export interface Integrations {
  list(): Integration[]
  find(id: string): Integration | undefined
  create(content: IntegrationContent): Integration
  change(integration: Integration, changes: Partial<IntegrationContent>): void
  remove(integration: Integration): void
}

export function createIntegrations(now: () => Date): Integrations {
  const integrations = new Map<string, Integration>()
  return {
    list: () => [...integrations.values()],
    find: (id) => integrations.get(id),
    create(content) {
      const integration = { id: randomUUID(), ...content, dateCreated: now(), dateModified: now() }
      integrations.set(integration.id, integration)
      return integration
    },
    change: (integration, changes) => void Object.assign(integration, changes, { dateModified: now() }),
    remove: ({ id }) => void integrations.delete(id),
  }
}
