import { expect, it } from 'vitest'
import { manualClock } from '../../../tests/genesys/clock.ts'
import { watchedEvents } from '../../../tests/genesys/start.ts'
import { createGuard, type GuardParts } from './guard.ts'
import { createSessions } from './sessions.ts'

function start() {
  const clock = manualClock()
  const sessions = createSessions(
    { digests: (token) => [`digest of ${token}`] },
    { sessionAmong: async () => null },
    clock,
  )
  const passed: string[] = []
  const back: string[] = []
  const guard = createGuard(
    {
      deploymentId: 'd1',
      language: null,
      toClient: (text) => passed.push(text),
      toPlatform: (text) => passed.push(text),
      tell: () => false,
      say: () => false,
    },
    {
      sessions,
      outcomes: { cameBack: ({ digest }: { digest: string }) => back.push(digest) },
      clock,
      events: watchedEvents().events,
    } as unknown as GuardParts,
  )
  const configure = (token: string) => guard.fromClient(JSON.stringify({ action: 'configureSession', token }))
  const configured = () => guard.fromPlatform(JSON.stringify({ class: 'SessionResponse', body: { connected: true } }))
  return { guard, sessions, passed, back, configure, configured }
}

it('is of one session at a time, and of none once its connection is over, whatever is still handled', async () => {
  const { guard, sessions, back, configure, configured } = start()
  await configure('one')
  await configure('two')
  expect(sessions.count()).toBe(1)
  await configured()
  expect(back).toEqual(['digest of two'])
  guard.closed()
  expect(sessions.count()).toBe(0)
  await configure('three')
  await configured()
  expect([sessions.count(), back.length]).toEqual([0, 1])
})
