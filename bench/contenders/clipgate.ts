import { createHash } from 'node:crypto'
import type { Contender, Row, Stage } from './contender.ts'
import { authorization, type Service, startService } from './service.ts'

/** The product as a checkout built it. */
export function clipgateOf(checkout: string, name: string, nodeFlags: string[] = []): Contender {
  return {
    name,
    kind: 'product',
    leavesOut: '',
    start: async (folder, row, stage) =>
      takingIn(await startService(checkout, folder, stage.emulator.url, {}, nodeFlags), row, stage),
  }
}

/** The push door of a service, under load. */
export function takingIn(service: Service, { size, atOnce }: Row, { templates, load, emulator }: Stage) {
  const { conversations } = emulator
  const target = { protocol: 'form', url: `${service.url}/webhook/file-upload`, authorization, conversations }
  return {
    pid: service.pid,
    run: (seconds: number) => load({ kind: 'upload', target, templates, size, atOnce, seconds }),
    async verify({ body }: { body: string }, sent: Buffer) {
      const { attachment } = JSON.parse(body) as { attachment: { id: string; sha256: string } }
      if (attachment.sha256 !== createHash('sha256').update(sent).digest('hex')) throw new Error('another digest')
      const answer = await fetch(`${service.url}/v1/attachments/${attachment.id}/content`, {
        headers: { authorization },
      })
      if (!Buffer.from(await answer.arrayBuffer()).equals(sent)) throw new Error('other bytes than were sent')
    },
    stop: service.stop,
  }
}
