import { describe, expect, it } from 'vitest'
import { membersOf, pdf, read, type Schemas, sample, start } from './start.ts'

type Profile = Schemas['SupportedContent']

const base = '/api/v2/conversations/messaging/supportedcontent'
const imagesAndPdf = {
  name: 'Images and PDF',
  mediaTypes: {
    allow: { inbound: [{ type: 'image/*' }, { type: 'application/pdf' }], outbound: [{ type: 'image/png' }] },
  },
}

describe('supported content profiles', () => {
  it('are one at first: every type in, pictures out', async () => {
    const { client } = await start()
    const call = await client()
    const listing = await read<Schemas['SupportedContentListing']>(call('GET', base))
    expect(membersOf(listing)).toEqual(membersOf(sample('supportedcontent.list.response')))
    const byDefault = await read<Profile>(call('GET', `${base}/default`))
    expect(byDefault.mediaTypes).toEqual(sample<Profile>('supportedcontent.default.response').mediaTypes)
    expect(listing.entities).toEqual([byDefault])
  })

  it('can be made, read, changed and removed', async () => {
    const { client } = await start()
    const call = await client()
    const made = await read<Profile>(call('POST', base, imagesAndPdf))
    expect(made).toMatchObject({ ...imagesAndPdf, version: 1 })
    const path = `${base}/${made.id}`
    const inbound = [{ type: 'text/plain' }]
    const changed = await read<Profile>(call('PATCH', path, { mediaTypes: { allow: { inbound } } }))
    expect(changed).toMatchObject({ name: made.name, version: 2, mediaTypes: { allow: { inbound } } })
    expect(changed.mediaTypes?.allow?.outbound).toEqual([{ type: 'image/png' }])
    expect(await read(call('GET', path))).toEqual(changed)
    expect((await call('DELETE', path)).status).toBe(204)
    expect((await call('GET', path)).status).toBe(404)
  })

  it('have a default, which can be another one and cannot be removed', async () => {
    const { client } = await start()
    const call = await client()
    const { id } = await read<Profile>(call('POST', base, imagesAndPdf))
    expect((await call('PUT', `${base}/default`, { id })).status).toBe(200)
    expect(await read(call('GET', `${base}/default`))).toMatchObject({ id })
    expect((await call('DELETE', `${base}/${id}`)).status).toBe(400)
    expect((await call('PUT', `${base}/default`, { id: 'unknown' })).status).toBe(404)
  })

  it.each([
    [undefined],
    [{}],
    [{ name: '' }],
    [{ name: 'x', mediaTypes: { allow: { inbound: 'image/*' } } }],
    [{ name: 'x', mediaTypes: { allow: { inbound: ['image/*'] } } }],
    [{ name: 'x', mediaTypes: { allow: { outbound: [{ type: 'pdf' }] } } }],
  ])('cannot be made from %j', async (body) => {
    const { client } = await start()
    const call = await client()
    expect((await call('POST', base, body)).status).toBe(400)
  })
})

describe('the deployment', () => {
  const file = (mime: string) => ({ file: { ...pdf(), mime } })

  it('refers to a profile, which says what customers may send', async () => {
    const { client, own, emulator } = await start()
    const call = await client()
    const profile = await read<Profile>(call('POST', base, imagesAndPdf))
    expect((await own('PUT', '/deployment', { supportedContentId: profile.id })).status).toBe(200)
    const { id } = emulator.createConversation()
    emulator.customerSends(id, file('application/pdf'))
    emulator.customerSends(id, file('IMAGE/png; q=1'))
    expect(() => emulator.customerSends(id, file('text/plain'))).toThrow('text/plain not supported')
    const deployment = await read<Schemas['WebDeployment']>(
      call('GET', '/api/v2/webdeployments/deployments/00000000-0000-4000-8000-00000000d001'),
    )
    expect(deployment).toMatchObject({ allowAllDomains: true, supportedContent: { id: profile.id } })
  })

  it('keeps its profile when another one becomes the default', async () => {
    const { client, emulator } = await start()
    const call = await client()
    const { id } = await read<Profile>(call('POST', base, { name: 'Nothing' }))
    await call('PUT', `${base}/default`, { id })
    const conversation = emulator.createConversation()
    expect(emulator.customerSends(conversation.id, file('text/plain'))).toBeDefined()
  })

  it('takes no files where the switch says that they are disabled', async () => {
    const { emulator, client } = await start()
    emulator.setSwitches({ attachments: 'disabled' })
    const { id } = emulator.createConversation()
    expect(() => emulator.customerSends(id, file('text/plain'))).toThrow('not available')
    emulator.customerSends(id, { text: 'Hello' })
    const call = await client()
    const { entities = [] } = await read<Schemas['ExpandableWebDeploymentEntityListing']>(
      call('GET', '/api/v2/webdeployments/deployments'),
    )
    const configuration = entities[0]?.configuration
    const version = `/api/v2/webdeployments/configurations/${configuration?.id}/versions/${configuration?.version}`
    expect(await read(call('GET', version))).toMatchObject({ messenger: { fileUpload: { enableAttachments: false } } })
  })

  it('cannot refer to a profile that does not exist, and is the only one', async () => {
    const { own, client } = await start()
    expect((await own('PUT', '/deployment', { supportedContentId: 'unknown' })).status).toBe(400)
    const call = await client()
    expect((await call('GET', '/api/v2/webdeployments/deployments/unknown')).status).toBe(404)
    expect((await call('GET', '/api/v2/webdeployments/configurations/unknown/versions/1')).status).toBe(404)
  })
})
