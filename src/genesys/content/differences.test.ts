import { describe, expect, it } from 'vitest'
import { differencesOf } from './differences.ts'
import type { Deployment, Profile } from './settings.ts'

const policy = { maxFileBytes: 10_485_760, allowedTypes: ['image/jpeg', 'image/png', 'application/pdf'] }

const profile = (inbound: string[]): Profile => ({ id: 'p1', name: 'Pictures', inbound, outbound: [] })
const deployment = (about: Partial<Deployment>): Deployment => ({
  id: 'd1',
  name: 'Shop',
  profileId: 'p1',
  attachments: true,
  modes: [],
  ...about,
})
const kindsOf = (inbound: string[], ours = policy) =>
  differencesOf(ours, { profiles: [profile(inbound)], deployments: [] }).map(({ kind, says }) => `${kind}: ${says}`)
const ofDeployment = (about: Partial<Deployment>, ours = policy) =>
  differencesOf(ours, { profiles: [], deployments: [deployment(about)] })

describe('types', () => {
  it('are no difference when both name the same, in any order and spelling', () => {
    expect(kindsOf(['application/pdf', 'IMAGE/PNG', 'image/jpg'])).toEqual([])
  })

  it('that only the platform takes reach the agent though we refuse them', () => {
    expect(kindsOf(['image/jpeg', 'image/png', 'application/pdf', 'image/tiff'])).toEqual([
      'only_there: Genesys Cloud lets in image/tiff, which we refuse',
    ])
  })

  it('that only we take never arrive', () => {
    expect(kindsOf(['image/jpeg', 'image/png'])).toEqual([
      'only_here: Genesys Cloud refuses application/pdf, which we take',
    ])
    expect(kindsOf([])).toHaveLength(3)
  })

  it('by wildcards are wider than any list of ours', () => {
    expect(kindsOf(['*/*'])).toEqual([
      'only_there: Genesys Cloud lets in every type, of which we take only what we name',
    ])
    expect(kindsOf(['image/*', 'application/pdf'])).toEqual([
      'only_there: Genesys Cloud lets in every type image/*, of which we take only what we name',
    ])
    expect(kindsOf(['text/*', 'image/jpeg', 'image/png'])).toHaveLength(2)
  })

  it('name the profile', () => {
    expect(differencesOf(policy, { profiles: [profile(['*/*'])], deployments: [] })[0]?.where).toBe(
      'profile "Pictures" (p1)',
    )
  })
})

describe('a deployment', () => {
  it('that says nothing of its own has the documented limit', () => {
    expect(ofDeployment({})).toEqual([])
    expect(ofDeployment({}, { ...policy, maxFileBytes: 1_000_000 })).toMatchObject([{ kind: 'larger_there' }])
    expect(ofDeployment({}, { ...policy, maxFileBytes: 20_000_000 })).toMatchObject([{ kind: 'smaller_there' }])
  })

  it('that takes no files says so, whatever else it says', () => {
    expect(ofDeployment({ attachments: false, modes: [{ types: ['image/tiff'], maxKilobytes: 1 }] })).toEqual([
      { kind: 'off_there', where: 'deployment "Shop" (d1)', says: 'it takes no files at all' },
    ])
  })

  it('of an old kind is compared by its modes, which count for no other', () => {
    const modes = [
      { types: ['image/jpeg', 'image/png'], maxKilobytes: 2000 },
      { types: ['image/gif'], maxKilobytes: 500 },
    ]
    expect(ofDeployment({ attachments: null, modes }).map(({ kind }) => kind)).toEqual([
      'only_there',
      'only_here',
      'smaller_there',
    ])
    expect(ofDeployment({ attachments: true, modes })).toEqual([])
  })

  it.each([2_000_000, 2_020_000, 2_048_000])(
    'whose kilobytes may mean %d bytes is not said to differ',
    (maxFileBytes) => {
      const modes = [{ types: policy.allowedTypes, maxKilobytes: 2000 }]
      expect(ofDeployment({ attachments: null, modes }, { ...policy, maxFileBytes })).toEqual([])
    },
  )
})
