/**
 * The one organization that the emulator plays. Only the client, its secret, the deployment and the queue are promised to
 * callers; the other ids are fixed so that a log of one run can be compared with the log of another.
 */
export const org = {
  id: '00000000-0000-4000-8000-00000000a001',
  name: 'Example Org',
  divisionId: '00000000-0000-4000-8000-00000000b001',
  client: { id: 'demo-client', secret: 'demo-secret', name: 'Demo client' },
  deploymentId: '00000000-0000-4000-8000-00000000d001',
  queue: { id: '00000000-0000-4000-8000-00000000c001', name: 'Support' },
  agent: { id: '00000000-0000-4000-8000-00000000e001', name: 'Maria Agent' },
  guestName: 'Web guest',
} as const
