import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readConfig } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { defaultLimits } from '../intake/inspect/limits.ts'

function policyOf(file: unknown, env: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'clipgate-policy-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'policy.json')
  writeFileSync(path, typeof file === 'string' ? file : JSON.stringify(file))
  return readConfig({ CLIPGATE_POLICY_FILE: path, ...env }).config.policy
}

function problemsOf(file: unknown, env: Record<string, string> = {}): string[] {
  try {
    policyOf(file, env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

it('says what it names, and leaves the rest as it is', () => {
  const file = {
    maxFileBytes: 1000,
    allowedTypes: ['image/JPG', 'image/jpeg', 'application/zip'],
    trailingData: 'cut',
    limits: { pages: 3 },
    keep: 'safe_copy',
  }
  expect(policyOf(file)).toEqual({
    maxFileBytes: 1000,
    allowedTypes: ['image/jpeg', 'application/zip'],
    strictness: { limits: { ...defaultLimits, pages: 3 }, trailingData: 'cut' },
    keep: 'safe_copy',
    quarantine: { codes: [], engineDown: false, days: 30, secondPerson: false },
    agentFiles: 'ignore',
    rescanDays: 7,
    reuseVerdictHours: 24,
    deployments: {},
  })
  const bare = readConfig({}).config.policy
  expect(policyOf({})).toEqual(bare)
  expect(policyOf({}, { CLIPGATE_MAX_FILE_BYTES: '5' })).toEqual({ ...bare, maxFileBytes: 5 })
})

it.each<[string, unknown, RegExp[]]>([
  ['no JSON', '{', [/is no JSON/]],
  ['a list', [], [/it: /]],
  ['a key that is mistyped', { alowedTypes: [] }, [/alowedTypes is not known\. Did you mean allowedTypes\?/]],
  ['a limit that is mistyped', { limits: { pixles: 1 } }, [/limits\.pixles is not known\. Did you mean pixels\?/]],
  [
    'several things',
    { maxFileBytes: 0, allowedTypes: ['jpeg'], trailingData: 'keep', limits: { depth: 99, ratio: '3' } },
    [/maxFileBytes: /, /allowedTypes\.0: must be a MIME type/, /trailingData: /, /limits\.depth: /, /limits\.ratio: /],
  ],
])('with %s is told, all at once', (_, file, expected) => {
  const problems = problemsOf(file)
  expect(problems).toHaveLength(expected.length)
  for (const [i, pattern] of expected.entries()) expect(problems[i]).toMatch(pattern)
})

it('and a setting may not both say the same thing', () => {
  const env = { CLIPGATE_MAX_FILE_BYTES: '5', CLIPGATE_ALLOWED_TYPES: 'image/png' }
  expect(problemsOf({ maxFileBytes: 5, allowedTypes: ['image/png'] }, env)).toEqual([
    'CLIPGATE_MAX_FILE_BYTES and maxFileBytes in CLIPGATE_POLICY_FILE are both set. Keep one.',
    'CLIPGATE_ALLOWED_TYPES and allowedTypes in CLIPGATE_POLICY_FILE are both set. Keep one.',
  ])
})

it('that is not there is told', () => {
  expect(() => readConfig({ CLIPGATE_POLICY_FILE: '/nowhere/policy.json' })).toThrow(/cannot be read: ENOENT/)
})
