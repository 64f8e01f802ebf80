import { assert, constantFrom, dictionary, jsonValue, letrec, oneof, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readClientFrame } from './frames.ts'

const token = '4c1f0000-0000-4000-8000-000000000000'
const asked = (frame: unknown) => readClientFrame(typeof frame === 'string' ? frame : JSON.stringify(frame)).asked
const message = (content: unknown, more: Record<string, unknown> = {}) => ({
  action: 'onMessage',
  token,
  message: { type: 'Text', content, ...more },
})
const item = { contentType: 'Attachment', attachment: { id: 'a-1' } }

describe('a frame of a client', () => {
  it('that has nothing to do with files passes', () => {
    for (const frame of [
      { action: 'configureAuthenticatedSession', token, data: { code: 'x' } },
      { action: 'configureSession', token, deploymentId: 'd' },
    ])
      expect(asked(frame)).toEqual({ kind: 'configure' })
    for (const frame of [
      { action: 'echo', token, message: { type: 'Text', text: 'an attachment' } },
      { action: 'newAction', token, anything: [{ contentType: 'Text' }] },
      message([{ contentType: 'ButtonResponse', buttonResponse: { payload: 'attachment' } }]),
      message(undefined, { text: '{"attachment":{"id":"a-1"}}' }),
    ])
      expect(asked(frame)).toEqual({ kind: 'pass' })
  })

  it.each([
    [{ contentType: 'QuickReply', quickReply: { text: 'x', image: 'https://evil.example/x.png' } }],
    [{ contentType: 'Card', card: { title: 'x', picture: { at: '//evil.example/x' }, media: '//evil.example/x' } }],
    [{ contentType: 'Media', media: { url: 'x' } }],
    [{ contentType: 'Story', story: { source: 'data:text/html,x' } }],
  ])('leads to no other bytes: %j', (content) => {
    expect(asked(message([content]))).toMatchObject({ kind: 'refused' })
  })

  it('may speak of addresses in words', () => {
    const reply = { contentType: 'QuickReply', quickReply: { text: 'see https://example.com', payload: 'https://x' } }
    expect(asked(message([reply, { contentType: 'Text', image: 'a picture' }]))).toEqual({ kind: 'pass' })
  })

  it.each([
    'text/plain;,text/html',
    'text/plain, text/html',
    'text/plain;charset=utf-8,text/html',
    'text',
    ' image/png',
  ])('announces one type: not %j', (fileType) => {
    const frame = { action: 'onAttachment', token, fileName: 'a.txt', fileSize: 1 }
    expect(asked({ ...frame, fileType })).toMatchObject({ kind: 'refused', code: 4001 })
    expect(asked({ ...frame, fileType: 'text/plain; charset="utf-8"' })).toMatchObject({ kind: 'announce' })
  })

  it('sends one attachment by its id', () => {
    expect(asked(message([item]))).toEqual({ kind: 'send', attachmentId: 'a-1' })
    expect(asked({ action: 'onMessage', token, message: { metadata: { id: 'm' }, content: [item] } })).toEqual({
      kind: 'send',
      attachmentId: 'a-1',
    })
    const told = { id: 'a-1', mediaType: 'File', filename: 'x.pdf' }
    expect(asked(message([{ contentType: 'Attachment', attachment: told }]))).toMatchObject({ kind: 'send' })
  })

  it.each([
    ['two of them', message([item, { contentType: 'Attachment', attachment: { id: 'a-2' } }])],
    ['the same twice', message([item, item])],
    ['an address', message([{ contentType: 'Attachment', attachment: { url: 'https://evil.example/x' } }])],
    ['an id and an address', message([{ contentType: 'Attachment', attachment: { id: 'a-1', url: 'https://x' } }])],
    ['an id that is none', message([{ contentType: 'Attachment', attachment: { id: ['a-1'] } }])],
    ['an id of another kind', message([{ contentType: 'Attachment', attachment: { id: 7 } }])],
    [
      'an id with something in it',
      message([{ contentType: 'Attachment', attachment: { id: 'a-1', text: { id: 'a-2' } } }]),
    ],
    ['no attachment', message([{ contentType: 'Attachment' }])],
    ['a list', message([{ contentType: 'Attachment', attachment: [{ id: 'a-1' }] }])],
    ['something beside it', message([{ ...item, attachments: [{ id: 'a-2' }] }])],
    ['another case', message([{ contentType: 'attachment', attachment: { id: 'a-1' } }])],
    ['another case of the member', message([{ ContentType: 'Attachment', Attachment: { id: 'a-1' } }])],
    ['no kind', message([{ attachment: { id: 'a-1' } }])],
    ['another kind', message([{ contentType: 'Text', attachment: { id: 'a-1' } }])],
    ['no list', message(item)],
    ['a place beside content', message([], { attachment: { id: 'a-1' } })],
    ['a place in a list of its own', message([], { attachments: [{ id: 'a-1' }] })],
    ['a place beside the message', { ...message([]), attachmentId: 'a-1' }],
    ['a place deep inside', message([], { channel: { metadata: { x: [{ y: { myAttachment: 1 } }] } } })],
    ['a second message', { ...message([]), Message: { content: [item] } }],
    ['another case of the action', { ...message([item]), action: 'onmessage' }],
    ['an action that nobody knows', { ...message([item]), action: 'sendAttachments' }],
    ['an escaped member', '{"action":"onMessage","message":{"content":[{"\\u0061ttachment":{"id":"a-1"}}]}}'],
    [
      'a member twice',
      '{"action":"onMessage","message":{"content":[]},"message":{"content":[{"contentType":"Attachment","attachment":{"id":"a-1"}}]}}',
    ],
    ['an action twice', '{"action":"echo","action":"onMessage","message":{}}'],
    ['a member twice, one escaped', '{"action":"onMessage","message":{},"m\\u0065ssage":{"content":[]}}'],
    ['a trap', '{"action":"echo","__proto__":{"action":"onMessage"}}'],
    ['no object', '[{"action":"onMessage"}]'],
    ['no JSON', '{"action":"onMessage"'],
    ['an address in other content', message([{ contentType: 'Media', media: { URL: 'https://evil.example/x.exe' } }])],
    ['two frames', '{"action":"echo"}{"action":"onMessage"}'],
    ['nothing', ''],
    ['no action', { token, message: {} }],
    ['an action of another kind', { action: ['onMessage'], token }],
    [
      'an announcement of more than one',
      { action: 'onAttachment', fileName: 'a', fileType: 'b', fileSize: 1, attachments: [] },
    ],
    ['a download of more than one', { action: 'getAttachment', attachmentId: 'a-1', attachmentIds: ['a-2'] }],
    ['a download of none', { action: 'getAttachment' }],
    ['an id with a line break', { action: 'deleteAttachment', attachmentId: 'a\n1' }],
  ])('with %s is refused', (_, frame) => {
    expect(asked(frame)).toMatchObject({ kind: 'refused', code: expect.any(Number), says: expect.any(String) })
  })

  it.each([
    [
      { fileName: 'a.png', fileType: 'image/png', fileSize: 3 },
      { kind: 'announce', attachmentId: null, asJson: false },
    ],
    [
      { fileName: 'a.png', fileType: 'image/png', fileSize: 3, attachmentId: null },
      { kind: 'announce', attachmentId: null },
    ],
    [{ fileType: 'image/png', fileSize: 3 }, { code: 4020 }],
    [{ fileName: 'a.png', fileSize: 3 }, { code: 4020 }],
    [{ fileName: 'a.png', fileType: 'image/png' }, { code: 4020 }],
    [{ fileName: 'a.png', fileType: 'image/png', fileSize: '3' }, { code: 4020 }],
    [{ fileName: 'a.png', fileType: 'image/png', fileSize: 1.5 }, { code: 4020 }],
    [{ fileName: 'a.png', fileType: 'image/png', fileSize: -1 }, { code: 4020 }],
    [{ fileName: 'a'.repeat(2000), fileType: 'image/png', fileSize: 3 }, { code: 4005 }],
    [{ fileName: 'a.png', fileType: 'x'.repeat(300), fileSize: 3 }, { code: 4001 }],
    [{ fileName: 'a.png', fileType: 'image/png', fileSize: 3, attachmentId: '' }, { code: 400 }],
  ])('announces %j', (about, expected) => {
    expect(asked({ action: 'onAttachment', token, ...about })).toMatchObject(expected)
  })

  it('that passes names no attachment, whatever it is: five thousand of them', () => {
    const names = constantFrom(
      'action',
      'message',
      'content',
      'contentType',
      'attachment',
      'Attachment',
      'attachmentId',
      'attachments',
      'id',
      'url',
    )
    const values = constantFrom<unknown>(
      'onMessage',
      'onmessage',
      'echo',
      'Attachment',
      'attachment',
      'a-1',
      1,
      null,
      true,
    )
    const { tree } = letrec((tie) => ({
      tree: oneof({ maxDepth: 6 }, values, dictionary(names, tie('tree'), { maxKeys: 4 }), tie('list')),
      list: dictionary(names, tie('tree'), { maxKeys: 2 }).map((one) => [one]),
    }))
    const frames = oneof(tree, dictionary(names, tree), jsonValue(), string())
    const named = (value: unknown): boolean =>
      typeof value === 'object' &&
      value !== null &&
      Object.entries(value).some(([name, inner]) => /attachment/i.test(name) || named(inner))
    assert(
      property(frames, constantFrom('onMessage', 'echo', 'getAttachment', 'onAttachment', ''), (value, action) => {
        const frame = typeof value === 'object' && value !== null ? { ...value, ...(action && { action }) } : value
        const text = typeof frame === 'string' ? frame : (JSON.stringify(frame) ?? '')
        const { asked } = readClientFrame(text)
        if (asked.kind === 'pass' || asked.kind === 'configure') expect(named(JSON.parse(text))).toBe(false)
      }),
      { numRuns: 5000 },
    )
  })
})
