import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type Env, prefixed, problemsOf, read } from '../tests/fixtures/settings.ts'
import { temporaryFolder } from '../tests/folder.ts'
import { isLoopback } from './config/rules.ts'
import { type Config, readConfig, requireServable } from './config.ts'
import { ConfigError } from './errors.ts'
import { defaultLimits } from './intake/inspect/limits.ts'

const secret = 'a-secret-that-nobody-may-see'
const other = 'another-secret-that-nobody-may-see'

const pathOfKeys = ({ masterKeys }: Config) => masterKeys.from === 'file' && masterKeys.path

describe('without any setting', () => {
  it('everything has its default', () => {
    expect(readConfig({ HOME: '/root', PORT: '99', CLIPGATE: 'x' }).config).toEqual({
      http: {
        host: '127.0.0.1',
        port: 8080,
        publicUrl: 'http://127.0.0.1:8080',
        filesUrl: null,
        trustedProxies: [],
        docs: 'open',
        frameAncestors: ['https://apps.mypurecloud.com'],
        stopDelayMs: 0,
      },
      roles: ['door', 'courier', 'sweeper', 'preview'],
      dataDir: resolve('data'),
      database: 'sqlite',
      storage: { kind: 'fs' },
      masterKeys: { from: 'file', path: resolve('data/keys/master.key'), kms: null },
      migrate: 'auto',
      push: { auth: 'keys', maxUploads: 256, corsOrigins: [], ratePerMinute: null },
      quota: { filesPerDay: null, bytesPerDay: null },
      policy: {
        maxFileBytes: 10_485_760,
        allowedTypes: ['image/jpeg', 'image/png', 'image/gif', 'application/pdf', 'text/plain'],
        strictness: { limits: defaultLimits, trailingData: 'refuse' },
        keep: 'original',
        quarantine: { codes: [], engineDown: false, days: 30, secondPerson: false },
        agentFiles: 'ignore',
        rescanDays: 7,
        reuseVerdictHours: 24,
        deployments: {},
      },
      scan: 'required',
      engines: { clamd: null, icap: null, command: null, http: null },
      genesys: null,
      people: { login: null, originals: 'admins', sessionMs: 28_800_000 },
      pull: { queues: [], downloadHosts: [] },
      gateway: null,
      alert: null,
      confirm: { ways: ['message', 'attributes'], language: 'en', textsDir: null },
      retentionDays: null,
      scrubDays: 30,
      logLevel: 'info',
    } satisfies Config)
  })

  it('and an empty one counts as none', () => {
    const empty = {
      PORT: '',
      API_KEYS: '',
      ALLOWED_TYPES: '',
      SCAN: '',
      NO_SUCH_SETTING: '',
      GENESYS_CLIENT_SECRET: '',
    }
    expect(read(empty).config).toEqual(read().config)
  })
})

