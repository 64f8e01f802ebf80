import { BadRequest } from './errors.ts'

/**
 * Parses JSON that says each thing once: a key twice is read differently by different programs, and `__proto__` is a trap
 * in ours. Throws `BadRequest`.
 */
export function strictJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new BadRequest('bad_request', 'The body is no JSON.')
  }
  refuseDoubtfulKeys(text)
  return value
}

/** `text` is JSON. Its strings and marks are enough to know which strings are keys, and of which object. */
function refuseDoubtfulKeys(text: string): void {
  const objects: (Set<string> | null)[] = []
  let keyIsNext = false
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/gs)) {
    const keys = objects.at(-1)
    if (token === '{') objects.push(new Set())
    else if (token === '[') objects.push(null)
    else if (token === '}' || token === ']') objects.pop()
    else if (keys && keyIsNext && token.startsWith('"')) {
      const key = JSON.parse(token) as string
      if (keys.has(key) || key === '__proto__')
        throw new BadRequest('bad_request', `The key ${token} may not stand here.`)
      keys.add(key)
    }
    keyIsNext = token === '{' || (token === ',' && objects.at(-1) instanceof Set)
  }
}
