import { describe, expect, it } from 'vitest'
import { comparePolicy } from '../../src/genesys/content/compare.ts'
import { readDeployments, readProfile, setInbound } from '../../src/genesys/content/settings.ts'
import { GenesysRefused } from '../../src/genesys/errors.ts'
import { watchPlatform } from '../../src/servicePlatform.ts'
import { until } from './clock.ts'
import { start } from './start.ts'

const builtIn = 'webMessagingDefault'
const policy = { maxFileBytes: 10_485_760, allowedTypes: ['image/jpeg', 'application/pdf'] }

describe('our policy beside the platform', () => {
  it('differs from the profile that lets everything in, until that is changed', async () => {
    const { client } = await start()
    expect(await comparePolicy(client, policy)).toMatchObject([
      { kind: 'only_there', where: 'profile "Default" (webMessagingDefault)' },
    ])
    await setInbound(client, await readProfile(client, builtIn), policy.allowedTypes)
    expect(await comparePolicy(client, policy)).toEqual([])
  })

  it('is changed in what comes in, and what goes out stays', async () => {
    const { client } = await start()
    const before = await readProfile(client, builtIn)
    const after = await setInbound(client, before, ['text/plain'])
    expect(after).toEqual({ ...before, inbound: ['text/plain'] })
  })

  it('sees a deployment that takes no files', async () => {
    const { client, emulator } = await start()
    emulator.setSwitches({ attachments: 'disabled' })
    expect(await readDeployments(client)).toMatchObject([{ profileId: builtIn, attachments: false }])
    expect((await comparePolicy(client, policy)).map(({ kind }) => kind)).toEqual(['only_there', 'off_there'])
  })

  it('can be compared with one profile only', async () => {
    const { client } = await start()
    expect(await comparePolicy(client, policy, builtIn)).toHaveLength(1)
    await expect(comparePolicy(client, policy, 'unknown')).rejects.toThrow(GenesysRefused)
  })
})

describe('the metric of it', () => {
  it('is there a minute after the start, follows changes, and goes when they are no longer known', async () => {
    const { client, clock, events, metrics, emulator, lines } = await start()
    const ended = new AbortController()
    const watched = watchPlatform(client, { policy, clock, events }, ended.signal)
    const shown = async (kind: string) =>
      (await metrics.platformDifferences.get()).values.find(({ labels }) => labels.kind === kind)?.value
    await clock.pass(59_999)
    expect(await shown('only_there')).toBeUndefined()
    await clock.pass(1)
    await until(async () => (await shown('only_there')) === 1)
    expect(await shown('only_here')).toBe(0)

    await setInbound(client, await readProfile(client, builtIn), ['image/jpeg'])
    await clock.pass(6 * 3_600_000)
    await until(async () => (await shown('only_here')) === 1)
    expect(await shown('only_there')).toBe(0)

    emulator.setFaults([{ route: 'GET /api/v2/webdeployments/deployments', status: 403, times: 1 }])
    await clock.pass(6 * 3_600_000)
    await until(() => lines.some((line) => line.includes('is not known')))
    expect((await metrics.platformDifferences.get()).values).toEqual([])
    ended.abort()
    await watched
  })
})