describe('a good setting', () => {
  const good: [string, string, (config: Config) => unknown, unknown][] = [
    [
      'HOST',
      '0.0.0.0',
      ({ http }) => http,
      {
        host: '0.0.0.0',
        port: 8080,
        publicUrl: 'http://0.0.0.0:8080',
        filesUrl: null,
        trustedProxies: [],
        docs: 'read',
        frameAncestors: ['https://apps.mypurecloud.com'],
        stopDelayMs: 0,
      },
    ],
    ['HOST', '::1', ({ http }) => http.publicUrl, 'http://[::1]:8080'],
    ['PORT', '0', ({ http }) => http.port, 0],
    ['PORT', '65535', ({ http }) => http.port, 65_535],
    ['PUBLIC_URL', 'https://files.example.com/', ({ http }) => http.publicUrl, 'https://files.example.com'],
    ['PUBLIC_URL', 'https://example.com/clipgate//', ({ http }) => http.publicUrl, 'https://example.com/clipgate'],
    ['FILES_URL', 'https://files.example.com/', ({ http }) => http.filesUrl, 'https://files.example.com'],
    ['FILES_URL', 'http://127.0.0.1:8080/of-files', ({ http }) => http.filesUrl, 'http://127.0.0.1:8080/of-files'],
    ['DATA_DIR', '/var/lib/clipgate', pathOfKeys, '/var/lib/clipgate/keys/master.key'],
    ['DATA_DIR', 'here', ({ dataDir }) => dataDir, resolve('here')],
    ['MASTER_KEY_FILE', '/run/secrets/key', pathOfKeys, '/run/secrets/key'],
    [
      'MASTER_KEY_KMS',
      'alias/clipgate',
      ({ masterKeys }) => masterKeys.from === 'file' && masterKeys.kms,
      'alias/clipgate',
    ],
    [
      'MASTER_KEY_COMMAND',
      '/bin/vault read -',
      ({ masterKeys }) => masterKeys,
      { from: 'command', command: ['/bin/vault', 'read', '-'] },
    ],
    ['PUSH_AUTH', 'none', ({ push }) => push.auth, 'none'],
    [
      'ALLOWED_TYPES',
      ' image/PNG ,, application/pdf,',
      ({ policy }) => policy.allowedTypes,
      ['image/png', 'application/pdf'],
    ],
    ['ALLOWED_TYPES', 'image/jpg,image/jpeg', ({ policy }) => policy.allowedTypes, ['image/jpeg']],
    ['MAX_FILE_BYTES', '1', ({ policy }) => policy.maxFileBytes, 1],
    ['MAX_FILE_BYTES', '1099511627776', ({ policy }) => policy.maxFileBytes, 2 ** 40],
    ['MAX_UPLOADS', '10000', ({ push }) => push.maxUploads, 10_000],
    ['RATE_LIMIT', '60', ({ push }) => push.ratePerMinute, 60],
    ['QUOTA_FILES_PER_CONVERSATION_DAY', '5', ({ quota }) => quota.filesPerDay, 5],
    ['QUOTA_BYTES_PER_CONVERSATION_DAY', '5000', ({ quota }) => quota.bytesPerDay, 5000],
    ['TRUSTED_PROXIES', '10.0.0.0/8, ::1', ({ http }) => http.trustedProxies.join(), '10.0.0.0/8,::1'],
    ['CORS_ORIGINS', 'https://a.example', ({ push }) => push.corsOrigins.join(), 'https://a.example'],
    [
      'FRAME_ANCESTORS',
      'https://apps.mypurecloud.ie, https://*.example.com',
      ({ http }) => http.frameAncestors.join(' '),
      'https://apps.mypurecloud.ie https://*.example.com',
    ],
    ['SCAN', 'off', ({ scan }) => scan, 'off'],
    ['CLAMD', 'unix:/run/clamav/clamd.ctl', ({ engines }) => engines.clamd, { path: '/run/clamav/clamd.ctl' }],
    ['CLAMD', 'tcp://scan.example:3310', ({ engines }) => engines.clamd, { host: 'scan.example', port: 3310 }],
    ['CLAMD', 'tcp://[::1]:3310', ({ engines }) => engines.clamd, { host: '::1', port: 3310 }],
    ['CONFIRM', 'off', ({ confirm }) => confirm.ways, []],
    ['CONFIRM', 'attributes, message, attributes', ({ confirm }) => confirm.ways, ['attributes', 'message']],
    ['LANGUAGE', 'pt-BR', ({ confirm }) => confirm.language, 'pt-BR'],
    ['TEXTS_DIR', '/etc/texts', ({ confirm }) => confirm.textsDir, '/etc/texts'],
    ['RETENTION_DAYS', '30', ({ retentionDays }) => retentionDays, 30],
    ['SCRUB_DAYS', '7', ({ scrubDays }) => scrubDays, 7],
    ['SCRUB_DAYS', 'off', ({ scrubDays }) => scrubDays, null],
    ['DOCS', 'read', ({ http }) => http.docs, 'read'],
    [
      'STORAGE_URL',
      's3://files/clipgate?region=eu-central-1',
      ({ storage }) => storage,
      {
        kind: 's3',
        bucket: 'files',
        prefix: 'clipgate/',
        endpoint: null,
        region: 'eu-central-1',
        forcePathStyle: false,
        encryption: null,
        objectLock: null,
      },
    ],
    ['LOG_LEVEL', 'debug', ({ logLevel }) => logLevel, 'debug'],
    [
      'DOWNLOAD_HOSTS',
      'files.example.com, *.cdn.example.com',
      ({ pull }) => pull.downloadHosts,
      ['files.example.com', '*.cdn.example.com'],
    ],
    ['MIGRATE', 'off', ({ migrate }) => migrate, 'off'],
    ['ROLES', 'all', ({ roles }) => roles, ['door', 'courier', 'sweeper', 'preview']],
    ['STOP_DELAY_SECONDS', '5', ({ http }) => http.stopDelayMs, 5000],
  ]
  it.each(good)('is taken: %s=%s', (name, value, of, expected) => {
    expect(of(read({ [name]: value }).config)).toEqual(expected)
  })

  it('of Genesys makes its addresses from the domain, unless they are given', () => {
    const credentials = { GENESYS_CLIENT_ID: 'id', GENESYS_CLIENT_SECRET: secret }
    const { config, secrets } = read({ ...credentials, GENESYS_DOMAIN: 'mypurecloud.ie' })
    expect(config.genesys).toEqual({
      clientId: 'id',
      loginUrl: 'https://login.mypurecloud.ie',
      apiUrl: 'https://api.mypurecloud.ie',
      domain: 'mypurecloud.ie',
      exemptOrigins: [],
      requestsPerMinute: 270,
      user: null,
    })
    expect(secrets.genesysClientSecret).toBe(secret)
    const here = 'http://127.0.0.1:8090'
    const overridden = read({
      ...credentials,
      GENESYS_LOGIN_URL: here,
      GENESYS_API_URL: `${here}/`,
      GENESYS_REQUESTS_PER_MINUTE: '9',
    })
    expect(overridden.config.genesys).toMatchObject({
      loginUrl: here,
      apiUrl: here,
      requestsPerMinute: 9,
      exemptOrigins: [here],
    })
  })

  it('of alerts is a webhook with its secret, and what it is told of', () => {
    const hook = { ALERT_WEBHOOK: 'https://crm.example.com/hook/?a=1', ALERT_WEBHOOK_SECRET: secret }
    expect(read(hook).config.alert).toEqual({ webhook: hook.ALERT_WEBHOOK, on: ['refused', 'recalled'] })
    expect(read(hook).secrets.alertWebhookSecret).toBe(secret)
    expect(read({ ...hook, ALERT_ON: 'accepted,refused' }).config.alert?.on).toEqual(['accepted', 'refused'])
    expect(problemsOf({ ALERT_WEBHOOK: hook.ALERT_WEBHOOK })).toEqual([expect.stringContaining('belong together')])
  })

  it('of people who sign in by Genesys Cloud is a client, whose users are let in, and who of them is an admin', () => {
    const login = { GENESYS_LOGIN_CLIENT_ID: 'page', GENESYS_ORGANIZATION_ID: 'a001' }
    const { config, secrets } = read({
      ...login,
      GENESYS_LOGIN_CLIENT_SECRET: secret,
      GENESYS_DOMAIN: 'mypurecloud.ie',
      ADMIN_PERMISSIONS: 'quality:evaluation:add, admin:all',
      ORIGINALS: 'everyone',
      SESSION_MINUTES: '30',
    })
    expect(config.people).toEqual({
      login: {
        clientId: 'page',
        organizationId: 'a001',
        adminPermissions: ['quality:evaluation:add', 'admin:all'],
        loginUrl: 'https://login.mypurecloud.ie',
        apiUrl: 'https://api.mypurecloud.ie',
      },
      originals: 'everyone',
      sessionMs: 1_800_000,
    })
    expect(secrets.genesysLoginClientSecret).toBe(secret)
    expect(problemsOf({ GENESYS_LOGIN_CLIENT_ID: 'page' })).toEqual([expect.stringContaining('belong together')])
    expect(problemsOf({ GENESYS_ORGANIZATION_ID: 'a001' })).toEqual([expect.stringContaining('belong together')])
    for (const name of ['GENESYS_LOGIN_CLIENT_SECRET', 'ADMIN_PERMISSIONS'])
      expect(problemsOf({ [name]: 'a:b:c' })).toEqual([`CLIPGATE_${name} needs CLIPGATE_GENESYS_LOGIN_CLIENT_ID.`])
  })

  it('of people who sign in by Genesys Cloud needs an address at which a cookie is safe', () => {
    const login = { GENESYS_LOGIN_CLIENT_ID: 'page', GENESYS_ORGANIZATION_ID: 'a001' }
    const safe = [
      {},
      { HOST: '::1' },
      { HOST: '0.0.0.0', PUBLIC_URL: 'https://files.example.com' },
      { HOST: '0.0.0.0', PUBLIC_URL: 'http://localhost:8080' },
      { PUBLIC_URL: 'http://[::1]:8080' },
    ]
    for (const env of safe) expect(problemsOf({ ...login, ...env })).toEqual([])
    for (const env of [{ HOST: '0.0.0.0' }, { PUBLIC_URL: 'http://files.example.com' }, { HOST: '::' }])
      expect(problemsOf({ ...login, ...env })).toEqual([expect.stringContaining('PUBLIC_URL to begin with https://')])
  })

  it('cannot be changed afterwards, at any depth', () => {
    const { config } = read()
    expect(() => Object.assign(config, { scan: 'off' })).toThrow(TypeError)
    expect(() => Object.assign(config.policy, { maxFileBytes: 1 })).toThrow(TypeError)
    expect(() => config.policy.allowedTypes.push('text/html')).toThrow(TypeError)
  })
})

