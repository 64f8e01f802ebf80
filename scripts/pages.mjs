// Makes dist/pages of web/: a folder a page with its index.html, everything else hashed below assets/, and each file
// compressed beside itself. Only what Spark makes of tokens that our own styles name is in a page's own style sheet.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { build } from 'esbuild'

const sparkPackage = 'node_modules/genesys-spark-components'
const sparkFiles = `${sparkPackage}/dist/genesys-webcomponents`

/** Writes `<outdir>/pages`. A folder of web/ with an index.html and a main.ts is a page. */
export async function buildPages(outdir) {
  const pages = (await readdir('web')).filter((name) => existsSync(`web/${name}/index.html`))
  const { version } = JSON.parse(await readFile(`${sparkPackage}/package.json`, 'utf8'))
  const target = `${outdir}/pages`
  const { metafile } = await build({
    entryPoints: Object.fromEntries(pages.map((page) => [page, `web/${page}/main.ts`])),
    outdir: target,
    entryNames: 'assets/[name]-[hash]',
    chunkNames: 'assets/[name]-[hash]',
    assetNames: 'assets/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome111', 'firefox115', 'safari16.4'],
    minify: true,
    charset: 'utf8',
    legalComments: 'linked',
    loader: { '.woff2': 'file' },
    define: { SPARK_VERSION: JSON.stringify(version) },
    plugins: [sparkTokens],
    metafile: true,
  })
  for (const page of pages) {
    await mkdir(`${target}/${page}`)
    await writeFile(`${target}/${page}/index.html`, await htmlOf(page, metafile, target))
  }
  await cp(await preparedSpark(version), `${target}/assets/spark/${version}`, { recursive: true })
  await cp('node_modules/@fontsource/noto-sans/LICENSE', `${target}/assets/noto-sans-LICENSE.txt`)
  await compressBelow(`${target}/assets`)
  await writeFile(`${target}/assets.json`, JSON.stringify(await listOf(`${target}/assets`)))
}

/** The page with links to what was made for it. `%BASE%` is filled in by who serves it. */
async function htmlOf(page, { outputs }, target) {
  const nameOf = (path) => relative(target, path)
  const [script, { cssBundle, imports }] = Object.entries(outputs).find(
    ([, { entryPoint }]) => entryPoint === `web/${page}/main.ts`,
  )
  const early = imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path)
  const links = [
    cssBundle && `<link rel="stylesheet" href="%BASE%/${nameOf(cssBundle)}">`,
    ...early.map((path) => `<link rel="modulepreload" href="%BASE%/${nameOf(path)}">`),
    `<script type="module" src="%BASE%/${nameOf(script)}"></script>`,
  ].filter(Boolean)
  const html = await readFile(`web/${page}/index.html`, 'utf8')
  if (!html.includes('%ASSETS%')) throw new Error(`web/${page}/index.html has no %ASSETS%`)
  return html.replace('%ASSETS%', links.join('\n    '))
}

/**
 * Spark as our pages can load it: its lazy build without source maps, its tokens alone, and its loader without the
 * style elements that the pages' Content-Security-Policy forbids. Compressing it takes a while: it is kept for the next build.
 */
async function preparedSpark(version) {
  const script = createHash('sha256').update(await readFile(fileURLToPath(import.meta.url)))
  const kept = `node_modules/.cache/clipgate-spark-${version}-${script.digest('hex').slice(0, 8)}`
  if (existsSync(kept)) return kept
  const folder = `${kept}.${process.pid}`
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  // What is old of it is for programs that were written for its older versions.
  const skipped = /\.map$|-legacy\.css$|\/icons\/(legacy|deprecated)\/|\/illustrations(\/|$)/
  await cp(sparkFiles, folder, { recursive: true, filter: (path) => !skipped.test(path) })
  await cp(`${sparkPackage}/LICENSE`, `${folder}/LICENSE`)
  const css = await readFile(`${sparkFiles}/genesys-webcomponents.css`, 'utf8')
  const { light, dark } = tokensOf(css)
  await writeFile(`${folder}/tokens.css`, `${ruleOf(':root', light)}${ruleOf('[flare-mode=dark]', dark)}`)
  await withoutStyleElements(folder)
  await compressBelow(folder)
  await rename(folder, kept)
  return kept
}

