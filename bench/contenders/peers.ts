import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { end, forkNode } from '../child.ts'
import type { Sample } from '../load/job.ts'
import { benchFolder } from '../places.ts'
import type { Contender } from './contender.ts'

/** The file that an answer names. */
const namedInBody = ({ body }: Sample) => (JSON.parse(body) as { path: string }).path

const written =
  (pathOf: (sample: Sample, folder: string) => string) => async (sample: Sample, sent: Buffer, folder: string) => {
    if (!(await readFile(pathOf(sample, folder))).equals(sent)) throw new Error('it kept other bytes than were sent')
  }

const nothing = 'hash, seal, sync, judge, record, confirm'

export const discard = peer(
  'Node reads and discards',
  'discard',
  `everything: disk, ${nothing}`,
  async ({ body }, sent) => {
    if ((JSON.parse(body) as { bytes: number }).bytes < sent.length) throw new Error('it read less than was sent')
  },
)

export const peers = [
  peer('@fastify/multipart', 'fastify-multipart', nothing, written(namedInBody)),
  peer('multer on Express', 'multer', nothing, written(namedInBody)),
  peer(
    '@tus/server, file store',
    'tus',
    `${nothing}; no form to read, but a second file for each upload`,
    written(({ location }, folder) => join(folder, location!.split('/').at(-1)!)),
  ),
]

type Verify = (sample: Sample, sent: Buffer, folder: string) => Promise<void>

function peer(name: string, module: string, leavesOut: string, verify: Verify): Contender {
  return {
    name,
    kind: module === 'discard' ? 'floor' : 'peer',
    leavesOut,
    async start(folder, { size, atOnce }, { templates, load }) {
      const { child, pid, ready } = await forkNode<{ port: number }>(join(benchFolder, 'peers', 'peer.mjs'), [
        module,
        folder,
      ])
      const url = `http://127.0.0.1:${ready.port}/`
      const protocol = module === 'tus' ? 'tus' : 'form'
      return {
        pid,
        run: (seconds) => load({ kind: 'upload', target: { protocol, url }, templates, size, atOnce, seconds }),
        verify: (sample, sent) => verify(sample, sent, folder),
        stop: () => end(child),
      }
    },
  }
}
