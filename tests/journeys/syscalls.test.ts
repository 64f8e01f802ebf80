import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { jpegOfSize } from '../fixtures/files.ts'
import { pushTo, temporaryFolder, testEnvironment } from '../harness.ts'
import { run, servingAt } from './process.ts'

const hasStrace = spawnSync('strace', ['-V']).status === 0
if (!hasStrace && process.env.TEST_REQUIRE === 'all') throw new Error('strace is missing: apt-get install strace')

describe.skipIf(!hasStrace)('the order of system calls (needs strace: apt-get install strace)', () => {
  it('is: file synced, renamed, folder synced, database synced, and only then the answer', async () => {
    const dataDir = await temporaryFolder()
    const log = join(await temporaryFolder(), 'strace.log')
    const calls = 'fsync,fdatasync,rename,renameat,renameat2,write,writev,sendto,sendmsg'
    const strace = ['strace', '-f', '-qq', '-y', '-s', '64', '-e', `trace=${calls}`, '-o', log]
    const program = run(['serve'], testEnvironment(dataDir, 'http://127.0.0.1:9'), strace)
    const [, url] = await program.until(servingAt)
    const { body, status } = await pushTo(url!, await jpegOfSize(300_000), {})
    expect(status).toBe(200)
    const id = body.attachment.id
    // strace passes the signal on by ending; its child is told by its own pid.
    process.kill(await childOf(program.pid), 'SIGTERM')
    await program.ended

    const lines = completed((await readFile(log, 'utf8')).split('\n'))
    const begun = lines.findIndex((line) => line.includes('/spool/') && /\bwrite\(/.test(line))
    const after = (from: number, pattern: RegExp) => {
      const at = lines.findIndex((line, index) => index > from && pattern.test(line))
      expect(at, `${pattern} after line ${from} of\n${lines.slice(begun, begun + 60).join('\n')}`).toBeGreaterThan(from)
      return at
    }
    const fileSynced = after(begun, /f(data)?sync\(\d+<[^>]*\/spool\/[^>]*>\) = 0/)
    const renamed = after(fileSynced, new RegExp(`rename[^(]*\\(.*\\/spool\\/.*${id}.* = 0`))
    const folderSynced = after(renamed, /fsync\(\d+<[^>]*\/objects\/.>\) = 0/)
    const databaseSynced = after(folderSynced, /f(data)?sync\(\d+<[^>]*clipgate\.db-wal>\) = 0/)
    const answered = after(databaseSynced, /HTTP\/1\.1 200 OK/)
    // And not before: the answer is one, and it is the last of these.
    expect(lines.findIndex((line) => line.includes('HTTP/1.1 200 OK'))).toBe(answered)
    // Nothing more is written to the file once it was synced.
    expect(lines.slice(fileSynced).filter((line) => /\bwrite\(\d+<[^>]*\/spool\//.test(line))).toEqual([])
  })
})

async function childOf(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')[0])
}

/** One line a call, where it returned: strace splits calls of several threads into two lines. */
function completed(lines: string[]): string[] {
  const unfinished = new Map<string, string>()
  return lines.flatMap((line) => {
    const [, thread, rest] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    if (thread === undefined || rest === undefined) return []
    if (rest.endsWith('<unfinished ...>')) {
      unfinished.set(thread, rest.slice(0, -'<unfinished ...>'.length).trimEnd())
      return []
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    if (!resumed) return [rest.replace(/\)\s+=/, ') =')]
    return [`${unfinished.get(thread) ?? ''}${resumed[1]}`.replace(/\)\s+=/, ') =')]
  })
}
