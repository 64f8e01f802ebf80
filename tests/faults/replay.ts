import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

/** What a program did to a folder, in order, as far as it matters when power is lost. Paths are relative to the folder. */
export type Step =
  | { kind: 'create'; path: string; folder: boolean }
  | { kind: 'write'; path: string; at: number; bytes: Buffer }
  | { kind: 'cut'; path: string; size: number }
  | { kind: 'rename' | 'link'; path: string; to: string }
  | { kind: 'remove'; path: string }
  | { kind: 'sync' | 'synced'; path: string; thread: string }
  /** What it wrote to a socket. */
  | { kind: 'said'; text: string }

export const tracedCalls =
  'openat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,ftruncate,mkdir,mkdirat'

/** Reads a log of `strace -f -y -xx` with strings whole. Throws on what it does not know, so that nothing is passed over. */
export function stepsOf(log: string, folder: string): Step[] {
  const steps: Step[] = []
  const begun = new Map<string, string>()
  /** Where the next `write` goes, by descriptor. */
  const positions = new Map<string, number>()
  const inside = (path: string) => path === folder || path.startsWith(`${folder}/`)
  for (const line of log.split('\n')) {
    const [, thread, rest] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    if (thread === undefined || rest === undefined) continue
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const unfinished = rest.endsWith(' <unfinished ...>')
    const text = resumed ? `${begun.get(thread) ?? ''}${resumed[1]}` : rest.replace(/ <unfinished \.\.\.>$/, '')
    if (unfinished) begun.set(thread, text)
    const [, call, told] = /^(\w+)\((.*)$/.exec(text) ?? []
    if (call === undefined || told === undefined) continue
    const strings = [...told.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex]) => unhex(hex!))
    const paths = strings.map(String).map((path) => relative(folder, path))
    const [, descriptor, hexPath] = /^(\d+)<((?:\\x[0-9a-f]{2})*)>/.exec(told) ?? []
    const open = String(unhex(hexPath ?? ''))
    const path = relative(folder, open)
    // A sync covers what was done before it began, and holds when it has returned. An answer is out when it begins to go.
    if (!resumed && /^f(data)?sync$/.test(call) && inside(open)) steps.push({ kind: 'sync', path, thread })
    if (!resumed && /^writev?$/.test(call) && open.startsWith('socket:'))
      steps.push({ kind: 'said', text: Buffer.concat(strings).toString() })
    if (unfinished) continue
    const [, answer] = /\)\s+= (-?\d+)/.exec(text.slice(text.lastIndexOf(')'))) ?? []
    if (answer === undefined || Number(answer) < 0) continue
    const named = strings.length > 0 && inside(String(strings[0]))
    if (call === 'openat' && named) {
      positions.set(answer, 0)
      if (!/O_CREAT/.test(told)) continue
      steps.push({ kind: 'create', path: paths[0]!, folder: false })
      if (/O_TRUNC/.test(told)) steps.push({ kind: 'cut', path: paths[0]!, size: 0 })
      if (/O_APPEND/.test(told)) throw new Error(`not known: ${call} with O_APPEND`)
    } else if (call.startsWith('mkdir') && named) steps.push({ kind: 'create', path: paths[0]!, folder: true })
    else if (/^(rename|link)(at2?)?$/.test(call) && named)
      steps.push({ kind: call.startsWith('rename') ? 'rename' : 'link', path: paths[0]!, to: paths[1]! })
    else if (call.startsWith('unlink') && named) steps.push({ kind: 'remove', path: paths[0]! })
    else if (descriptor !== undefined && inside(open)) {
      const last = Number(/, (\d+)\)\s+= -?\d+/.exec(text.slice(-80))?.[1])
      const bytes = strings[0]?.subarray(0, Number(answer))
      if (/sync$/.test(call)) steps.push({ kind: 'synced', path, thread })
      else if (call === 'ftruncate') steps.push({ kind: 'cut', path, size: last })
      else if (call === 'pwrite64') steps.push({ kind: 'write', path, at: last, bytes: bytes! })
      else if (call === 'write') {
        const at = positions.get(descriptor) ?? 0
        positions.set(descriptor, at + Number(answer))
        steps.push({ kind: 'write', path, at, bytes: bytes! })
      } else throw new Error(`not known: ${call}`)
    }
  }
  return steps
}

function unhex(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex')
}

interface FileNode {
  bytes: Buffer
  unsynced: ((bytes: Buffer, zeros: boolean) => Buffer)[]
}

interface FolderNode {
  names: Map<string, Node>
  unsynced: ((names: Map<string, Node>) => void)[]
  /** As the program sees it. */
  live: Map<string, Node>
}

type Node = FileNode | FolderNode

