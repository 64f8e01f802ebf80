import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { array, assert, asyncProperty, constantFrom, nat, record } from 'fast-check'
import { expect, it } from 'vitest'
import type { Attachment, Verdict } from '../../src/attachment.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { text } from '../fixtures/files.ts'
import { hurriedClock } from '../genesys/clock.ts'
import { keys, startTestService, temporaryFolder } from '../harness.ts'

/** What is known of a file by who watches from outside. */
interface Watched {
  id: string
  /** A person has let it through since it was last held. */
  released: boolean
  /** It was erased, or destroyed: no state may bring it back. */
  gone: boolean
}

const acts = ['push', 'engine', 'signatures', 'release', 'hold', 'destroy', 'erase', 'time', 'sweep', 'turn'] as const

it('in whatever order things happen, only what was judged clean, or what a person let through, is ever served', async () => {
  const folder = await temporaryFolder()
  const policy = join(folder, 'policy.json')
  const quarantine = { codes: ['malware', 'unscannable'], engineDown: true, days: 1 }
  await writeFile(policy, JSON.stringify({ quarantine, reuseVerdictHours: 0 }))
  const engine: { says: Verdict['verdict']; signatures: number } = { says: 'clean', signatures: 1 }
  /** Which bytes the engine has called clean, by their text. */
  const called = new Set<string>()
  const scanner = fakeEngine({
    signatures: () => `v${engine.signatures}`,
    say: (bytes) => {
      if (engine.says === 'clean') called.add(bytes.toString())
      return { verdict: engine.says }
    },
  })
  let ahead = 0
  // Sweeps come when the test says so: the files' own times are the machine's, which this clock runs away from.
  const wait: Clock['wait'] = (ms, signal) => (ms >= 3_600_000 ? systemClock : hurriedClock).wait(ms, signal)
  const clock: Clock = { wait, now: () => new Date(Date.now() + ahead) }
  const service = await startTestService({ env: { POLICY_FILE: policy }, overrides: { scanners: [scanner], clock } })
  const headers = { authorization: `Bearer ${keys.all}` }
  const ask = (method: string, path: string, body?: unknown) =>
    fetch(service.url + path, {
      method,
      headers: body ? { ...headers, 'content-type': 'application/json' } : headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })

  const all: (Watched & { text: string })[] = []
  let count = 0
  async function act(what: (typeof acts)[number], which: number): Promise<void> {
    const file = all[which % Math.max(1, all.length)]
    const decide = (path: string) => ask('POST', `/v1/attachments/${file!.id}/${path}`, { reason: 'a test' })
    switch (what) {
      case 'push': {
        const content = `letter ${count++}`
        const { body } = await service.push(text('letter.txt', content))
        const id = body.attachment?.id ?? body.attachmentId
        if (id) all.push({ id, text: content, released: false, gone: false })
        return
      }
      case 'engine':
        engine.says = (['clean', 'infected', 'unscannable', 'failed'] as const)[which % 4]!
        return
      case 'signatures':
        engine.signatures++
        return
      case 'time':
        ahead += (which % 40) * 3_600_000
        return
      case 'sweep':
        await service.service.sweep()
        return
      case 'turn':
        await new Promise((resolve) => setImmediate(resolve))
        return
    }
    if (!file) return
    if (what === 'erase') {
      if ((await ask('DELETE', `/v1/attachments/${file.id}`)).ok) file.gone = true
    } else {
      const answer = await decide(what)
      if (!answer.ok) return
      if (what === 'release') file.released = true
      if (what === 'hold') file.released = false
      if (what === 'destroy') file.gone = true
    }
  }

  async function look(): Promise<void> {
    for (const file of all) {
      const before = (await service.get<Attachment>(`/v1/attachments/${file.id}`)).body
      const answer = await ask('GET', `/v1/attachments/${file.id}/content`)
      const bytes = Buffer.from(await answer.arrayBuffer())
      const told = JSON.stringify({ file, before, status: answer.status, says: engine.says })
      if (answer.status === 200) {
        expect(called.has(file.text) || file.released, told).toBe(true)
        expect(file.gone, told).toBe(false)
        expect(bytes.toString(), told).toBe(file.text)
      } else expect([409, 410], told).toContain(answer.status)
    }
  }

  await assert(
    asyncProperty(
      array(record({ what: constantFrom(...acts, 'push', 'push', 'engine'), which: nat(1000) }), { maxLength: 25 }),
      async (steps) => {
        engine.says = 'clean'
        for (const { what, which } of steps) await act(what as (typeof acts)[number], which)
        await look()
        all.length = 0
      },
    ),
    { numRuns: 40 },
  )
})
