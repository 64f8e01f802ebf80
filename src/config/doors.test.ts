import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { prefixed, problemsOf, read } from '../../tests/fixtures/settings.ts'
import { temporaryFolder } from '../../tests/folder.ts'
import { readConfig, requireServable } from '../config.ts'
import { defaultLimits } from '../intake/inspect/limits.ts'

describe('an engine', () => {
  const engines = (env: Record<string, string>) => read(env).config.engines

  it.each([
    ['icap://av.example:1344/avscan', { host: 'av.example', port: 1344, tls: false, service: '/avscan' }],
    ['icaps://av.example/avscan', { port: 11344, tls: true }],
    ['icap://[::1]:80/avscan', { host: '::1', port: 80 }],
    [
      'icap://av.example/a/b?mode=simple&method=reqmod&preview=0',
      { service: '/a/b?mode=simple', method: 'REQMOD', preview: 0 },
    ],
    ['icap://av.example/avscan?found=X-Our-Threat,X-Other', { service: '/avscan', found: ['x-our-threat', 'x-other'] }],
  ])('by ICAP is reached as %s', (url, expected) => {
    const defaults = { port: 1344, tls: false, service: '/avscan', method: 'RESPMOD', preview: null, found: [] }
    expect(engines({ ICAP_URL: url }).icap).toEqual({ host: 'av.example', ...defaults, ...expected })
  })

  it.each([
    'http://av.example/avscan',
    'icap://av.example',
    'icap://av.example/',
    'icap:///avscan',
    'icap://user:password@av.example/avscan',
    'icap://av.example/avscan#x',
    'icap://av.example/avscan?method=options',
    'icap://av.example/avscan?preview=-1',
    'icap://av.example/avscan?found=a b',
    'icap://av.example/av scan',
  ])('by ICAP cannot be reached as %s', (url) => {
    expect(problemsOf({ ICAP_URL: url })).toEqual([
      expect.stringMatching(/^CLIPGATE_ICAP_URL must be icap:\/\/host:port/),
    ])
  })

  it('that is a program is words, or a list of them', () => {
    expect(engines({ SCAN_COMMAND: ' /bin/engine  --stdin -' }).command).toEqual(['/bin/engine', '--stdin', '-'])
    expect(engines({ SCAN_COMMAND: '["/bin/an engine", "a b"]' }).command).toEqual(['/bin/an engine', 'a b'])
    for (const bad of ['[]', '[1]', '["a"', '   '])
      expect(problemsOf({ SCAN_COMMAND: bad })).toEqual([
        'CLIPGATE_SCAN_COMMAND must be a program and its arguments, or a JSON list of them.',
      ])
  })

  it('behind HTTP is an address without credentials; its token is a secret', () => {
    const { config, secrets } = read({
      SCAN_HTTP_URL: 'https://scan.example/judge/',
      SCAN_HTTP_TOKEN: 'a-token',
    })
    expect(config.engines.http).toEqual({ url: 'https://scan.example/judge/' })
    expect(secrets.scanHttpToken).toBe('a-token')
    expect(JSON.stringify([config, secrets])).not.toContain('a-token')
    expect(problemsOf({ SCAN_HTTP_URL: 'https://user:password@scan.example/' })).toHaveLength(1)
    expect(problemsOf({ SCAN_HTTP_TOKEN: 'a-token' })).toEqual([
      'CLIPGATE_SCAN_HTTP_TOKEN needs CLIPGATE_SCAN_HTTP_URL.',
    ])
  })

  it.each(['CLAMD', 'ICAP_URL', 'SCAN_COMMAND', 'SCAN_HTTP_URL'])('%s is enough to serve', (name) => {
    const values: Record<string, string> = {
      CLAMD: 'tcp://localhost:3310',
      ICAP_URL: 'icap://localhost/avscan',
      SCAN_COMMAND: 'engine',
      SCAN_HTTP_URL: 'http://localhost/',
    }
    const env = { [`CLIPGATE_${name}`]: values[name]!, CLIPGATE_PUSH_AUTH: 'none' }
    const { config, secrets } = readConfig(env, { toServe: true })
    expect(() => requireServable(config, secrets)).not.toThrow()
    expect(() => readConfig({ CLIPGATE_PUSH_AUTH: 'none' }, { toServe: true })).toThrow('No scan engine')
  })
})

describe('the gateway', () => {
  const on = { GATEWAY_DEPLOYMENTS: '1b6f0000-0000-4000-8000-000000000001, 1b6f0000-0000-4000-8000-000000000002' }

  it('relays deployments to the region’s own hosts, or to others', () => {
    expect(
      read({ ...on, GENESYS_DOMAIN: 'mypurecloud.ie', UPLOAD_HOSTS: 'bucket.example.com' }).config.gateway,
    ).toEqual({
      deployments: ['1b6f0000-0000-4000-8000-000000000001', '1b6f0000-0000-4000-8000-000000000002'],
      domain: 'mypurecloud.ie',
      guestUrl: 'wss://webmessaging.mypurecloud.ie/v1',
      apiUrl: 'https://api.mypurecloud.ie',
      cdnUrl: 'https://api-cdn.mypurecloud.ie',
      uploadHosts: ['bucket.example.com'],
      exemptOrigins: [],
    })
    for (const url of ['http://127.0.0.1:1', 'ws://127.0.0.1:1/', 'ws://127.0.0.1:1/v1'])
      expect(read({ ...on, GENESYS_GUEST_URL: url }).config.gateway).toMatchObject({
        guestUrl: 'ws://127.0.0.1:1/v1',
        exemptOrigins: ['http://127.0.0.1:1'],
      })
    expect(read().config.gateway).toBeNull()
  })

  it('is a door, so that it is enough to serve', () => {
    const env = prefixed({ ...on, SCAN: 'off' })
    const { config, secrets } = readConfig(env, { toServe: true })
    expect(() => requireServable(config, secrets)).not.toThrow()
  })

  it('has a policy of its own for a deployment, which must be one of its own', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'policy.json')
    const id = '1b6f0000-0000-4000-8000-000000000001'
    const own = { maxFileBytes: 5, allowedTypes: ['application/pdf'], limits: { pages: 2 } }
    await writeFile(file, JSON.stringify({ trailingData: 'refuse', limits: { frames: 9 }, deployments: { [id]: own } }))
    const { policy } = read({ ...on, POLICY_FILE: file }).config
    const limits = { ...defaultLimits, frames: 9, pages: 2 }
    expect(policy.deployments).toEqual({
      [id]: { maxFileBytes: 5, allowedTypes: ['application/pdf'], strictness: { limits, trailingData: 'refuse' } },
    })
    expect(problemsOf({ POLICY_FILE: file })).toEqual([expect.stringContaining(`deployments has ${id}`)])
    await writeFile(file, JSON.stringify({ deployments: { [id]: { keep: 'original' }, 'a b': {} } }))
    expect(problemsOf({ ...on, POLICY_FILE: file })).toHaveLength(2)
  })
})
