import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startTestService, temporaryFolder, testEnvironment } from '../harness.ts'
import { personAt, signInAs, signInSettings } from '../people.ts'
import { run } from './process.ts'

it('a restore signs everybody out: who had left since the backup does not come back with it', async () => {
  const service = await startTestService({ env: signInSettings })
  const { emulator, dataDir } = service
  const agent = await signInAs(service, 'agent')
  const thief = agent.cookie()
  const backup = join(await temporaryFolder(), 'backup')
  const clipgate = async (args: string[], folder: string) =>
    expect(await run(args, testEnvironment(folder, 'http://127.0.0.1:9')).ended).toBe(0)
  await clipgate(['backup', '--out', backup], dataDir)
  await agent.ask('DELETE', '/v1/session')
  await service.service.stop()
  const restored = await temporaryFolder()
  await mkdir(join(restored, 'keys'))
  await copyFile(join(dataDir, 'keys', 'master.key'), join(restored, 'keys', 'master.key'))
  await clipgate(['restore', '--from', backup], restored)
  const again = await startTestService({ env: signInSettings, emulator, dataDir: restored })
  expect((await personAt(again, thief).ask('GET', '/v1/session')).status).toBe(401)
})
