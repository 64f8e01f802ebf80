import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { unseal } from '../../src/seal/unseal.ts'
import { end, forkNode } from '../child.ts'
import { unsealChunks } from '../floors/chunks.ts'
import type { BodyDone, Floor, Kept } from '../floors/job.ts'
import type { Load } from '../load/job.ts'
import { bundled } from '../places.ts'
import type { Contender } from './contender.ts'

export const diskFloor = floor('disk', "the disk's floor", 'HTTP, hash, seal, judge, record, confirm')
export const workFloor = floor('work', "the work's own floor", 'HTTP, judge, record, confirm')

/** The least that a Node server has to do for the same promise, whatever else it does. */
export const behindHttpFloor: Contender = {
  name: "the work's floor behind HTTP",
  kind: 'floor',
  leavesOut: 'read the form, judge, record, confirm',
  async start(folder, { size, atOnce }, { templates, load }) {
    const { child, pid, ready } = await forkNode<{ port: number }>(bundled('behindHttp.js'), [folder])
    const target = { protocol: 'form', url: `http://127.0.0.1:${ready.port}/` }
    return {
      pid,
      run: (seconds) => load({ kind: 'upload', target, templates, size, atOnce, seconds }),
      async verify({ body }, sent) {
        const { path, dataKey, lengths, sha256 } = JSON.parse(body) as BodyDone
        const kept = unsealChunks(await readFile(path), Buffer.from(dataKey, 'hex'), lengths)
        if (!kept.includes(sent)) throw new Error('it kept other bytes')
        if (createHash('sha256').update(kept).digest('hex') !== sha256) throw new Error('it made another digest')
      },
      stop: () => end(child),
    }
  },
}

function floor(floor: Floor, name: string, leavesOut: string): Contender {
  return {
    name,
    kind: 'floor',
    leavesOut,
    async start(folder, { size, atOnce }, { templates }) {
      const { child, pid, ask } = await forkNode(bundled('floor.js'), [
        floor,
        templates,
        String(size),
        folder,
        String(atOnce),
      ])
      return {
        pid,
        run: (seconds) => ask<Load>(seconds),
        async verify({ body }, sent) {
          if (!(await bytesOf(JSON.parse(body) as Kept, sent)).equals(sent)) throw new Error('it kept other bytes')
        },
        stop: () => end(child),
      }
    },
  }
}

async function bytesOf({ path, sealed }: Kept, sent: Buffer): Promise<Buffer> {
  if (!sealed) return readFile(path)
  if (createHash('sha256').update(sent).digest('hex') !== sealed.sha256) throw new Error('it made another digest')
  const pieces: Buffer[] = []
  const source = {
    dataKey: Buffer.from(sealed.dataKey, 'hex'),
    attachmentId: sealed.id,
    size: sent.length,
    open: async (range?: { start: number; end: number }) => createReadStream(path, { ...range }),
  }
  for await (const piece of unseal(source)) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}
