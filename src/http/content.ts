import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type DownloadParts, openContent } from '../access/download.ts'
import type { Attachment } from '../attachment.ts'
import { Damaged } from '../errors.ts'
import { answerProblem } from './answer.ts'
import { rangeOf } from './range.ts'
import { contentHeaders, dispositionOf, type ReadParts, readsOf } from './reads.ts'
import { type ReaderLimits, watchReader } from './slowReader.ts'

export interface ContentParts extends DownloadParts, ReadParts {
  readers: ReaderLimits
}

/** Answers with the bytes of an accepted attachment as it came, or with one range of them; HEAD with what would come. */
export async function answerContent(
  asked: Attachment,
  request: FastifyRequest,
  reply: FastifyReply,
  parts: ContentParts,
): Promise<FastifyReply> {
  const { events } = parts
  const { audit } = readsOf(parts)
  const { id } = asked
  const tell = (error: unknown): never => {
    if (error instanceof Damaged) events.fileDamaged(id, request.id, error)
    throw error
  }
  const { attachment, bytes } = await openContent(asked, parts).catch(tell)
  const { size, type, filename } = attachment
  const describe = () => {
    reply.headers(contentHeaders).header('accept-ranges', 'bytes')
    reply.header('content-type', type)
    reply.header('content-disposition', dispositionOf(filename))
  }
  if (request.method === 'HEAD') {
    await audit({ what: 'see', object: id, outcome: 'shown', detail: null }, request)
    describe()
    return reply.header('content-length', size).send()
  }
  // It is for GET alone (RFC 9110, 14.2).
  const range = rangeOf(request.headers.range, size)
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${size}`)
    const problem = {
      status: 416,
      code: 'range_not_satisfiable',
      title: 'No such range.',
      detail: `The file has ${size} bytes.`,
    }
    return answerProblem(request, reply, problem)
  }
  await audit(
    { what: 'read', object: id, outcome: range ? `bytes ${range.start}-${range.end}` : 'whole', detail: null },
    request,
  )
  // The first piece is proved before anything goes out: a file that is damaged at its start is a 500, not a cut.
  const pieces = bytes(range ?? undefined)
  const first = await pieces.next().catch(tell)
  describe()
  reply.header('content-length', range ? range.end - range.start + 1 : size)
  if (range) reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${size}`)
  // Who hardly reads holds a file open: it is cut off, and may ask for the rest by Range.
  watchReader(reply.raw, parts.readers, () => {
    events.readerTooSlow(id, request.id)
    reply.raw.destroy()
  })
  const stream = Readable.from(withFirst(first, pieces, tell), { objectMode: false })
  // A reader that is gone by now leaves the generator unstarted, and then nothing else would close the file.
  stream.once('close', () => void pieces.return(undefined).catch(() => {}))
  return reply.send(stream)
}

async function* withFirst(
  first: IteratorResult<Buffer>,
  rest: AsyncGenerator<Buffer>,
  tell: (error: unknown) => never,
): AsyncGenerator<Buffer> {
  try {
    if (!first.done) yield first.value
    yield* rest
  } catch (error) {
    tell(error)
  }
}
