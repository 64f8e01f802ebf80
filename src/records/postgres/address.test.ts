import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../../tests/folder.ts'
import { readAddress } from './address.ts'

describe('the address of a database', () => {
  it('says where, which and who', () => {
    expect(readAddress('postgres://clip%40gate:p%2Fw@127.0.0.1:5433/files')).toEqual({
      host: '127.0.0.1',
      port: 5433,
      database: 'files',
      user: 'clip@gate',
      password: 'p/w',
      ssl: false,
    })
    expect(readAddress('postgresql://[::1]/files')).toMatchObject({ host: '::1', port: 5432, ssl: false })
    expect(readAddress('postgres://localhost/files?host=/run/postgresql')).toMatchObject({ host: '/run/postgresql' })
  })

  it.each(['', '?sslmode=require', '?sslmode=verify-ca', '?sslmode=verify-full'])(
    'means a verified server over a network: db.example.com%s',
    (query) => {
      expect(readAddress(`postgres://u@db.example.com/files${query}`).ssl).toEqual({ rejectUnauthorized: true })
    },
  )

  it('goes without TLS only where it says so, or on this machine', () => {
    expect(readAddress('postgres://u@db.example.com/files?sslmode=disable').ssl).toBe(false)
    expect(readAddress('postgres://u@localhost/files').ssl).toBe(false)
    expect(readAddress('postgres://u@localhost/files?sslmode=verify-full').ssl).toEqual({ rejectUnauthorized: true })
  })

  it('may name the certificate of its own authority', async () => {
    const path = join(await temporaryFolder(), 'ca.pem')
    await writeFile(path, 'CERTIFICATE')
    const { ssl } = readAddress(`postgres://u@db.example.com/files?sslrootcert=${path}`)
    expect(ssl).toEqual({ rejectUnauthorized: true, ca: 'CERTIFICATE' })
    expect(() => readAddress(`postgres://u@db.example.com/files?sslrootcert=${path}.none`)).toThrow('can be read')
  })

  it.each([
    ['not an address', 'files', 'such as postgres://'],
    ['another protocol', 'mysql://u@h/files', 'begins with postgres://'],
    ['no database', 'postgres://u@h', 'the name of one database'],
    ['two names', 'postgres://u@h/a/b', 'the name of one database'],
    ['no host', 'postgres:///files', 'with a host'],
    ['a mode that verifies nothing', 'postgres://u@h/files?sslmode=prefer', 'sslmode is one of'],
    ['a parameter that would be ignored', 'postgres://u@h/files?options=-cfsync=off', 'it has options'],
    ['both', 'postgres://u@h/files?sslmode=disable&sslrootcert=/x', 'not both'],
  ])('is refused with a sentence that does not repeat it: %s', (_, address, says) => {
    const told = (() => {
      try {
        readAddress(address.replace('u@', 'u:hidden-word@'))
      } catch (error) {
        return (error as Error).message
      }
      return ''
    })()
    expect(told).toContain(says)
    expect(told).not.toContain('hidden-word')
  })
})
