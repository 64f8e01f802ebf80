// A backend that lets its own page push files to Clipgate without giving the page a secret.
// It knows who its visitor is and which conversation is his, so it alone decides what a ticket is for.
//
//   CLIPGATE_URL=http://127.0.0.1:8080 CLIPGATE_KEY=<a key with the scope push> node server.mjs
//
// Clipgate must know this page's origin: CLIPGATE_CORS_ORIGINS=http://127.0.0.1:8070
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'

const { CLIPGATE_URL = 'http://127.0.0.1:8080', CLIPGATE_KEY = '', PORT = '8070' } = process.env

/** What the page imports. A page that is bundled says `import { attach } from 'clipgate/client'`. */
const client = fileURLToPath(import.meta.resolve('clipgate/client'))

/** Stands for your session: the conversation of the visitor who asks. Never take it from what the page says. */
function conversationOf(_request) {
  return process.env.CONVERSATION_ID ?? '00000000-0000-4000-8000-000000000001'
}

async function issueTicket(conversationId) {
  const answer = await fetch(`${CLIPGATE_URL}/v1/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${CLIPGATE_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ conversationId, maxFiles: 1, expiresInSeconds: 300 }),
  })
  if (!answer.ok) throw new Error(`Clipgate answers ${answer.status}: ${await answer.text()}`)
  return answer.json()
}

const server = createServer(async (request, response) => {
  try {
    if (request.method === 'GET' && request.url === '/') {
      const page = await readFile(new URL('page.html', import.meta.url), 'utf8')
      response.setHeader('content-type', 'text/html; charset=utf-8')
      response.end(page.replaceAll('CLIPGATE_URL', CLIPGATE_URL))
    } else if (request.method === 'GET' && request.url === '/clipgate-client.js') {
      response.setHeader('content-type', 'text/javascript; charset=utf-8')
      response.end(await readFile(client))
    } else if (request.method === 'POST' && request.url === '/ticket') {
      response.setHeader('content-type', 'application/json')
      response.setHeader('cache-control', 'no-store')
      response.end(JSON.stringify(await issueTicket(conversationOf(request))))
    } else {
      response.writeHead(404).end()
    }
  } catch (error) {
    console.error(error)
    response.writeHead(502).end()
  }
})
server.listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
