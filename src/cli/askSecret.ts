import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { ConfigError } from '../errors.ts'

/** Where a person types, or what is piped in. */
type Input = NodeJS.ReadableStream & { isTTY?: boolean }

/** See `Io.askSecret`. The question goes to `output`; what is typed is shown nowhere. */
export async function askSecret(question: string, input: Input, output: NodeJS.WritableStream): Promise<string> {
  const isTerminal = input.isTTY === true
  if (isTerminal) output.write(question)
  // What echoes the typing writes it here.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input, output: nowhere, terminal: isTerminal })
  try {
    const line = await new Promise<string | null>((resolve) => {
      lines.once('line', resolve)
      lines.once('SIGINT', () => resolve(null))
      lines.once('close', () => resolve(null))
    })
    if (line === null) throw new ConfigError(['No password came: type one, or pipe one in.'])
    return line
  } finally {
    if (isTerminal) output.write('\n')
    lines.close()
  }
}
