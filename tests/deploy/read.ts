import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'

const folder = fileURLToPath(new URL('../../deploy/', import.meta.url))

/** A file of deploy/. */
export const deployed = (name: string) => readFile(join(folder, name), 'utf8')

/** All of them, by name. */
export async function allDeployed(): Promise<[name: string, text: string][]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
  // What its owner has put there is not ours to read.
  const ours = names.filter((name) => !name.startsWith('secrets/')).sort()
  return Promise.all(ours.map(async (name) => [name, await deployed(name)] as [string, string]))
}

/** The documents of a YAML file. Throws what is wrong with it, also what is doubtful. */
export function yamlOf<T>(text: string): T[] {
  return parseAllDocuments(text, { merge: true, strict: true, uniqueKeys: true }).map((document) => {
    const [problem] = [...document.errors, ...document.warnings]
    if (problem) throw problem
    return document.toJS() as T
  })
}

export interface Service {
  image: string
  user?: string
  ports?: string[]
  networks: string[]
  environment?: Record<string, string>
  env_file?: string[]
  secrets?: string[]
  volumes?: string[]
  tmpfs?: string[]
  read_only: boolean
  cap_drop: string[]
  security_opt: string[]
  healthcheck: { test: string[]; timeout: string }
  stop_grace_period?: string
  depends_on?: Record<string, { condition: string }>
  deploy: { resources: { limits: { cpus: string; memory: string; pids: number } } }
}

export interface Compose {
  services: Record<string, Service>
  networks: Record<string, { internal?: boolean }>
  secrets: Record<string, { file: string }>
}

export async function compose(): Promise<Compose> {
  const [only] = yamlOf<Compose>(await deployed('compose.yaml'))
  return only!
}

/** The manifests that the kustomization names. */
export async function manifests(): Promise<{ kind: string; apiVersion: string }[]> {
  const [kustomization] = yamlOf<{ resources: string[] }>(await deployed('kubernetes/kustomization.yaml'))
  const files = await Promise.all(kustomization!.resources.map((name) => deployed(`kubernetes/${name}`)))
  return files.flatMap((text) => yamlOf<{ kind: string; apiVersion: string }>(text))
}

export interface Instruction {
  name: string
  value: string
}

/** The instructions of the Dockerfile, each on one line. */
export async function dockerfile(): Promise<Instruction[]> {
  const lines = (await deployed('Dockerfile'))
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
  return lines
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', value = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? []
      return { name, value }
    })
}

/** What the last stage has. */
export async function runStage(): Promise<Instruction[]> {
  const all = await dockerfile()
  return all.slice(all.findLastIndex(({ name }) => name === 'FROM'))
}

export function environmentOf(instructions: Instruction[]): Record<string, string> {
  const pairs = instructions.filter(({ name }) => name === 'ENV').flatMap(({ value }) => value.split(/\s+/))
  return Object.fromEntries(pairs.map((pair) => pair.split('=') as [string, string]))
}
