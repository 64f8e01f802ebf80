import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { GuestRefusal, UnknownConversation } from '../../emulator/index.ts'
import { pdf, read, start } from './start.ts'

const tenMebibytes = 10 * 1024 * 1024

/** A message as a browser's form sends it. */
function form(text: string | undefined, ...files: { name: string; mime: string; bytes: Buffer }[]): RequestInit {
  const body = new FormData()
  if (text !== undefined) body.set('text', text)
  for (const { name, mime, bytes } of files)
    body.append('file', new File([new Uint8Array(bytes)], name, { type: mime }))
  return { method: 'POST', body }
}

const multipart = { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=b' } }
const filePart = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"'

async function customer() {
  const { emulator } = await start()
  const { id } = emulator.createConversation()
  const send = (message: RequestInit) => fetch(`${emulator.url}/_emulator/conversations/${id}/messages`, message)
  return { emulator, id, send, messages: () => emulator.conversation(id).messages }
}

describe('a customer', () => {
  it('sends a text and a file in one message', async () => {
    const { send, messages } = await customer()
    const answer = await send(form('Voilà', pdf('Übersicht – 2026.pdf')))
    expect(answer.status).toBe(200)
    expect(messages()).toEqual([
      {
        id: (await read<{ messageId: string }>(answer)).messageId,
        direction: 'inbound',
        text: 'Voilà',
        attachments: [
          {
            id: expect.any(String),
            filename: 'Übersicht – 2026.pdf',
            mime: 'application/pdf',
            sha256: createHash('sha256').update(pdf().bytes).digest('hex'),
            contentSizeBytes: pdf().bytes.length,
          },
        ],
      },
    ])
  })

  it('sends a file alone, or a text alone', async () => {
    const { send, messages } = await customer()
    expect((await send(form(undefined, pdf()))).status).toBe(200)
    expect((await send(form('Hello'))).status).toBe(200)
    expect(messages().map(({ text, attachments }) => [text, attachments.length])).toEqual([
      ['', 1],
      ['Hello', 0],
    ])
  })

  it('sends a file of exactly 10 MiB', async () => {
    const { send, messages } = await customer()
    expect((await send(form(undefined, pdf('big.pdf', Buffer.alloc(tenMebibytes))))).status).toBe(200)
    expect(messages()[0]?.attachments[0]?.contentSizeBytes).toBe(tenMebibytes)
  })

  it.each([
    ['one byte over 10 MiB', form(undefined, pdf('big.pdf', Buffer.alloc(tenMebibytes + 1))), 4002],
    ['far over 10 MiB', form(undefined, pdf('big.pdf', Buffer.alloc(2 * tenMebibytes))), 4002],
    ['an executable', form(undefined, pdf('invoice.pdf.EXE')), 4001],
    ['a script', form(undefined, pdf('a.js')), 4001],
    ['a name without extension', form(undefined, pdf('passport')), 4004],
    ['a name that is an extension', form(undefined, pdf('.pdf')), 4004],
    ['a name that ends in a dot', form(undefined, pdf('passport.')), 4004],
    ['a name of 1024 characters', form(undefined, pdf(`${'a'.repeat(1020)}.pdf`)), 4005],
    ['an empty file', form('Here', pdf('empty.pdf', Buffer.alloc(0))), 4102],
    ['a text over 4096 bytes', form('é'.repeat(2049)), 4011],
    ['neither text nor file', form(''), 4020],
  ])('is refused %s, with the code of the Guest API', async (_, message, errorCode) => {
    const { send, messages } = await customer()
    const answer = await send(message)
    expect(answer.status).toBe(400)
    expect(await read(answer)).toMatchObject({ errorCode, errorMessage: expect.any(String) })
    expect(messages()).toEqual([])
  })

  it('may use a name of 1023 characters and a text of 4096 bytes', async () => {
    const { send } = await customer()
    expect((await send(form('é'.repeat(2048), pdf(`${'a'.repeat(1019)}.pdf`)))).status).toBe(200)
  })

  it.each([
    ['two files', form('Here', pdf(), pdf())],
    ['JSON', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"text":"a"}' }],
    ['a form without boundary', { method: 'POST', headers: { 'content-type': 'multipart/form-data' }, body: 'x' }],
    ['a form that is cut', { ...multipart, body: '--b\r\n' }],
    ['a file that is cut', { ...multipart, body: `${filePart}\r\n\r\nabc` }],
    ['a file that is cut in its head', { ...multipart, body: filePart }],
    [
      'a file under another name',
      { ...multipart, body: `${filePart.replace('"file"', '"scan"')}\r\n\r\nabc\r\n--b--` },
    ],
    [
      'a field that nobody asked for',
      { ...multipart, body: '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n--b--' },
    ],
    ['nothing', { method: 'POST' }],
  ])('cannot send %s', async (_, message) => {
    const { send, messages } = await customer()
    const answer = await send(message)
    expect(answer.status).toBe(400)
    expect(await read(answer)).toEqual({ message: expect.any(String) })
    expect(messages()).toEqual([])
  })

  it('is refused in the same way from the same process', async () => {
    const { emulator, id } = await customer()
    const send = () => emulator.customerSends(id, { file: pdf('a.exe') })
    expect(send).toThrow(GuestRefusal)
    expect(send).toThrow(expect.objectContaining({ errorCode: 4001 }))
    expect(() => emulator.customerSends('unknown', { text: 'Hello' })).toThrow(UnknownConversation)
  })
})
