import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import type { Report } from '../../bench/report.ts'
import { temporaryFolder } from '../folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const start = join(root, 'bench/start.mjs')

/** Ends with the test, and with it what it has started. */
async function bench(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const running = promisify(execFile)(process.execPath, [start, '--no-install', ...args])
  onTestFinished(() => void running.child.kill())
  return running
}

it('the benchmark prints a table with a line for ourselves, each floor and each peer that is installed', async () => {
  const json = join(await temporaryFolder(), 'report.json')
  const { stdout, stderr } = await bench(
    '--only',
    'uploads',
    '--rounds',
    '1',
    '--seconds',
    '0.1',
    '--rows',
    '10k@2',
    '--json',
    json,
  )
  const lines = stdout.split('\n')
  const at = lines.indexOf('### 10 KB, 2 at once')
  const rows = lines.slice(at + 4, lines.indexOf('', at + 4)).map((line) => line.split('|').map((cell) => cell.trim()))
  expect(lines[at + 2]).toMatch(/uploads\/s \| MB\/s .* p50 ms \| p99 ms \| CPU s\/GB \| peak MiB \|$/)
  const peers = stderr.includes('The peers are not installed')
    ? []
    : ['@fastify/multipart', 'multer on Express', '@tus/server, file store']
  expect(rows.map(([, name]) => name)).toEqual([
    '**Clipgate**',
    "the work's own floor",
    "the disk's floor",
    "the work's floor behind HTTP",
    'Node reads and discards',
    ...peers,
  ])
  // But for the ratio to ourselves, no cell is empty, and each has a figure.
  for (const [, name, ...cells] of rows)
    expect(cells.slice(0, -1).filter((cell) => !/\d/.test(cell))).toEqual(name === '**Clipgate**' ? [''] : [])
  expect(stdout).toMatch(/\d+ cores/)
  expect(stdout).toContain('npm run bench -- --no-install --only uploads')

  const { parts } = JSON.parse(await readFile(json, 'utf8')) as Report
  expect(
    parts
      .flatMap(({ figures }) => figures)
      .filter(({ median }) => !(median > 0))
      .map(({ name }) => name),
  ).toEqual([])
})

it('another checkout is measured in turn with this one, and told of turn by turn', async () => {
  const { stdout } = await bench(
    ...['--only', 'uploads', '--rounds', '2', '--seconds', '0.1', '--rows', '10k@2'],
    ...['--no-floors', '--no-peers', '--against', root],
  )
  expect(stdout).toMatch(
    /Turn by turn, Clipgate ÷ Clipgate in \S+: uploads\/s [\d.]+ \([\d.]+–[\d.]+\), CPU s\/GB [\d.]+ \([\d.]+–[\d.]+\)/,
  )
})

it('a wrong name of a part or a row is told, and nothing is measured', async () => {
  await expect(bench('--only', 'everything')).rejects.toThrow('--only knows uploads')
  await expect(bench('--rows', '5k@1')).rejects.toThrow('5k@1 is no row')
})
