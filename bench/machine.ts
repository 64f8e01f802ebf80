import { execFileSync } from 'node:child_process'
import { readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'

export interface Machine {
  processor: string
  cores: number
  /** Whether the processor has instructions of its own for SHA-256 and AES. Null: it cannot be told here. */
  hashes: boolean | null
  seals: boolean | null
  memoryGiB: number
  disk: string
  kernel: string
  node: string
}

/** `folder` is where the files are written. */
export function describeMachine(folder: string): Machine {
  const flags = cpuFlags()
  const has = (...names: string[]) => flags && names.some((name) => flags.has(name))
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    hashes: has('sha_ni', 'sha2'),
    seals: has('aes'),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    disk: diskOf(folder),
    kernel: release(),
    node: process.version,
  }
}

export function machineLines(machine: Machine): string[] {
  const { processor, cores, hashes, seals, memoryGiB, disk, kernel, node } = machine
  const lines = [
    `${processor}, ${cores} cores, ${memoryGiB} GiB of memory, ${disk}, Linux ${kernel}, Node ${node}.`,
    `SHA-256 in the processor (SHA-NI): ${told(hashes)}. AES in the processor (AES-NI): ${told(seals)}.`,
  ]
  if (hashes === false || seals === false)
    lines.push('**Without them hashing or sealing is several times slower: the figures say little of other machines.**')
  return lines
}

const told = (has: boolean | null) => (has === null ? 'unknown' : has ? 'yes' : '**missing**')

function cpuFlags(): Set<string> | null {
  try {
    const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))
    return line && new Set(line[1]!.split(/\s+/))
  } catch {
    return null
  }
}

function diskOf(folder: string): string {
  try {
    const [, type] = execFileSync('df', ['--output=fstype', folder], { encoding: 'utf8' }).trim().split('\n')
    return `files on ${type}`
  } catch {
    return `files on file system 0x${statfsSync(folder).type.toString(16)}`
  }
}
