import type { GenesysClient } from '../client.ts'
import { type Difference, differencesOf, type OurPolicy } from './differences.ts'
import { type Profile, readDefaultProfile, readDeployments, readProfile } from './settings.ts'

/**
 * Compares our policy with what the organization lets in: each web deployment and the profile that it names (else the
 * default one), or only the given profile. Throws the errors of the client.
 */
export async function comparePolicy(
  genesys: Pick<GenesysClient, 'call'>,
  policy: OurPolicy,
  profileId: string | null = null,
): Promise<Difference[]> {
  if (profileId !== null)
    return differencesOf(policy, { profiles: [await readProfile(genesys, profileId)], deployments: [] })
  const deployments = await readDeployments(genesys)
  const named = new Set(deployments.flatMap(({ profileId }) => profileId ?? []))
  const profiles: Profile[] = []
  for (const id of named) profiles.push(await readProfile(genesys, id))
  if (deployments.length === 0 || deployments.some(({ profileId }) => profileId === null)) {
    const standard = await readDefaultProfile(genesys)
    if (!named.has(standard.id)) profiles.push(standard)
  }
  return differencesOf(policy, { profiles, deployments })
}