describe('a bad setting is refused, and told what it must be', () => {
  const bad: [string, string, string][] = [
    ['PORT', '65536', 'a whole number from 0 to 65535'],
    ['PORT', '-1', 'a whole number'],
    ['PORT', '80.5', 'a whole number'],
    ['PORT', '0x50', 'a whole number'],
    ['PORT', '1e3', 'a whole number'],
    ['PORT', ' 80', 'a whole number'],
    ['PUBLIC_URL', 'files.example.com', 'an address that begins with http:// or https://'],
    ['PUBLIC_URL', 'ftp://example.com', 'an address that begins'],
    ['PUBLIC_URL', 'javascript:alert(1)', 'an address that begins'],
    ['FILES_URL', 'files.example.com', 'an address that begins'],
    ['FILES_URL', 'https://files.example.com/v1', 'begins like none of ours'],
    ['FILES_URL', 'https://files.example.com/Console/files', 'begins like none of ours'],
    ['FILES_URL', 'https://files.example.com/a?b=c', 'whose path, if it has one, is plain'],
    ['FILES_URL', 'https://files.example.com/:secret', 'whose path, if it has one, is plain'],
    ['FILES_URL', 'https://user@files.example.com', 'whose path, if it has one, is plain'],
    ['FILES_URL', 'http://127.0.0.1:8080', 'on another host than CLIPGATE_PUBLIC_URL, or have a path'],
    ['MAX_FILE_BYTES', '0', 'a whole number from 1'],
    ['MAX_FILE_BYTES', '10MB', 'a whole number'],
    ['MAX_FILE_BYTES', '9'.repeat(40), 'a whole number'],
    ['MAX_UPLOADS', '10001', 'a whole number from 1 to 10000'],
    ['ALLOWED_TYPES', 'jpeg', 'MIME types such as image/jpeg'],
    ['ALLOWED_TYPES', 'image/*', 'MIME types such as image/jpeg'],
    ['ALLOWED_TYPES', ',', 'at least one MIME type'],
    ['SCAN', 'on', 'one of required, off'],
    ['PUSH_AUTH', 'NONE', 'one of none'],
    ['GENESYS_DOMAIN', 'https://mypurecloud.ie', "a region's domain such as mypurecloud.ie"],
    ['GENESYS_DOMAIN', 'localhost', "a region's domain"],
    ['GENESYS_LOGIN_URL', 'login.mypurecloud.com', 'an address that begins'],
    ['GENESYS_API_URL', 'api', 'an address that begins'],
    ['GENESYS_REQUESTS_PER_MINUTE', '0', 'a whole number from 1'],
    ['DOWNLOAD_HOSTS', 'https://files.example.com', 'host names such as'],
    ['DOWNLOAD_HOSTS', '10.0.0.1', 'host names such as'],
    ['DOWNLOAD_HOSTS', '*', 'host names such as'],
    ['DOWNLOAD_HOSTS', '*.com.', 'host names such as'],
    ['DOWNLOAD_HOSTS', 'files.example.com:8443', 'host names such as'],
    ['ALERT_ON', 'everything', 'out of refused, accepted, unfetched'],
    ['PULL_QUEUES', 'sales/one', 'ids of the platform'],
    ['ADMIN_PERMISSIONS', 'admins only', 'permissions such as quality:evaluation:add'],
    ['ORIGINALS', 'nobody', 'one of admins, everyone'],
    ['SESSION_MINUTES', '4', 'a whole number from 5 to 10080'],
    ['CLAMD', '/run/clamav/clamd.ctl', 'unix:/path or tcp://host:port'],
    ['CLAMD', 'tcp://scan.example', 'unix:/path or tcp://host:port'],
    ['CLAMD', 'tcp://user@scan.example:3310', 'unix:/path or tcp://host:port'],
    ['CONFIRM', 'email', 'off, or ways out of message, agentless, attributes'],
    ['CONFIRM', 'off,message', 'off, or ways out of'],
    ['CONFIRM', ',', 'off, or ways out of'],
    ['LANGUAGE', 'English', 'a language such as en or pt-BR'],
    ['LANGUAGE', '../../etc', 'a language'],
    ['RETENTION_DAYS', '0', 'a whole number from 1'],
    ['SCRUB_DAYS', '0', 'a whole number from 1 to 3650, or off'],
    ['SCRUB_DAYS', 'never', 'a whole number, or off'],
    ['DOCS', 'closed', 'one of open, read'],
    [
      'FRAME_ANCESTORS',
      "https://a.example; script-src 'unsafe-inline'",
      'origins such as https://apps.mypurecloud.com or https://*.example.com, separated by commas',
    ],
    ['LOG_LEVEL', 'verbose', 'one of'],
    ['MIGRATE', 'on', 'one of auto, off'],
    ['ROLES', 'courier,cook', 'all, or out of door, courier, sweeper, preview'],
    ['STOP_DELAY_SECONDS', '301', 'a whole number from 0 to 300'],
  ]
  it.each(bad)('%s=%s', (name, value, must) => {
    const problems = problemsOf({ [name]: value })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(`CLIPGATE_${name} must be`)
    expect(problems[0]).toContain(must)
  })

  it('all of them at once, with those that contradict each other and those that do not exist', () => {
    const problems = problemsOf({
      PORT: 'x',
      SCAN: 'x',
      NO_SUCH: 'x',
      PUSH_AUTH: 'none',
      HOST: '0.0.0.0',
      GENESYS_CLIENT_ID: 'id',
      API_KEYS: 'a',
    })
    const told = [
      'CLIPGATE_PORT',
      'CLIPGATE_SCAN',
      'CLIPGATE_NO_SUCH',
      'CLIPGATE_PUSH_AUTH=none',
      'CLIPGATE_GENESYS_CLIENT_SECRET',
      'CLIPGATE_API_KEYS',
    ]
    for (const name of told) expect(problems.filter((problem) => problem.includes(name))).toHaveLength(1)
    expect(problems).toHaveLength(6)
    expect(() => read({ PORT: 'x', SCAN: 'x' })).toThrow(/CLIPGATE_PORT.*\n.*CLIPGATE_SCAN/)
  })
})

