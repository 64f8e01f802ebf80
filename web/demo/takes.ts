import type { Policy } from '../client/policy.ts'

/** The policy for files of one deployment, which may have its own. */
export function policyOf(policy: Policy, deploymentId: string): Policy {
  const { deployments = {} } = policy as { deployments?: Record<string, Policy> }
  return Object.hasOwn(deployments, deploymentId) ? deployments[deploymentId]! : policy
}

/** What an input offers. */
export const acceptOf = ({ types = [] }: Policy): string =>
  types.flatMap(({ type, endings }) => [type, ...endings.map((ending) => `.${ending}`)]).join()
