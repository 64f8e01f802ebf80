import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Content, type DownloadParts, type OpenParts, openContent, openStored } from '../access/download.ts'
import type { Attachment } from '../attachment.ts'
import { type Copy, type CopyWanted, NoCopy } from '../copies/copy.ts'
import type { CopyMaker } from '../copies/maker.ts'
import { Damaged } from '../errors.ts'
import { namedAs } from '../intake/types.ts'
import { contentHeaders, dispositionOf, type ReadParts, readsOf } from './reads.ts'

export interface CopyParts extends DownloadParts, ReadParts {
  copies: CopyMaker
}

/**
 * Makes a copy of an accepted attachment, or a preview of a held one, which is in the trail as the read that it is before it is
 * made. `mayBeHeld`: who asks decides about such.
 */
export async function copyOf(
  asked: Attachment,
  { mayBeHeld = false, ...wanted }: Pick<CopyWanted, 'kind' | 'page' | 'pixels'> & { mayBeHeld?: boolean },
  request: FastifyRequest,
  parts: CopyParts,
): Promise<Copy & { filename: string | null }> {
  const { copies, events } = parts
  const held = mayBeHeld && isHeld(asked)
  const { attachment, bytes } = await (held ? openHeld(asked, parts) : openContent(asked, parts))
  const preview = `preview of page ${wanted.page}`
  const outcome = wanted.kind === 'safe' ? 'safe copy' : held ? `${preview}, held` : preview
  await readsOf(parts).audit({ what: 'read', object: asked.id, outcome, detail: null }, request)
  const { type, size, filename } = attachment
  const began = performance.now()
  try {
    const copy = await copies.make({ ...wanted, type, size }, bytes(), {
      who: request.viewer?.session ? request.viewer.who : null,
      isGone: () => request.raw.socket.destroyed,
    })
    events.copyMade(wanted.kind, (performance.now() - began) / 1000)
    return { ...copy, filename }
  } catch (error) {
    if (error instanceof Damaged) events.fileDamaged(asked.id, request.id, error)
    throw error
  }
}

/** Whether it is kept until somebody or an engine decides. */
export const isHeld = ({ state }: Attachment): boolean => state === 'quarantined' || state === 'recalled'

/** To be drawn, never to be handed out; and what an engine found something in is not drawn either. Throws as `openContent` does. */
async function openHeld(attachment: Attachment, parts: OpenParts): Promise<Content> {
  const isFound = attachment.code === 'malware' || attachment.verdicts.some(({ verdict }) => verdict === 'infected')
  if (isFound) throw new NoCopy('An engine found something harmful in it, so it is not opened.')
  return openStored(attachment, parts)
}

/** Answers with the safe copy of an accepted attachment. HEAD makes it too: only then is known what it is. */
export async function answerSafeCopy(
  asked: Attachment,
  request: FastifyRequest,
  reply: FastifyReply,
  parts: CopyParts,
): Promise<FastifyReply> {
  const { type, bytes, filename } = await copyOf(asked, { kind: 'safe', page: 1, pixels: 1 }, request, parts)
  reply.headers(contentHeaders)
  reply.header('content-type', type.startsWith('text/') ? `${type}; charset=utf-8` : type)
  reply.header('content-disposition', dispositionOf(namedAs(filename ?? 'file', type)))
  if (request.method === 'HEAD') return reply.header('content-length', bytes.length).send()
  return reply.send(bytes)
}
