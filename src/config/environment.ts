import { readFileSync } from 'node:fs'
import { distance } from 'fastest-levenshtein'
import { prefix, type SettingName, secretSettings, settings } from './settings.ts'

/** A problem for each name with our prefix that is no setting. */
export function unknownNames(env: Record<string, string | undefined>): string[] {
  const known = [...Object.keys(settings), ...secretSettings.map((name) => `${name}_FILE`)]
  const problems: string[] = []
  for (const full of Object.keys(env).filter((name) => name.startsWith(prefix))) {
    const name = full.slice(prefix.length)
    if (known.includes(name) || isKubernetesService(name) || env[full] === '') continue
    const asked = name.toUpperCase()
    const nearest = known.reduce((best, candidate) =>
      distance(candidate, asked) < distance(best, asked) ? candidate : best,
    )
    problems.push(`${full} is not a setting. Did you mean ${prefix}${nearest}?`)
  }
  return problems
}

/** Kubernetes injects such variables into every pod for a Service that is named clipgate. */
function isKubernetesService(name: string): boolean {
  return /(^|_)SERVICE_HOST$|(^|_)SERVICE_PORT(_|$)|(^|_)PORT_/.test(name)
}

/** What is set: by the variable, or by the file that `X_FILE` names. */
export function rawValue(
  env: Record<string, string | undefined>,
  name: SettingName,
  problems: string[],
): string | undefined {
  const raw = env[prefix + name] || undefined
  if (name === 'PORT' && raw?.startsWith('tcp://')) {
    problems.push(
      `${prefix}PORT is ${raw}: Kubernetes set it for a Service of that name. Set enableServiceLinks: false in the pod, or ${prefix}PORT to a number.`,
    )
    return undefined
  }
  if (!secretSettings.includes(name)) return raw
  const path = env[`${prefix}${name}_FILE`]
  if (!path) return raw
  if (raw !== undefined) {
    problems.push(`${prefix}${name} and ${prefix}${name}_FILE are both set. Keep one.`)
    return undefined
  }
  try {
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    if (text === '') problems.push(`${prefix}${name}_FILE names a file that is empty.`)
    return text || undefined
  } catch (error) {
    problems.push(`${prefix}${name}_FILE cannot be read: ${(error as Error).message}`)
    return undefined
  }
}
