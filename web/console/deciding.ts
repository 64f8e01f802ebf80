import { ask } from '../shared/api.ts'
import { nameOf } from '../shared/files/words.ts'
import type { Attachment } from '../shared/shapes.ts'
import { askBefore } from './dialog.ts'
import type { Desk } from './view.ts'

/** What came of it, in words; null when it was not done after all. */
type Done = Promise<string | null>

const pathOf = (id: string) => `/v1/attachments/${encodeURIComponent(id)}`

/** What people decide about one file. Each is asked before it is done. */
export function decisionsAt(desk: Desk) {
  const { say } = desk.texts
  const post = (path: string, reason: string) => ask<{ status?: string }>(path, { method: 'POST', body: { reason } })

  async function decide(
    attachment: Attachment,
    what: 'release' | 'hold' | 'destroy' | 'erase',
    says: string[],
    run: (reason: string) => Promise<string>,
  ): Done {
    let said = ''
    const isDone = await askBefore(
      {
        title: say(`${what}Title`),
        about: nameOf(attachment, desk),
        says: [say(`${what}What`), ...says],
        action: say(what),
        isDangerous: what === 'destroy' || what === 'erase',
        needsReason: what !== 'erase',
        run: async (reason) => {
          said = await run(reason)
        },
      },
      desk,
    )
    return isDone ? said : null
  }

  return {
    release: (attachment: Attachment): Done =>
      decide(attachment, 'release', [say('releaseSecond')], async (reason) => {
        const { status } = await post(`${pathOf(attachment.id)}/release`, reason)
        return say(status === 'asked' ? 'asked' : 'released')
      }),

    hold: (attachment: Attachment): Done =>
      decide(attachment, 'hold', [], async (reason) => {
        await post(`${pathOf(attachment.id)}/hold`, reason)
        return say('heldBack')
      }),

    destroy: (attachment: Attachment): Done =>
      decide(attachment, 'destroy', [], async (reason) => {
        await post(`${pathOf(attachment.id)}/destroy`, reason)
        return say('destroyed')
      }),

    erase: (attachment: Attachment): Done =>
      decide(attachment, 'erase', [], async () => {
        const receipt = await ask<{ digestOfRecord: string }>(pathOf(attachment.id), { method: 'DELETE' })
        return say('erased', { digest: receipt.digestOfRecord })
      }),

    /** Gives up what is owed about a file. */
    async drop(attachmentId: string): Done {
      const isDone = await askBefore(
        {
          title: say('dropTitle'),
          about: attachmentId,
          says: [say('dropWhat')],
          action: say('drop'),
          isDangerous: true,
          needsReason: true,
          run: async (reason) => {
            await post(`/v1/outbox/${encodeURIComponent(attachmentId)}/drop`, reason)
          },
        },
        desk,
      )
      return isDone ? say('dropped') : null
    },
  }
}
