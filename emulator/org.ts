/** Someone who can sign in. */
export interface User {
  id: string
  name: string
  email: string
  role: string
  permissions: readonly string[]
}

/** An app that is registered at the login. */
export interface Client {
  id: string
  name: string
  /** A page in a browser can keep none. */
  secret?: string
}

const view = ['conversation:webmessaging:view', 'conversation:message:view']
const send = ['conversation:webmessaging:create', 'conversation:message:create']

/**
 * The one organization that the emulator plays. Only the client, its secret, the deployment and the queue are promised to
 * callers; the other ids are fixed so that a log of one run can be compared with the log of another.
 */
export const org = {
  id: '00000000-0000-4000-8000-00000000a001',
  name: 'Example Org',
  divisionId: '00000000-0000-4000-8000-00000000b001',
  client: { id: 'demo-client', secret: 'demo-secret', name: 'Demo client' },
  /** What signs people in from a browser. */
  page: { id: 'demo-page', name: 'Demo page' },
  deploymentId: '00000000-0000-4000-8000-00000000d001',
  queue: { id: '00000000-0000-4000-8000-00000000c001', name: 'Support' },
  guestName: 'Web guest',
  /** Takes conversations unless another is named. */
  agent: {
    id: '00000000-0000-4000-8000-00000000e001',
    name: 'Maria Agent',
    email: 'maria@example.com',
    role: 'Agent',
    permissions: [...view, ...send],
  },
  otherAgent: {
    id: '00000000-0000-4000-8000-00000000e002',
    name: 'Otto Agent',
    email: 'otto@example.com',
    role: 'Agent',
    permissions: [...view, ...send],
  },
  supervisor: {
    id: '00000000-0000-4000-8000-00000000e003',
    name: 'Sue Supervisor',
    email: 'sue@example.com',
    role: 'Supervisor',
    permissions: [...view, 'conversation:communication:view'],
  },
} as const

const users: readonly User[] = [org.agent, org.otherAgent, org.supervisor]
const clients: readonly Client[] = [org.client, org.page]

export function userOf(id: string): User | undefined {
  return users.find((user) => user.id === id)
}

export function clientOf(id: string | null | undefined): Client | undefined {
  return clients.find((client) => client.id === id)
}