describe('an unknown setting', () => {
  it.each([
    ['ALOWED_TYPES', 'ALLOWED_TYPES'],
    ['MAX_FILE_SIZE_BYTES', 'MAX_FILE_BYTES'],
    ['API_KEY', 'API_KEYS'],
    ['port', 'PORT'],
    ['API_KEY_FILE', 'API_KEYS_FILE'],
    ['GENESYS_CLIENTSECRET', 'GENESYS_CLIENT_SECRET'],
    ['SCAN_FILE', 'SCAN'],
  ])('%s is refused, and %s suggested', (name, nearest) => {
    expect(problemsOf({ [name]: 'x' })).toEqual([
      `CLIPGATE_${name} is not a setting. Did you mean CLIPGATE_${nearest}?`,
    ])
  })

  it('that Kubernetes set for a Service of our name is none of ours', () => {
    const injected = {
      SERVICE_HOST: '10.0.0.1',
      SERVICE_PORT: '8080',
      SERVICE_PORT_HTTP: '8080',
      PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      PORT_8080_TCP_ADDR: '10.0.0.1',
      PORT_8080_TCP_PROTO: 'tcp',
      EMULATOR_SERVICE_HOST: '10.0.0.2',
      EMULATOR_PORT_8090_TCP_PORT: '8090',
    }
    expect(read(injected).config).toEqual(read().config)
    const [problem] = problemsOf({ ...injected, PORT: 'tcp://10.0.0.1:8080' })
    expect(problem).toContain('enableServiceLinks: false')
  })
})

