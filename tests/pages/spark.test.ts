import { describe, expect, it } from 'vitest'
import spark from '../../node_modules/genesys-spark-components/package.json' with { type: 'json' }
import { chromePath, inside, needsBrowser, sharedBrowser } from './start.ts'

describe.skipIf(!chromePath)(`Spark's components ${needsBrowser}`, () => {
  const start = sharedBrowser()

  it('are drawn under our Content-Security-Policy, also those without a shadow of their own', async () => {
    // Some say on the console what a page would have to put into them.
    const { open, url } = await start({ expected: [/^(?!policy)/] })
    const page = await open('/sign-in')
    const folder = `${url}/assets/spark/${spark.version}`
    const { drawn, broke } = await inside<{ drawn: string[]; broke: string[] }>(page, 'drawSpark', folder)
    expect(broke).toEqual([])
    expect(drawn).toEqual(expect.arrayContaining(['gux-icon', 'gux-badge', 'gux-table', 'gux-tab-list', 'gux-tooltip']))
    expect(drawn.length).toBeGreaterThan(150)
  })
})
