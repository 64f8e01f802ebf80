import { readdir, readFile } from 'node:fs/promises'
import { IntlMessageFormat } from 'intl-messageformat'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { z } from 'zod'
import type * as service from '../../src/attachment.ts'
import type * as shapes from '../../src/http/shapes.ts'
import type { AuditKind } from '../../src/records/questions/audit.ts'
import type * as admin from '../../web/console/shapes.ts'
import type * as web from '../../web/shared/shapes.ts'
import { sha256, startTestService } from '../harness.ts'

const folder = new URL('../../web/shared/texts/', import.meta.url)
const texts = await readdir(folder)
const policy = (ancestors: string) =>
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
  `connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ${ancestors}`

async function partsOf(url: string, path: string): Promise<string[]> {
  const html = await (await fetch(url + path)).text()
  return [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, name]) => name!)
}

describe('a page', () => {
  it.each([
    ['/sign-in', 'https://apps.mypurecloud.com'],
    ['/widget', 'https://apps.mypurecloud.com'],
    ['/console', "'none'"],
    ['/console/files/att_anything', "'none'"],
  ])('%s may load its own files only, and be framed by %s', async (path, ancestors) => {
    const { url } = await startTestService()
    const { status, headers } = await fetch(url + path)
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(headers.get('content-security-policy')).toBe(policy(ancestors))
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-frame-options')).toBeNull()
    expect(headers.get('cache-control')).toBe('no-cache')
  })

  it('is framed by whom FRAME_ANCESTORS names, else by the apps of the region', async () => {
    const named = await startTestService({ env: { FRAME_ANCESTORS: 'https://crm.example.com,https://*.example.org' } })
    const policyAt = async (url: string) => (await fetch(`${url}/sign-in`)).headers.get('content-security-policy')
    expect(await policyAt(named.url)).toBe(policy('https://crm.example.com https://*.example.org'))
    const elsewhere = await startTestService({ env: { GENESYS_DOMAIN: 'mypurecloud.ie' } })
    expect(await policyAt(elsewhere.url)).toBe(policy('https://apps.mypurecloud.ie'))
    const nobody = await startTestService({ env: { FRAME_ANCESTORS: ',' } })
    expect(await policyAt(nobody.url)).toBe(policy("'none'"))
  })

  it('is not sent again to who has it, and speaks the language of the installation', async () => {
    const { url } = await startTestService({ env: { LANGUAGE: 'de' } })
    const first = await fetch(`${url}/sign-in`)
    expect(await first.text()).toContain('data-language="de"')
    const again = await fetch(`${url}/sign-in`, { headers: { 'if-none-match': first.headers.get('etag')! } })
    expect([again.status, await again.text()]).toEqual([304, ''])
  })

  it('finds its parts below the path that a proxy gives us', async () => {
    const { url } = await startTestService({ env: { PUBLIC_URL: 'https://example.com/clipgate' } })
    const parts = await partsOf(url, '/sign-in')
    expect(parts.length).toBeGreaterThan(1)
    expect(parts.every((path) => path.startsWith('/clipgate/assets/'))).toBe(true)
  })

  it('that was not made is not there, and neither is a file beside those that were', async () => {
    const { url } = await startTestService()
    for (const path of [
      '/nowhere',
      '/assets/',
      '/assets/none.js',
      '/assets/..%2f..%2fpackage.json',
      '/assets/../main.js',
    ])
      expect([path, (await fetch(url + path)).status]).toEqual([path, 404])
  })
})