describe('API keys', () => {
  it('have a name, scopes and a secret, which is not kept', () => {
    const { secrets } = read({ API_KEYS: `web.shop:push:${secret}, admin_1:read+admin:${other}` })
    expect(secrets.apiKeys.map(({ name, scopes }) => ({ name, scopes }))).toEqual([
      { name: 'web.shop', scopes: ['push'] },
      { name: 'admin_1', scopes: ['read', 'admin'] },
    ])
    expect(inspect(secrets.apiKeys, { depth: 9 })).not.toContain(secret)
  })

  it.each([
    ['a secret alone', secret],
    ['no scopes', `name:${secret}`],
    ['parts in another order', `${secret}:push:name`],
    ['a part too many', `name:push:${secret}:x`],
    ['an unknown scope', `name:push+write:${secret}`],
    ['an empty scope', `name::${secret}`],
    ['a short secret', 'name:push:0123456789012345678'],
    ['a secret with other characters', `name:push:${secret}!`],
    ['a name with other characters', `my key:push:${secret}`],
    ['a name of 65 characters', `${'n'.repeat(65)}:push:${secret}`],
    ['a name that means something in the audit trail', `sweep:push:${secret}`],
    ['a name twice', `name:push:${secret},name:read:${other}`],
    ['a secret twice', `one:push:${secret},two:admin:${secret}`],
  ])('are refused for %s, and no secret is told', (_, value) => {
    const problems = problemsOf({ API_KEYS: value })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(/^CLIPGATE_API_KEYS key [12]: .*\.$/)
    for (const part of [secret, other, '0123456789012345678']) expect(problems[0]).not.toContain(part)
  })
})