/**
 * What Spark's loader does by style elements, which the pages' Content-Security-Policy forbids, and what it does in our copy.
 * The first hides what stands in a component until that is there: ours stays readable. The second is how a component without
 * a shadow of its own gets its styles.
 */
const mended = [
  ['f.insertBefore(b,p?p.nextSibling:f.firstChild)', '0'],
  [
    'e.insertBefore(r,(null==a?void 0:a.parentNode)===e?a:null)',
    'const y=new CSSStyleSheet;y.replaceSync(o+(4&t.i?g:"")),c.document.adoptedStyleSheets.push(y)',
  ],
]

async function withoutStyleElements(folder) {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.js'))
  for (const [theirs, ours] of mended) {
    let found = 0
    for (const name of names) {
      const code = await readFile(`${folder}/${name}`, 'utf8')
      found += code.split(theirs).length - 1
      if (code.includes(theirs)) await writeFile(`${folder}/${name}`, code.replace(theirs, ours))
    }
    if (found !== 1) throw new Error(`Spark's loader has changed, see docs/decisions/0035: ${found} times ${theirs}`)
  }
}

/** `@import "spark:tokens"`: those that our own styles name, and what these lean on. */
const sparkTokens = {
  name: 'spark-tokens',
  setup(build) {
    build.onResolve({ filter: /^spark:tokens$/ }, ({ path }) => ({ path, namespace: 'spark' }))
    build.onLoad({ filter: /.*/, namespace: 'spark' }, async () => {
      const { light } = tokensOf(await readFile(`${sparkFiles}/genesys-webcomponents.css`, 'utf8'))
      const used = new Map()
      const use = (text) => {
        for (const [name] of text.matchAll(/--gse-[\w-]+/g)) {
          if (used.has(name)) continue
          const value = light.get(name)
          if (value === undefined) throw new Error(`Spark has no token ${name}`)
          used.set(name, value)
          use(value)
        }
      }
      for (const name of await readdir('web', { recursive: true }))
        if (name.endsWith('.css')) use(await readFile(join('web', name), 'utf8'))
      return { contents: ruleOf(':root', used), loader: 'css' }
    })
  },
}

/** Spark's custom properties by name, and those that differ in the dark. */
function tokensOf(css) {
  const read = (selector) => {
    const tokens = new Map()
    for (const [, body] of css.matchAll(new RegExp(`(?:^|\\})${selector}\\{([^{}]*)\\}`, 'g')))
      for (const [, name, value] of body.matchAll(/(--gse-[\w-]+):([^;]*)/g)) tokens.set(name, value)
    if (tokens.size === 0) throw new Error(`Spark's style sheet has no tokens under ${selector}`)
    return tokens
  }
  return { light: read(':root'), dark: read('\\[flare-mode=dark\\]') }
}

const ruleOf = (selector, tokens) => `${selector}{${[...tokens].map(([name, value]) => `${name}:${value}`).join(';')}}`

const compressible = new Set(['.js', '.css', '.svg', '.json', '.txt', '.html'])
const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }

/** `x.br` and `x.gz` beside each `x` of which that saves something. What is there stays. */
async function compressBelow(folder) {
  for (const path of await filesBelow(folder)) {
    if (!compressible.has(extname(path)) || existsSync(`${path}.br`)) continue
    const bytes = await readFile(path)
    const [br, gz] = await Promise.all([
      promisify(brotliCompress)(bytes, brotliOptions),
      promisify(gzip)(bytes, { level: 9 }),
    ])
    if (bytes.length < 512 || gz.length > bytes.length * 0.9) continue
    await writeFile(`${path}.br`, br)
    await writeFile(`${path}.gz`, gz)
  }
}

/** What may be asked for below assets/, with its digest, so that no start has to read it. */
async function listOf(folder) {
  const paths = (await filesBelow(folder)).map((path) => relative(folder, path))
  const all = new Set(paths)
  const entries = await Promise.all(
    paths
      .filter((path) => !/\.(br|gz)$/.test(path))
      .map(async (path) => {
        const digest = createHash('sha256').update(await readFile(join(folder, path)))
        return [path, { digest: digest.digest('base64url').slice(0, 22), compressed: all.has(`${path}.br`) }]
      }),
  )
  return Object.fromEntries(entries)
}

async function filesBelow(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}
