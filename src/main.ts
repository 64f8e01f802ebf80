#!/usr/bin/env node
import { askSecret } from './cli/askSecret.ts'
import { runCli } from './cli/cli.ts'

/** The process: the only file that touches it. */

// The client of S3 stores is pinned: that newer ones will not run on this Node is nothing to say at each start.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'

// Whatever we make is for our own user only.
process.umask(0o077)

let stopListener: (() => void) | null = null
let asked = 0
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    asked++
    // Asked twice, or with nothing to finish: end at once.
    if (asked > 1 || !stopListener) process.exit(signal === 'SIGINT' ? 130 : 143)
    stopListener()
  })

// A fault that nobody caught leaves us in an unknown state: what is acknowledged is durable, so ending is safe.
process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.stack ?? error}\n`)
  process.exit(1)
})

// A command that waits before it tries again has nothing else that would keep the process.
const held = setInterval(() => {}, 2 ** 30)
await runCli(process.argv.slice(2), {
  env: process.env,
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  askSecret: (question) => askSecret(question, process.stdin, process.stderr),
  isAsked: process.stdin.isTTY === true,
  isTerminal: process.stderr.isTTY === true,
  onStop: (listener) => {
    stopListener = listener
  },
  exitWith: (code) => {
    process.exitCode = code
  },
  endWith: (code) => process.exit(code),
})
clearInterval(held)
// Threads and timers of a failed start must not hold the process.
if (process.exitCode) process.exit()