describe('a secret', () => {
  it('may come from a file, whose last line break does not count', async () => {
    const folder = await temporaryFolder()
    for (const [name, end] of [
      ['unix', '\n'],
      ['windows', '\r\n'],
      ['none', ''],
    ] as const) {
      await writeFile(join(folder, name), `${secret}${end}`)
      const { secrets } = read({ GENESYS_CLIENT_ID: 'id', GENESYS_CLIENT_SECRET_FILE: join(folder, name) })
      expect(secrets.genesysClientSecret).toBe(secret)
    }
    await writeFile(join(folder, 'keys'), `a:push:${secret},b:read:${other}\n`)
    expect(read({ API_KEYS_FILE: join(folder, 'keys') }).secrets.apiKeys).toHaveLength(2)
  })

  it('cannot come from both, nor from a file that cannot be read or is empty', async () => {
    const folder = await temporaryFolder()
    const both = problemsOf({ API_KEYS: `a:push:${secret}`, API_KEYS_FILE: join(folder, 'keys') })
    expect(both).toEqual(['CLIPGATE_API_KEYS and CLIPGATE_API_KEYS_FILE are both set. Keep one.'])
    expect(problemsOf({ API_KEYS_FILE: join(folder, 'none') })[0]).toContain('CLIPGATE_API_KEYS_FILE cannot be read')
    await writeFile(join(folder, 'empty'), '\n')
    expect(problemsOf({ GENESYS_CLIENT_ID: 'id', GENESYS_CLIENT_SECRET_FILE: join(folder, 'empty') })).toEqual([
      'CLIPGATE_GENESYS_CLIENT_SECRET_FILE names a file that is empty.',
    ])
  })

  it('is in nothing that is printed of the configuration', () => {
    const { config, secrets } = read({
      API_KEYS: `name:push:${secret}`,
      GENESYS_CLIENT_ID: 'id',
      GENESYS_CLIENT_SECRET: other,
    })
    for (const printed of [
      JSON.stringify({ config, secrets }),
      inspect({ config, secrets }, { depth: 9, showHidden: true }),
      `${config} ${secrets}`,
    ]) {
      expect(printed).not.toContain(secret)
      expect(printed).not.toContain(other)
    }
  })

  it('of Genesys belongs to an id, and an id to a secret', () => {
    expect(problemsOf({ GENESYS_CLIENT_ID: 'id' })[0]).toContain('belong together')
    expect(problemsOf({ GENESYS_CLIENT_SECRET: secret })[0]).toContain('belong together')
  })
})

