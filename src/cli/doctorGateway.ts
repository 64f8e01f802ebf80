import { z } from 'zod'
import type { Config } from '../config.ts'
import { causes } from '../telemetry/events.ts'
import type { Find } from './finding.ts'

const withinMs = 10_000

/** What of a deployment's public file counts here (FACTS 1.9). */
const deploymentFile = z.looseObject({
  status: z.string().optional(),
  messenger: z
    .looseObject({ fileUpload: z.looseObject({ enableAttachments: z.boolean().optional() }).optional() })
    .optional(),
})

/** Whether the deployments are there and let customers send files, and whether clients can reach us as they must. */
export async function examineGateway({ gateway, http: { publicUrl } }: Config, find: Find): Promise<void> {
  if (!gateway) return
  if (!publicUrl.startsWith('https:'))
    find(
      'gateway',
      'warning',
      `clients are sent to ${publicUrl}: outside this machine that must be https, by CLIPGATE_PUBLIC_URL`,
    )
  for (const id of gateway.deployments)
    await deploymentAt(`${gateway.cdnUrl}/webdeployments/v1/deployments/${id}/config.json`).then(
      ({ status = 'Active', messenger }) => {
        if (status !== 'Active') find('gateway', 'warning', `deployment ${id} is ${status}`)
        else if (messenger?.fileUpload?.enableAttachments === false)
          find('gateway', 'warning', `deployment ${id} does not let customers send files`)
        else find('gateway', 'ok', `deployment ${id} is relayed to ${gateway.guestUrl}`)
      },
      (error: unknown) => find('gateway', 'failed', `deployment ${id}: ${causes(error).error}`),
    )
}

async function deploymentAt(url: string): Promise<z.output<typeof deploymentFile>> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(withinMs), redirect: 'error' })
  // As the platform answers of an id that it does not know (FACTS 1.1).
  if (answer.status === 403) throw new Error('Genesys Cloud knows no such deployment in this region')
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
  return deploymentFile.parse(await answer.json())
}
