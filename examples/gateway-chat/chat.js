// A customer's chat on the Guest API of Web Messaging, as a page of one's own has it. Nothing in it knows of Clipgate: the address
// of the socket is the only thing that is another.
const query = new URLSearchParams(location.search)
const deploymentId = query.get('deploymentId') ?? '00000000-0000-4000-8000-00000000d001'
const address = query.get('socket') ?? `${location.origin.replace('http', 'ws')}/v1`

const state = document.querySelector('#state')
const messages = document.querySelector('#messages')

// The token is the session: who has it can read and write here.
const token = sessionStorage.getItem('token') ?? crypto.randomUUID()
sessionStorage.setItem('token', token)

/** Uploads by the id of their file. */
const uploads = new Map()
let socket

function connect() {
  socket = new WebSocket(`${address}?deploymentId=${deploymentId}`)
  socket.addEventListener('open', () => send({ action: 'configureSession', deploymentId }))
  socket.addEventListener('message', ({ data }) => hear(JSON.parse(data)))
  socket.addEventListener('close', () => {
    state.textContent = 'The connection was lost. Connecting again…'
    setTimeout(connect, 1000)
  })
}

function send(frame) {
  socket.send(JSON.stringify({ token, tracingId: crypto.randomUUID(), ...frame }))
}

function hear({ class: kind, body }) {
  if (kind === 'SessionResponse' && body.connected) state.textContent = 'You are connected.'
  if (kind === 'StructuredMessage' && body.type === 'Text') show(body)
  if (kind === 'PresignedUrlResponse') put(body)
  if (kind === 'UploadSuccessEvent') sendFile(body.attachmentId)
  if (kind === 'UploadFailureEvent' || kind === 'GenerateUrlError') refused(body.attachmentId, body.errorMessage)
  if (kind === 'string') state.textContent = String(body)
}

function show({ direction, text, content = [] }) {
  const files = content.filter(({ contentType }) => contentType === 'Attachment').map(({ attachment }) => attachment)
  const item = document.createElement('li')
  item.className = direction === 'Inbound' ? 'mine' : ''
  // A name is what a stranger typed: as text, never as markup.
  item.textContent = [text, ...files.map(({ filename }) => `File: ${filename}`)].filter(Boolean).join(' ')
  messages.append(item)
}

function announce(file) {
  const attachmentId = crypto.randomUUID()
  uploads.set(attachmentId, file)
  state.textContent = `${file.name} is being checked…`
  const about = { fileName: file.name, fileType: file.type, fileSize: file.size, errorsAsJson: true }
  send({ action: 'onAttachment', attachmentId, ...about })
}

async function put({ attachmentId, url, headers }) {
  const file = uploads.get(attachmentId)
  if (!file) return
  const answer = await fetch(url, { method: 'PUT', headers: { 'content-type': file.type, ...headers }, body: file })
  if (!answer.ok) refused(attachmentId, `it could not be sent (${answer.status})`)
}

function sendFile(attachmentId) {
  const file = uploads.get(attachmentId)
  if (!file) return
  uploads.delete(attachmentId)
  state.textContent = `${file.name} was checked and sent.`
  send({
    action: 'onMessage',
    message: { type: 'Text', content: [{ contentType: 'Attachment', attachment: { id: attachmentId } }] },
  })
}

function refused(attachmentId, why) {
  const file = uploads.get(attachmentId)
  uploads.delete(attachmentId)
  state.textContent = `${file?.name ?? 'The file'} was not sent: ${why}`
}

document.querySelector('#send').addEventListener('submit', (event) => {
  event.preventDefault()
  const input = document.querySelector('#text')
  if (input.value.trim() !== '') send({ action: 'onMessage', message: { type: 'Text', text: input.value } })
  input.value = ''
})
document.querySelector('#attach').addEventListener('submit', (event) => {
  event.preventDefault()
  const input = document.querySelector('#file')
  if (input.files[0]) announce(input.files[0])
  input.value = ''
})
connect()
