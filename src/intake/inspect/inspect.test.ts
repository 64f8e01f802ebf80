import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { png } from '../../../tests/fixtures/files.ts'
import { temporaryFolder } from '../../../tests/folder.ts'
import { manualClock, until } from '../../../tests/genesys/clock.ts'
import { newAttachmentId } from '../../attachment.ts'
import { Refused, Unavailable } from '../../errors.ts'
import { openSpool } from '../spool/spool.ts'
import { createInspector } from './inspect.ts'
import { defaultLimits } from './limits.ts'

const strictness = { limits: defaultLimits, trailingData: 'refuse' as const }

async function spooled(bytes: Buffer) {
  const spool = await openSpool(join(await temporaryFolder(), 'spool'), 1)
  onTestFinished(() => spool.close())
  const file = await spool.spool([bytes], {
    id: newAttachmentId(),
    dataKey: Buffer.alloc(32, 7),
    maxBytes: 1e9,
    inspection: null,
  })
  if (file.tooLarge) throw new Error('it is not')
  return file
}

function inspector(count = 1) {
  const clock = manualClock()
  const made = createInspector(clock, count)
  onTestFinished(() => made.close())
  return { clock, ...made }
}

describe('an inspection', () => {
  it('reads the sealed file to its end', async () => {
    const { bytes } = await png()
    const { inspect } = inspector()
    expect(await inspect(await spooled(bytes), 'image/png', strictness)).toMatchObject({
      type: 'image/png',
      end: bytes.length,
    })
  })

  it('that takes too long ends with its thread: the file is refused, and the next one is read', async () => {
    const { bytes } = await png()
    const { inspect, clock } = inspector()
    const file = await spooled(bytes)
    // The file is read from a pipe that nobody writes to: opening it blocks the thread for good.
    const fifo = join(await temporaryFolder(), 'fifo')
    execFileSync('mkfifo', [fifo])
    const hanging = inspect({ ...file, path: fifo }, 'image/png', strictness)
    await until(() => clock.waits().includes(30_000))
    clock.jump(30_000)
    // Both ends: whoever waits for the other goes on, to its end that has come by then.
    closeSync(openSync(fifo, 'r+'))
    await expect(hanging).rejects.toThrow(Refused)
    expect(await inspect(file, 'image/png', strictness)).toMatchObject({ type: 'image/png' })
  })

  it('that takes too much memory ends with its thread: the file is refused, and the next one is read', async () => {
    const greedy = join(await temporaryFolder(), 'greedy.mjs')
    // Reads nothing, and takes all that there is for one type.
    await writeFile(
      greedy,
      `import { parentPort } from 'node:worker_threads'
       parentPort.on('message', ([{ id, question }]) => {
         const held = []
         while (question.asked === 'image/gif') held.push(new Array(1_000_000).fill(held.length))
         parentPort.postMessage([{ id, answer: { examined: { type: question.asked, end: 1 } } }])
       })`,
    )
    const { inspect, close } = createInspector(manualClock(), 1, pathToFileURL(greedy).href)
    onTestFinished(() => close())
    const file = await spooled((await png()).bytes)
    await expect(inspect(file, 'image/gif', strictness)).rejects.toThrow('memory')
    expect(await inspect(file, 'image/png', strictness)).toMatchObject({ type: 'image/png' })
  })

  it('of a spool that was changed, or is gone, is no judgement', async () => {
    const { bytes } = await png()
    const { inspect } = inspector()
    const file = await spooled(bytes)
    await expect(inspect({ ...file, path: '/nowhere' }, 'image/png', strictness)).rejects.toThrow(Unavailable)
    await expect(inspect({ ...file, dataKey: Buffer.alloc(32, 8) }, 'image/png', strictness)).rejects.toThrow(
      Unavailable,
    )
    await writeFile(file.path, Buffer.alloc(100))
    await expect(inspect(file, 'image/png', strictness)).rejects.toThrow(Unavailable)
  })

  it('waits for a thread that is free, and all are read', async () => {
    const { bytes } = await png()
    const { inspect } = inspector(2)
    const file = await spooled(bytes)
    const all = await Promise.all(Array.from({ length: 20 }, () => inspect(file, 'image/png', strictness)))
    expect(all.every(({ type }) => type === 'image/png')).toBe(true)
  })
})