describe('master keys', () => {
  const text = `mk_0123456789abcdef ${secret}`

  it('may stand in the environment, as a secret', () => {
    const { config, secrets } = read({ MASTER_KEY: text })
    expect([config.masterKeys, secrets.masterKey]).toEqual([{ from: 'environment' }, text])
    expect(JSON.stringify([config, secrets]) + inspect(secrets)).not.toContain(secret)
  })

  it.each([
    [{ MASTER_KEY: text, MASTER_KEY_FILE: '/k' }, 'CLIPGATE_MASTER_KEY_FILE and CLIPGATE_MASTER_KEY are both set'],
    [
      { MASTER_KEY: text, MASTER_KEY_COMMAND: '/k' },
      'CLIPGATE_MASTER_KEY and CLIPGATE_MASTER_KEY_COMMAND are both set',
    ],
    [{ MASTER_KEY: text, MASTER_KEY_COMMAND: '/k', MASTER_KEY_FILE: '/k' }, 'are all set'],
    [
      { MASTER_KEY: text, MASTER_KEY_KMS: 'id' },
      'CLIPGATE_MASTER_KEY_KMS is for a key file, and CLIPGATE_MASTER_KEY is',
    ],
    [{ MASTER_KEY_COMMAND: '/k', MASTER_KEY_KMS: 'id' }, 'CLIPGATE_MASTER_KEY_KMS is for a key file'],
    [{ MASTER_KEY_COMMAND: '[]' }, 'CLIPGATE_MASTER_KEY_COMMAND must be a program and its arguments'],
    [{ MASTER_KEY_KMS: 'a b' }, 'CLIPGATE_MASTER_KEY_KMS must be the id, the ARN or the alias'],
  ] as [Env, string][])('come from one place: %j', (env, says) => {
    const problems = problemsOf(env)
    expect(problems).toEqual([expect.stringContaining(says)])
    expect(problems[0]).not.toContain(secret)
  })
})

