// Stands for a decoder that a hostile file has taken over: does as the first line's `type` says.
import { fork } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'

const given = await buffer(process.stdin)
const end = given.indexOf(0x0a)
if (end < 0) process.exit(0)
const act = given.toString('utf8', end + 1)
const answer = (reason) => process.stdout.write(`${JSON.stringify({ reason })}\n`)
const outcome = async (work) =>
  answer(
    await Promise.resolve()
      .then(work)
      .then(String, (error) => error.code ?? 'failed'),
  )

if (act === 'hang') setInterval(() => {}, 1000)
else if (act === 'spin') for (;;);
else if (act === 'fill') {
  const held = []
  for (;;) held.push(Buffer.alloc(16 * 1024 * 1024, 1))
} else if (act === 'die') process.kill(process.pid, 'SIGSEGV')
else if (act === 'flood')
  for (;;)
    process.stdout.write(Buffer.alloc(1024 * 1024)) || (await new Promise((go) => process.stdout.once('drain', go)))
else if (act === 'nonsense') process.stdout.write('hello\nworld')
else if (act === 'lie') process.stdout.write('{"type":"text/html","pages":1,"size":3}\n<p>')
else if (act === 'short') process.stdout.write('{"type":"image/png","pages":1,"size":300}\nabc')
else if (act === 'fork') await outcome(() => fork('/bin/true'))
else if (act === 'write') await outcome(() => writeFileSync('/tmp/clipgate-misbehaves', 'x'))
else if (act === 'environment') answer(JSON.stringify(process.env))
else if (act.startsWith('read ')) await outcome(() => readFileSync(act.slice(5)))
else if (act.startsWith('connect '))
  await outcome(
    () =>
      new Promise((resolve, reject) => {
        connect(Number(act.slice(8)), '127.0.0.1')
          .once('connect', () => resolve('connected'))
          .once('error', reject)
      }),
  )