describe('a part of a page', () => {
  it('is compressed as the browser likes it, and kept for ever', async () => {
    const { url } = await startTestService()
    const path = (await partsOf(url, '/sign-in')).find((name) => name.endsWith('.js'))!
    const plain = await fetch(url + path, { headers: { 'accept-encoding': 'identity' } })
    const code = await plain.text()
    for (const coding of ['br', 'gzip']) {
      const { headers, ...answer } = await fetch(url + path, { headers: { 'accept-encoding': coding } }).then(
        async (response) => ({ headers: response.headers, text: await response.text() }),
      )
      expect(headers.get('content-encoding')).toBe(coding)
      expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(headers.get('vary')).toBe('Accept-Encoding')
      expect(headers.get('content-type')).toBe('text/javascript; charset=utf-8')
      expect(answer.text).toBe(code)
      const known = await fetch(url + path, {
        headers: { 'accept-encoding': coding, 'if-none-match': headers.get('etag')! },
      })
      expect(known.status).toBe(304)
    }
    expect(plain.headers.get('content-encoding')).toBeNull()
  })
})

describe('the copy of the SDK', () => {
  it('is the one whose digest stands beside it', async () => {
    const folder = new URL('../../web/vendor/purecloud-client-app-sdk/', import.meta.url)
    const code = await readFile(new URL('purecloud-client-app-sdk-c3a00965.min.js', folder))
    expect(await readFile(new URL('README.md', folder), 'utf8')).toContain(sha256(code))
  })
})

type Parts = ReturnType<IntlMessageFormat['getAst']>

/** The names of what a sentence is given, also within its cases. */
function valuesIn(text: string): string[] {
  const names = new Set<string>()
  const read = (parts: Parts) => {
    for (const part of parts) {
      if ('value' in part && part.type !== literal) names.add(part.value)
      if ('options' in part) for (const { value } of Object.values(part.options)) read(value)
    }
  }
  read(new IntlMessageFormat(text, 'en', undefined, { ignoreTag: true }).getAst())
  return [...names].sort()
}

const literal = 0

describe('the texts of the pages', () => {
  it.each(texts)('%s have every sentence in every language, with the same values', async (page) => {
    const read = async (language: string): Promise<Record<string, string>> =>
      JSON.parse(await readFile(new URL(`${page}/${language}.json`, folder), 'utf8'))
    const english = await read('en')
    for (const language of ['de', 'es', 'fr', 'pt', 'ja']) {
      const texts = await read(language)
      expect(Object.keys(texts)).toEqual(Object.keys(english))
      for (const [key, text] of Object.entries(texts))
        expect([language, key, valuesIn(text)]).toEqual([language, key, valuesIn(english[key]!)])
    }
  })
})

describe('what pages read', () => {
  it('is what the service answers', () => {
    expectTypeOf<service.Attachment>().toExtend<web.Attachment>()
    expectTypeOf<keyof service.Attachment>().toEqualTypeOf<keyof web.Attachment>()
    expectTypeOf<service.Attachment['state']>().toEqualTypeOf<web.Attachment['state']>()
    expectTypeOf<service.Verdict>().toEqualTypeOf<web.Verdict>()
  })

  it('is what admins are answered', () => {
    expectTypeOf<z.output<typeof shapes.overviewAnswer>>().toExtend<admin.Overview>()
    expectTypeOf<z.output<typeof shapes.storyAnswer>['rows']>().toExtend<admin.Story['rows']>()
    expectTypeOf<AuditKind>().toEqualTypeOf<admin.AuditRow['what']>()
    type Held = z.output<typeof shapes.heldAnswer>['items'][number]
    expectTypeOf<Omit<Held, 'attachment'>>().toExtend<Omit<admin.Held, 'attachment'>>()
    expectTypeOf<z.output<typeof shapes.outboxAnswer>>().toExtend<admin.Page<admin.Owed>>()
    expectTypeOf<z.output<typeof shapes.linksAnswer>>().toExtend<{ items: admin.LinkState[] }>()
    expectTypeOf<z.output<typeof shapes.policyShape>>().toExtend<admin.Policy>()
    expectTypeOf<z.output<typeof shapes.differencesAnswer>>().toExtend<{ differences: admin.Difference[] }>()
    expectTypeOf<z.output<typeof shapes.keysAnswer>>().toExtend<{ keys: admin.MasterKey[] }>()
    expectTypeOf<z.output<typeof shapes.readyShape>>().toExtend<admin.Readiness>()
  })
})
