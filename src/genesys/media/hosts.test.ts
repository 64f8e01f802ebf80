import { describe, expect, it } from 'vitest'
import { MediaForbidden } from './errors.ts'
import { mediaHosts } from './hosts.ts'

const hosts = mediaHosts({
  domain: 'mypurecloud.ie',
  apiUrl: 'https://api.mypurecloud.ie',
  loginUrl: 'https://login.mypurecloud.ie',
  exemptOrigins: ['http://127.0.0.1:8090'],
  further: ['Files.example.com', '*.cdn.example.com'],
})

describe('a file’s address', () => {
  it.each([
    ['https://api.mypurecloud.ie/api/v2/downloads/1', true],
    ['https://api-downloads.mypurecloud.ie/MediaCache/1', true],
    ['https://apps.mypurecloud.ie/platform/api/v2/downloads/1', true],
    ['https://API.MyPureCloud.ie/1', true],
    ['https://other.mypurecloud.ie/1', false],
    ['https://api.euw1.pure.cloud/1', false],
    ['https://shyrka-prod-euw1.s3.eu-west-1.amazonaws.com/1?X=1', false],
    ['https://files.example.com/1', false],
    ['https://a.b.cdn.example.com/1', false],
    ['https://api.mypurecloud.ie:443/1', true],
  ])('%s may be asked; with the token: %s', (url, own) =>
    expect(hosts.check(new URL(url))).toEqual({ exempt: false, own }),
  )

  it.each([
    ['http://api.mypurecloud.ie/1', 'no https'],
    ['ftp://api.mypurecloud.ie/1', 'no https'],
    ['file:///etc/passwd', 'a file'],
    ['data:text/plain,hello', 'data'],
    ['https://mypurecloud.ie/1', 'the bare domain'],
    ['https://api.mypurecloud.ie.example.com/1', 'another domain behind ours'],
    ['https://apimypurecloud.ie/1', 'a domain that ends like ours'],
    ['https://api.mypurecloud.ie./1', 'a dot at the end'],
    ['https://api.mypurecloud.ie:8443/1', 'another port'],
    ['https://me:secret@api.mypurecloud.ie/1', 'credentials'],
    ['https://api.mypurecloud.ie@evil.example/1', 'ours as a user'],
    ['https://evil.example\\@api.mypurecloud.ie/1', 'a backslash'],
    ['https://cdn.example.com/1', 'the name itself under *.'],
    ['https://other-bucket.s3.eu-west-1.amazonaws.com/1', 'another bucket'],
    ['https://127.0.0.1/1', 'an address'],
    ['https://2130706433/1', 'an address as a number'],
    ['https://0x7f.1/1', 'an address in hex'],
    ['https://0177.0.0.1/1', 'an address in octal'],
    ['https://[::1]/1', 'an address of IPv6'],
    ['https://[::ffff:127.0.0.1]/1', 'a mapped address'],
    ['https://localhost/1', 'localhost'],
    ['http://127.0.0.1:8091/1', 'another port than the exempt one'],
    ['https://127.0.0.1:8090/1', 'another scheme than the exempt one'],
    ['http://user@127.0.0.1:8090/1', 'credentials at the exempt one'],
  ])('%s may not be asked (%s)', (url) => expect(() => hosts.check(new URL(url))).toThrow(MediaForbidden))

  it('of an exempt origin may be asked in the clear, and gets the token only when it is the API’s', () => {
    expect(hosts.check(new URL('http://127.0.0.1:8090/x'))).toEqual({ exempt: true, own: false })
    const emulated = mediaHosts({
      domain: 'mypurecloud.com',
      apiUrl: 'http://127.0.0.1:8090',
      loginUrl: 'http://127.0.0.1:8090',
      exemptOrigins: ['http://127.0.0.1:8090'],
      further: [],
    })
    expect(emulated.check(new URL('http://127.0.0.1:8090/x'))).toEqual({ exempt: true, own: true })
    expect(emulated.isLogin(new URL('http://127.0.0.1:8090/oauth/authorize'))).toBe(true)
    expect(emulated.isLogin(new URL('http://127.0.0.1:8090/api/v2/downloads/1'))).toBe(false)
  })

  it('is the log-in when it is on its host', () => {
    expect(hosts.isLogin(new URL('https://login.mypurecloud.ie/'))).toBe(true)
    expect(hosts.isLogin(new URL('https://apps.mypurecloud.ie/'))).toBe(false)
  })
})