describe('the push door without credentials', () => {
  it.each(['127.0.0.1', '127.1.2.3', 'localhost', '::1'])('may be opened on %s', (host) => {
    expect(isLoopback(host)).toBe(true)
    expect(read({ PUSH_AUTH: 'none', HOST: host }).config.push.auth).toBe('none')
  })

  it.each(['0.0.0.0', '::', '10.0.0.1', '127.example.com', 'localhost.example.com', '128.0.0.1', '::ffff:127.0.0.1'])(
    'may not be opened on %s',
    (host) => {
      expect(problemsOf({ PUSH_AUTH: 'none', HOST: host })[0]).toContain('must be a loopback address')
    },
  )
})

describe('to serve', () => {
  const servable = (env: Env) => {
    const { config, secrets } = read(env)
    requireServable(config, secrets)
  }

  it('a door and a decision on scanning are needed; both are told at once', () => {
    expect(() => servable({})).toThrow(ConfigError)
    expect(() => servable({})).toThrow(/No door is configured.*\n.*CLIPGATE_SCAN/s)
  })

  it('what is missing is told beside what is malformed, but not of a setting that is malformed itself', () => {
    const problemsToServe = (env: Env) => {
      try {
        readConfig(prefixed(env), { toServe: true })
      } catch (error) {
        return (error as ConfigError).problems.map((problem) => problem.slice(0, 26))
      }
      return []
    }
    expect(problemsToServe({ PORT: 'x' })).toEqual([
      'CLIPGATE_PORT must be a wh',
      'No door is configured. Set',
      'No scan engine is configur',
    ])
    expect(problemsToServe({ API_KEYS: 'x', SCAN: 'maybe' })).toEqual([
      expect.stringContaining('CLIPGATE_API_KEYS'),
      expect.stringContaining('CLIPGATE_SCAN'),
    ])
  })

  it('without an engine is refused with both ways out', () => {
    expect(() => servable({ API_KEYS: `a:push:${secret}` })).toThrow(
      /Two ways out: configure an engine .*CLIPGATE_CLAMD.*CLIPGATE_SCAN=off/s,
    )
  })

  it('a key that may not push is no door', () => {
    expect(() => servable({ SCAN: 'off', API_KEYS: `a:read+admin:${secret}` })).toThrow('No door is configured')
  })

  it('pulling is a door when the platform can be asked, and somebody may ask for it or queues are named', () => {
    const genesys = { SCAN: 'off', GENESYS_CLIENT_ID: 'id', GENESYS_CLIENT_SECRET: secret }
    servable({ ...genesys, API_KEYS: `a:pull:${secret}` })
    servable({ ...genesys, PULL_QUEUES: '00000000-0000-4000-8000-00000000c001' })
    expect(() => servable({ SCAN: 'off', API_KEYS: `a:pull:${secret}` })).toThrow('No door is configured')
    expect(problemsOf({ PULL_QUEUES: 'q' })).toEqual([expect.stringContaining('PULL_QUEUES needs CLIPGATE_GENESYS')])
  })

  it('a key that may push, or an open door on a loopback host, is enough', () => {
    servable({ SCAN: 'off', API_KEYS: `a:push:${secret}` })
    servable({ SCAN: 'off', PUSH_AUTH: 'none' })
  })
})
