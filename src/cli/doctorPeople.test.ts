import { describe, expect, it } from 'vitest'
import { readConfig } from '../config.ts'
import { examinePeople } from './doctorPeople.ts'

function said(env: Record<string, string>): string[] {
  const findings: string[] = []
  const named = Object.fromEntries(Object.entries(env).map(([name, value]) => [`CLIPGATE_${name}`, value]))
  examinePeople(readConfig(named).config, (_what, state, says) => void findings.push(`${state}: ${says}`))
  return findings
}

const login = {
  GENESYS_LOGIN_CLIENT_ID: 'page-client',
  GENESYS_ORGANIZATION_ID: 'organization',
  GENESYS_DOMAIN: 'mypurecloud.ie',
  PUBLIC_URL: 'https://clipgate.example.com',
}

describe('the doctor, of people who sign in', () => {
  it('has nothing to say where nobody signs in by Genesys Cloud', () => {
    expect(said({})).toEqual([])
  })

  it('tells what the client there must know, and that somebody should be an admin', () => {
    const told = said(login)
    expect(told).toEqual([
      'ok: sign in at https://login.mypurecloud.ie; there the client page-client must have the redirect address https://clipgate.example.com/sign-in',
      expect.stringMatching(/^warning: nobody is an admin by Genesys Cloud/),
    ])
    expect(said({ ...login, ADMIN_PERMISSIONS: 'quality:evaluation:add' })).toEqual([told[0]])
  })
})
