import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What the system lets us take away from a process that opens customers' files. */
export interface Jail {
  /** The command line of the process that makes copies. */
  copy: string[]
  /** Of one that turns a HEIC on its standard input into a JPEG on its output; null where that cannot be had. */
  heif: string[] | null
  /** Of each means: whether it is in force. */
  means: Record<Mean, boolean>
}

/**
 * `limits`: of processor time, open files, core dumps, and of any file that it could write (none). `network`: it has none.
 * `folders`: our data and keys are not there. `rights`: it can gain none, and has those of nobody where we are root.
 */
export type Mean = 'limits' | 'network' | 'folders' | 'rights'

export interface JailOptions {
  /** The script to run. */
  script: string
  /** Folders that it must not see. */
  hidden: string[]
}

/** Seconds of processor time. */
const cpuSeconds = 30
const heapMegabytes = 256

const packageRoot = fileURLToPath(new URL('.', import.meta.resolve('#package')))

/** What Node itself can forbid: writing, other processes, threads, and reading but from the program's own folders. */
function nodeArgs(script: string): string[] {
  const [major] = process.versions.node.split('.').map(Number)
  return [
    major! >= 24 ? '--permission' : '--experimental-permission',
    '--allow-addons',
    `--allow-fs-read=${packageRoot}dist/`,
    `--allow-fs-read=${packageRoot}node_modules/`,
    `--allow-fs-read=${packageRoot}package.json`,
    `--allow-fs-read=${script}`,
    `--max-old-space-size=${heapMegabytes}`,
    '--no-warnings',
    script,
  ]
}

const limits = ['prlimit', `--cpu=${cpuSeconds}`, '--fsize=0', '--nofile=128', '--core=0', '--']
const rights = ['setpriv', '--no-new-privs', '--inh-caps=-all']
const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all']

/**
 * In name spaces of its own: no network, and an empty folder over each that it must not see. One that is not there, or no longer
 * since another covers it, needs none.
 */
function apart(hidden: string[], root: boolean, scratch = false): string[] {
  const unshare = ['unshare', ...(root ? [] : ['--user', '--map-root-user']), '--net', '--mount', '--']
  if (hidden.length === 0) return unshare
  const cover =
    'for folder; do [ "$folder" = -- ] && break; [ -d "$folder" ] || continue; mount -t tmpfs -o ro none "$folder" || exit 1; done'
  return [
    ...unshare,
    'sh',
    '-c',
    `${cover}; ${scratch ? 'mount -t tmpfs -o mode=1777,size=256m none /tmp || exit 1; ' : ''}while [ "$1" != -- ]; do shift; done; shift; exec "$@"`,
    'sh',
    ...hidden,
    '--',
  ]
}

/** Tries each means by itself, and keeps what works here. */
export async function buildJail({ script, hidden }: JailOptions): Promise<Jail> {
  const root = process.getuid?.() === 0
  const node = [process.execPath, ...nodeArgs(script)]
  const nothing = ['true']
  const [covers, network, canLimit, canDrop] = await Promise.all([
    runs([...apart(hidden, root), ...nothing]),
    runs([...apart([], root), ...nothing]),
    runs([...limits, ...nothing]),
    runs([...rights, ...(root ? nobody : []), ...nothing]),
  ])
  const line = [
    ...(covers ? apart(hidden, root) : network ? apart([], root) : []),
    ...(canDrop ? [...rights, ...(root ? nobody : [])] : []),
    ...(canLimit ? limits : []),
    ...node,
  ]
  // Nobody may not be able to read the program: then it keeps who it is, and gains nothing.
  const withoutNobody = line.filter((word) => !nobody.includes(word))
  const works = (await runs(line)) ? line : (await runs(withoutNobody)) ? withoutNobody : null
  const means = { limits: canLimit, network: covers || network, folders: covers, rights: canDrop }
  return {
    copy: works ?? node,
    heif: works && covers && canLimit ? await heifLine(works.slice(0, -node.length), hidden, root) : null,
    means: works ? means : { limits: false, network: false, folders: false, rights: false },
  }
}

/**
 * heif-convert wants files: it gets a folder of its own in memory, which nobody else sees and which goes with it. For the rest it is
 * fenced in as the process that makes copies is.
 */
async function heifLine(fence: string[], hidden: string[], root: boolean): Promise<string[] | null> {
  const own = fence.slice(apart(hidden, root).length).map((word) => (word === '--fsize=0' ? '--fsize=268435456' : word))
  const line = [...apart(hidden, root, true), ...own, 'sh', '-c']
  if (!(await runs([...line, 'command -v heif-convert']))) return null
  const convert =
    'cat > /tmp/in.heic && heif-convert -q 95 /tmp/in.heic /tmp/out.jpg > /dev/null 2>&1 && cat /tmp/out.jpg'
  return [...line, convert]
}

/** Whether it starts and ends well with nothing to do. */
function runs([command, ...args]: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command!, args, { env: {}, stdio: 'ignore', cwd: '/', timeout: 10_000 })
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
  })
}
