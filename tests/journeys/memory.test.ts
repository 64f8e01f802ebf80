import { readFile, writeFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { jpegOfSize } from '../fixtures/files.ts'
import { keys, temporaryFolder, testEnvironment } from '../harness.ts'
import { run, servingAt } from './process.ts'
import { formEnd, formHead, pushHead, rawClient } from './raw.ts'

const mebibyte = 1024 * 1024

it('200 uploads of 10 MiB at once move the peak memory by at most 128 MiB over what a warm process holds', {
  timeout: 300_000,
}, async () => {
  const dataDir = await temporaryFolder()
  const program = run(['serve'], testEnvironment(dataDir, 'http://127.0.0.1:9'))
  const [, url] = await program.until(servingAt)
  const { bytes } = await jpegOfSize(10 * mebibyte)
  const body = Buffer.concat([Buffer.from(formHead()), bytes, Buffer.from(formEnd)])
  const uploads = (count: number) => Promise.all(Array.from({ length: count }, () => upload(url!, body)))

  // Twice: threads take their room as they first work, and give none of it back.
  for (let round = 0; round < 2; round++) await uploads(32)
  // 5 sets the peak back to what is held now (proc(5)).
  await writeFile(`/proc/${program.pid}/clear_refs`, '5')
  const warm = await memory(program.pid, 'VmRSS')
  expect(new Set(await uploads(200))).toEqual(new Set(['200']))
  const peak = await memory(program.pid, 'VmHWM')
  console.log(`warm ${Math.round(warm / mebibyte)} MiB, peak ${Math.round(peak / mebibyte)} MiB`)
  expect(peak - warm).toBeLessThanOrEqual(128 * mebibyte)
})

/** The status of the answer. */
async function upload(url: string, body: Buffer): Promise<string> {
  const client = await rawClient(url)
  client.socket.write(pushHead(keys.push, { 'Content-Length': String(body.length) }))
  client.socket.write(body)
  const answer = await client.until(/^HTTP\/1\.1 \d{3} /)
  client.socket.destroy()
  return answer.slice(9, 12)
}

/** In bytes. */
async function memory(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024
}
