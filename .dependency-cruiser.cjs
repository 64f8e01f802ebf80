// Imports run downward only: doors → intake → what it leans on → attachment.ts, errors.ts. A circle means that an idea
// still wants its own file. Tests may import anything.
const leaf = '^src/(attachment|errors|clock|durable|thread|loop|program|remembered|strictJson)\\.ts$'

/** What each folder may import from src/, beside itself and the leaves. */
const mayImport = {
  seal: [],
  keys: ['records', 'seal', 'telemetry'],
  storage: ['seal'],
  telemetry: [],
  records: ['seal'],
  scan: [],
  genesys: ['telemetry', 'intake/types\\.ts'],
  outbox: ['genesys', 'records', 'telemetry'],
  quarantine: ['access/download\\.ts', 'records', 'scan', 'storage', 'telemetry'],
  retention: ['access/(download|prove)\\.ts', 'quarantine', 'seal', 'records', 'storage', 'telemetry'],
  intake: ['copies', 'records', 'scan', 'seal', 'storage', 'telemetry'],
  doors: ['intake', 'access', 'genesys', 'outbox', 'records', 'seal', 'telemetry'],
  live: ['records'],
  overview: ['records', 'scan', 'telemetry'],
  access: ['genesys', 'records', 'seal', 'storage', 'config(\\.ts|/kinds)'],
  copies: [],
  http: [
    'access',
    'copies',
    'doors',
    'intake',
    'keys/listed',
    'live',
    'outbox/operator',
    'overview',
    'quarantine',
    'records',
    'retention',
    'seal',
    'telemetry',
    'config(\\.ts|/kinds)',
  ],
  moving: ['access/(download|prove)\\.ts', 'records', 'seal', 'storage'],
  cli: ['.*'],
}

const layers = Object.entries(mayImport).map(([folder, allowed]) => ({
  name: `what-${folder}-may-import`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: [leaf, ...[folder, ...allowed].map((name) => `^src/${name}`)] },
}))

module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    ...layers,
    {
      name: 'leaves-lean-on-nothing',
      severity: 'error',
      from: { path: leaf },
      to: { path: '^src/', pathNot: leaf },
    },
    {
      name: 'config-leans-on-leaves',
      severity: 'error',
      from: { path: '^src/config(\\.ts$|/)' },
      to: {
        path: '^src/',
        pathNot: [
          leaf,
          '^src/config/',
          '^src/intake/(types|policy|inspect/limits)\\.ts$',
          '^src/(telemetry/log|scan/settings|keys/settings|records/postgres/address|storage/s3/address)\\.ts$',
        ],
      },
    },
    {
      name: 'only-two-commands-know-the-emulator',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/(emulator|demo)\\.ts$' },
      to: { path: '^emulator/' },
    },
    {
      name: 'the-emulator-knows-nothing-of-us',
      severity: 'error',
      from: { path: '^emulator/' },
      to: { path: '^src/' },
    },
    {
      name: 'pages-know-the-service-by-http',
      comment: 'But how a name is shown is the same everywhere.',
      severity: 'error',
      from: { path: '^web/' },
      to: { path: '^(src|emulator)/', pathNot: '^src/outbox/names\\.ts$' },
    },
    { name: 'the-service-knows-no-page', severity: 'error', from: { path: '^(src|emulator)/' }, to: { path: '^web/' } },
    {
      name: 'the-product-needs-no-development-package',
      severity: 'error',
      from: { path: '^(src|emulator)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: '@types/|\\.d\\.ts$' },
    },
    { name: 'nothing-is-missing', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^(#|node:)' } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.test\\.ts$' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
}
