import { randomUUID } from 'node:crypto'

/** Which types of files may come in and go out. Types are RFC 2046 names, `image/*`, or every type. */
export interface Profile {
  id: string
  name: string
  inbound: string[]
  outbound: string[]
  version: number
  dateCreated: Date
  dateModified: Date
}

export type ProfileContent = Pick<Profile, 'name' | 'inbound' | 'outbound'>

/** The organization's supported content profiles. */
export interface Profiles {
  list(): Profile[]
  find(id: string): Profile | undefined
  create(content: ProfileContent): Profile
  change(profile: Profile, changes: Partial<ProfileContent>): void
  /** The caller knows that neither the default nor the deployment needs it. */
  remove(profile: Profile): void
  byDefault(): Profile
  /** For what is made afterwards; the deployment keeps its own. */
  makeDefault(profile: Profile): void
  /** The one to which the deployment refers. */
  ofDeployment(): Profile
  refer(profile: Profile): void
}

/** The id of the built-in one, to which the deployment refers at first. */
const builtInId = 'webMessagingDefault'

export function createProfiles(now: () => Date): Profiles {
  const make = (id: string, content: ProfileContent): Profile => {
    return { id, ...content, version: 1, dateCreated: now(), dateModified: now() }
  }
  const builtIn = make(builtInId, {
    name: 'Default',
    inbound: ['*/*'],
    outbound: ['image/png', 'image/jpeg', 'image/gif'],
  })
  const profiles = new Map([[builtIn.id, builtIn]])
  let standard = builtIn
  let inDeployment = builtIn
  return {
    list: () => [...profiles.values()],
    find: (id) => profiles.get(id),
    create(content) {
      const profile = make(randomUUID(), content)
      profiles.set(profile.id, profile)
      return profile
    },
    change(profile, changes) {
      Object.assign(profile, changes, { version: profile.version + 1, dateModified: now() })
    },
    remove(profile) {
      profiles.delete(profile.id)
    },
    byDefault: () => standard,
    makeDefault(profile) {
      standard = profile
    },
    ofDeployment: () => inDeployment,
    refer(profile) {
      inDeployment = profile
    },
  }
}

/** An empty list allows nothing. */
export function allows(types: string[], mime: string): boolean {
  const type = mime.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return types.some((allowed) => {
    const [family, name] = allowed.toLowerCase().split('/')
    if (family === '*') return true
    return name === '*' ? type.startsWith(`${family}/`) : type === allowed.toLowerCase()
  })
}
