import type { FastifyError, FastifyInstance } from 'fastify'
import type { Fault } from '../faults.ts'
import { GuestRefusal } from '../guest/refusal.ts'
import { isRecord, Malformed } from '../parse.ts'
import type { Switches } from '../switches.ts'
import { type Control, type ConversationOptions, UnknownConversation } from './control.ts'
import { readCustomerForm } from './customerForm.ts'

type ById = { Params: { id: string } }

/**
 * `Control` over HTTP, under `/_emulator`. Errors are `{"message"}`, and a refusal of the Guest API also carries its
 * `errorCode` and `errorMessage`.
 */
export function ownRoutes(control: Control) {
  return async (app: FastifyInstance) => {
    // The customer's form is read by its route, as a stream.
    app.addContentTypeParser('multipart/form-data', async () => undefined)

    app.setErrorHandler<FastifyError>((error, _request, reply) => {
      if (error instanceof GuestRefusal) {
        const { errorCode, message } = error
        return reply.code(400).send({ message, errorCode, errorMessage: message })
      }
      const status = error instanceof UnknownConversation ? 404 : error instanceof Malformed ? 400 : error.statusCode
      return reply.code(status ?? 500).send({ message: error.message })
    })

    app.post('/_emulator/conversations', async ({ body }) => control.createConversation(parseOptions(body)))
    app.get<ById>('/_emulator/conversations/:id', async ({ params }) => control.conversation(params.id))
    app.post<ById>('/_emulator/conversations/:id/messages', async ({ params, raw }) =>
      control.customerSends(params.id, await readCustomerForm(raw)),
    )
    app.post<ById>('/_emulator/conversations/:id/agent', async ({ params, body }) => {
      return control.connectAgent(params.id, textsOf(membersOf(body, ['userId'])).userId)
    })
    app.delete<ById>('/_emulator/conversations/:id/agent', async ({ params }) => control.disconnectAgent(params.id))

    app.get<ById>('/_emulator/conversations/:id/eventbridge', async ({ params }) => control.eventBridgeEvent(params.id))

    // Bodies go on unparsed: `Control` checks what it is given, from here as from a script in the same process.
    app.put('/_emulator/switches', async ({ body }) => control.setSwitches(body as Partial<Switches>))
    app.put('/_emulator/faults', async ({ body }) => {
      control.setFaults(body as Fault[])
      return body
    })
    app.put('/_emulator/deployment', async ({ body }) => {
      const { supportedContentId } = membersOf(body, ['supportedContentId'])
      control.useProfile(String(supportedContentId))
      return body
    })
    app.get('/_emulator/requests', async () => control.requests())
    app.delete('/_emulator/tokens', async () => control.revokeTokens())

    app.get('/_emulator/time', async () => control.time())
    app.post('/_emulator/time', async ({ body }) => {
      return control.advance(membersOf(body, ['advanceSeconds']).advanceSeconds as number)
    })
    app.post('/_emulator/sockets/cut', async ({ body }) => {
      return control.cutSockets(membersOf(body, ['code']) as { code?: number })
    })
    app.post('/_emulator/sockets/announce-closing', async (_, reply) => {
      control.announceSocketsClosing()
      return reply.code(204).send()
    })
  }
}

function parseOptions(body: unknown): ConversationOptions {
  const { agent, ...ids } = membersOf(body, ['agent', 'agentUserId', 'queueId'])
  if (agent !== undefined && typeof agent !== 'boolean') throw new Malformed('agent must be true or false')
  return { ...(agent !== undefined && { agent }), ...textsOf(ids) }
}

function textsOf(members: Record<string, unknown>): Record<string, string> {
  const wrong = Object.keys(members).find((name) => typeof members[name] !== 'string')
  if (wrong !== undefined) throw new Malformed(`${wrong} must be a text`)
  return members as Record<string, string>
}

/** The members of an optional body, none other than those allowed. */
function membersOf(body: unknown, allowed: string[]): Record<string, unknown> {
  if (body === undefined || body === null) return {}
  if (!isRecord(body)) throw new Malformed('the body must be an object')
  const unknown = Object.keys(body).find((name) => !allowed.includes(name))
  if (unknown !== undefined) throw new Malformed(`unknown member: ${unknown}`)
  return body
}
