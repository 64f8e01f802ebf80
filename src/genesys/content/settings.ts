import { objectIn, segment } from '../answers.ts'
import type { components } from '../api.d.ts'
import type { GenesysClient } from '../client.ts'
import { GenesysUnavailable } from '../errors.ts'

type Schemas = components['schemas']
type Caller = Pick<GenesysClient, 'call'>

/** A supported content profile: which types the platform takes from customers. RFC 2046 names, `image/*`, or every type. */
export interface Profile {
  id: string
  name: string
  inbound: string[]
  outbound: string[]
}

/** A web deployment, as far as it says which files come in. */
export interface Deployment {
  id: string
  name: string
  /** Null: it names none. That the default holds then is inferred. */
  profileId: string | null
  /** Null: an old one that says nothing; its `modes` hold then (FACTS 1.9). */
  attachments: boolean | null
  modes: { types: string[]; maxKilobytes: number }[]
}

const base = '/api/v2/conversations/messaging/supportedcontent'

/** More pages than any organization has profiles or deployments for. */
const longestListing = 50

/** Needs `messaging:supportedContent:view`. */
export async function readProfile(genesys: Caller, id: string): Promise<Profile> {
  const route = `GET ${base}/{supportedContentId}`
  return profileOf(await genesys.call({ route, path: `${base}/${segment(id)}`, repeatable: true }))
}

/** The one that holds where none is named. Needs `messaging:supportedContent:view`. */
export async function readDefaultProfile(genesys: Caller): Promise<Profile> {
  return profileOf(await genesys.call({ route: `GET ${base}/default`, path: `${base}/default`, repeatable: true }))
}

/** Replaces what customers may send, and leaves the rest. Needs `messaging:supportedContent:edit`. */
export async function setInbound(genesys: Caller, profile: Profile, types: string[]): Promise<Profile> {
  const inbound = types.map((type) => ({ type }))
  // Whether a PATCH replaces the whole of `mediaTypes` is unconfirmed, so what shall stay is said, too.
  const outbound = profile.outbound.map((type) => ({ type }))
  const body: Pick<Schemas['SupportedContent'], 'mediaTypes'> = { mediaTypes: { allow: { inbound, outbound } } }
  const route = `PATCH ${base}/{supportedContentId}`
  await genesys.call({ route, path: `${base}/${segment(profile.id)}`, body, repeatable: true })
  return readProfile(genesys, profile.id)
}

/** All web deployments. Needs `webDeployments:deployment:view` and `webDeployments:configuration:view`. */
export async function readDeployments(genesys: Caller): Promise<Deployment[]> {
  const path = '/api/v2/webdeployments/deployments'
  const found: Schemas['ExpandableWebDeployment'][] = []
  let query = '?pageSize=100'
  for (let page = 0; page < longestListing; page++) {
    const body = await genesys.call({ route: `GET ${path}`, path: path + query, repeatable: true })
    const { entities = [], nextUri } = objectIn<Schemas['ExpandableWebDeploymentEntityListing']>(body)
    found.push(...entities)
    const next = nextUri && URL.canParse(nextUri, 'https://api') ? new URL(nextUri, 'https://api').search : ''
    if (next === '' || next === query) break
    query = next
  }
  const deployments: Deployment[] = []
  for (const deployment of found) deployments.push(await withUploads(genesys, deployment))
  return deployments
}

async function withUploads(genesys: Caller, asked: Schemas['ExpandableWebDeployment']): Promise<Deployment> {
  const { id = '', name = '', supportedContent, configuration } = asked
  const uploads = configuration && (await readUploads(genesys, configuration))
  const { enableAttachments = null, modes = [] } = uploads ?? {}
  return {
    id,
    name,
    profileId: supportedContent?.id ?? null,
    attachments: enableAttachments,
    modes: modes.map(({ fileTypes = [], maxFileSizeKB = 10_240 }) => ({
      types: fileTypes,
      maxKilobytes: maxFileSizeKB,
    })),
  }
}

async function readUploads(genesys: Caller, { id = '', version = '' }: { id?: string; version?: string }) {
  const route = 'GET /api/v2/webdeployments/configurations/{configurationId}/versions/{versionId}'
  const path = `/api/v2/webdeployments/configurations/${segment(id)}/versions/${segment(version)}`
  const body = await genesys.call({ route, path, repeatable: true })
  return objectIn<Schemas['WebDeploymentConfigurationVersion']>(body).messenger?.fileUpload
}

function profileOf(body: unknown): Profile {
  const { id, name = '', mediaTypes } = objectIn<Schemas['SupportedContent']>(body)
  if (!id) throw new GenesysUnavailable('Genesys answers with a supported content profile that has no id')
  const types = (listed: Schemas['MediaType'][] | undefined) => (listed ?? []).flatMap(({ type }) => type ?? [])
  return { id, name, inbound: types(mediaTypes?.allow?.inbound), outbound: types(mediaTypes?.allow?.outbound) }
}
