import type { Config } from '../config.ts'
import { createCopyMaker } from '../copies/maker.ts'
import { hiddenFolders } from '../installation.ts'
import { readableTypes } from '../intake/inspect/readers.ts'
import { findClamdConfig, tooSmall } from '../scan/clamdConfig.ts'
import type { Find } from './finding.ts'

const meanings = {
  limits: 'prlimit: a copy may take all the processor',
  network: 'unshare --net: a decoder that was taken over could reach the network',
  folders: 'unshare --mount: a decoder that was taken over could read our folders',
  rights: 'setpriv: a decoder that was taken over could gain rights',
}

/** What becomes of files here: types that only engines judge, an engine that looks less far than we do, where copies are made. */
export async function examineFiles(config: Config, find: Find): Promise<void> {
  const { policy, engines } = config
  const unread = policy.allowedTypes.filter((type) => !readableTypes.includes(type))
  if (unread.length > 0)
    find('policy', 'warning', `${unread.join(', ')}: allowed, and not read by us, so the engines alone judge it`)
  else find('policy', 'ok', `${policy.allowedTypes.length} types, each read to its end before it is scanned`)

  if (engines.clamd) {
    const found = await findClamdConfig(engines.clamd)
    if (!found) find('scan', 'ok', 'the configuration of clamd is not on this machine: compare its limits by hand')
    else {
      const problems = tooSmall(found.text, { maxFileBytes: policy.maxFileBytes, ...policy.strictness.limits })
      for (const problem of problems) find('scan', 'warning', `${found.path}: ${problem}`)
      if (problems.length === 0) find('scan', 'ok', `${found.path}: clamd looks as far as we let files go`)
    }
  }

  const copies = createCopyMaker({ hidden: hiddenFolders(config) })
  try {
    const { means } = await copies.jail()
    const missing = Object.entries(means).filter(([, inForce]) => !inForce) as [keyof typeof meanings, boolean][]
    for (const [mean] of missing) find('copies', 'warning', `not allowed here, ${meanings[mean]}`)
    if (missing.length === 0)
      find('copies', 'ok', 'made in a process without network, folders, rights or time to spare')
  } finally {
    await copies.close()
  }
}