const isFolder = (node: Node): node is FolderNode => 'names' in node

/** What survives of what was not synced. */
export interface Fate {
  name: string
  keepsName(): boolean
  keepsData(): boolean
  /** Data that is lost leaves zeros in a file that has grown. */
  zeros: boolean
}

/**
 * A file system that keeps only what it was told to: a file's data when the file was synced, a name when its folder was.
 * It says nothing of the order in which the rest is written, so each part of it may be there or not.
 */
export function forgetfulFolder() {
  const root: FolderNode = { names: new Map(), unsynced: [], live: new Map() }
  const syncing = new Map<string, { node: Node; count: number }>()

  function find(path: string): Node | undefined {
    let node: Node | undefined = root
    for (const name of path.split('/').filter((part) => part !== ''))
      node = node && isFolder(node) ? node.live.get(name) : undefined
    return node
  }
  function folderOf(path: string): FolderNode {
    const node = find(dirname(path) === '.' ? '' : dirname(path))
    if (!node || !isFolder(node)) throw new Error(`no folder for ${path}`)
    return node
  }
  function rename(path: string, node: Node | null) {
    const folder = folderOf(path)
    const name = path.slice(path.lastIndexOf('/') + 1)
    const change = (names: Map<string, Node>) => {
      if (node) names.set(name, node)
      else names.delete(name)
    }
    folder.unsynced.push(change)
    change(folder.live)
  }
  function file(path: string): FileNode | null {
    const node = find(path)
    // Written to while it has no name any more: nobody can tell.
    if (!node || isFolder(node)) return null
    return node
  }

  return {
    take(step: Step): void {
      if (step.kind === 'create' && !find(step.path)) {
        const folder: FolderNode = { names: new Map(), unsynced: [], live: new Map() }
        rename(step.path, step.folder ? folder : { bytes: Buffer.alloc(0), unsynced: [] })
      } else if (step.kind === 'write')
        file(step.path)?.unsynced.push((bytes, zeros) =>
          written(bytes, step.at, zeros ? Buffer.alloc(step.bytes.length) : step.bytes),
        )
      else if (step.kind === 'cut')
        file(step.path)?.unsynced.push((bytes) => written(bytes.subarray(0, step.size), step.size, Buffer.alloc(0)))
      else if (step.kind === 'link' || step.kind === 'rename') {
        const node = find(step.path)
        if (!node) throw new Error(`nothing at ${step.path}`)
        rename(step.to, node)
        if (step.kind === 'rename') rename(step.path, null)
      } else if (step.kind === 'remove') rename(step.path, null)
      else if (step.kind === 'sync') {
        const node = find(step.path)
        if (node) syncing.set(step.thread, { node, count: node.unsynced.length })
      } else if (step.kind === 'synced') {
        const { node, count } = syncing.get(step.thread) ?? { node: root, count: 0 }
        syncing.delete(step.thread)
        if (isFolder(node)) for (const change of node.unsynced.splice(0, count)) change(node.names)
        else for (const change of node.unsynced.splice(0, count)) node.bytes = change(node.bytes, false)
      }
    },

    /** What is there after power was lost now, by path; null: a folder. */
    after({ keepsName, keepsData, zeros }: Fate): Map<string, Buffer | null> {
      const found = new Map<string, Buffer | null>()
      const look = (folder: FolderNode, path: string) => {
        const names = new Map(folder.names)
        for (const change of folder.unsynced) if (keepsName()) change(names)
        for (const [name, node] of names) {
          const at = join(path, name)
          if (isFolder(node)) {
            found.set(at, null)
            look(node, at)
          } else {
            let { bytes } = node
            for (const change of node.unsynced) {
              if (keepsData()) bytes = change(bytes, false)
              else if (zeros) bytes = change(bytes, true)
            }
            found.set(at, bytes)
          }
        }
      }
      look(root, '')
      return found
    },
  }
}

function written(bytes: Buffer, at: number, more: Buffer): Buffer {
  const size = Math.max(bytes.length, at + more.length)
  const all = Buffer.alloc(size)
  bytes.copy(all)
  more.copy(all, at)
  return all
}

/** Makes in a folder what was found, with the rights that we give. */
export async function materialise(found: Map<string, Buffer | null>, folder: string): Promise<void> {
  for (const [path, bytes] of found) {
    if (bytes === null) await mkdir(join(folder, path), { mode: 0o700 })
    else await writeFile(join(folder, path), bytes, { mode: 0o600 })
  }
}

export function digestOf(found: Map<string, Buffer | null>): string {
  const digest = createHash('sha256')
  for (const [path, bytes] of found) digest.update(JSON.stringify([path, bytes?.length ?? null])).update(bytes ?? '')
  return digest.digest('hex')
}
