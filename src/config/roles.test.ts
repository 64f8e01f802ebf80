import { describe, expect, it } from 'vitest'
import { readConfig } from '../config.ts'
import { ConfigError } from '../errors.ts'

const read = (env: Record<string, string>, toServe = false) =>
  readConfig(Object.fromEntries(Object.entries(env).map(([name, value]) => [`CLIPGATE_${name}`, value])), { toServe })
function problems(env: Record<string, string>): string[] {
  try {
    read(env, true)
    return []
  } catch (error) {
    return (error as ConfigError).problems
  }
}
const database = { DATABASE_URL: 'postgres://u@db.example.com/clipgate' }

describe('the roles of a process', () => {
  it('are all, unless it says which', () => {
    expect(read({}).config.roles).toEqual(['door', 'courier', 'sweeper', 'preview'])
    expect(read({ ...database, ROLES: 'sweeper, courier' }).config.roles).toEqual(['courier', 'sweeper'])
  })

  it('are all where it is the only process: what it left nobody would do', () => {
    expect(() => read({ ROLES: 'door,preview' })).toThrow(ConfigError)
    expect(() => read({ ROLES: 'door,preview' })).toThrow('CLIPGATE_DATABASE_URL')
    expect(read({ ROLES: 'preview,sweeper,door,courier' }).config.roles).toHaveLength(4)
  })

  it('decide what it cannot be served without: a door where files come in, an engine where they are judged', () => {
    expect(problems({ ...database, ROLES: 'courier,preview' })).toEqual([])
    expect(problems({ ...database, ROLES: 'sweeper' })).toEqual([expect.stringContaining('No scan engine')])
    expect(problems({ ...database, ROLES: 'door', SCAN: 'off' })).toEqual([expect.stringContaining('No door')])
  })
})
