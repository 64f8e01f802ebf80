import { METHODS } from 'node:http'
import { isRecord, isWholeNumber, Malformed } from './parse.ts'

/** One way in which the platform goes wrong, for the next `times` requests to `route`. */
export interface Fault {
  /** `METHOD /path`; each `*` stands for any characters, slashes too. */
  route: string
  /** Answered instead of doing the work, 400 to 599. */
  status?: number
  /** Whole seconds for the Retry-After header; needs `status`. */
  retryAfter?: number
  /** Waits first. The only thing in the emulator that takes time. */
  delayMs?: number
  /** Does the work, then cuts the connection instead of answering; with `status`, cuts without doing the work. */
  cut?: boolean
  /** Sends the answer's head and so many bytes of its body, then cuts the connection. */
  cutAfterBytes?: number
  /** Sends the answer's head and so many bytes of its body, then nothing more; the connection stays open. */
  stallAfterBytes?: number
  /** The Content-Length that the answer claims, whatever its body; after the body the connection is cut. */
  contentLength?: number
  /** The body's last bit is another one. */
  garbled?: boolean
  /** The body is repeated without end and without Content-Length. */
  endless?: boolean
  /** Default 1. */
  times?: number
}

export interface Faults {
  /** Replaces the whole list. */
  replace(faults: Fault[]): void
  /** The first fault that matches and has times left, spent by one; `path` without query. */
  take(method: string, path: string): Fault | undefined
}

export function createFaults(): Faults {
  let waiting: { fault: Fault; pattern: RegExp; timesLeft: number }[] = []
  return {
    replace(faults) {
      waiting = faults.map((fault) => ({ fault, pattern: patternOf(fault.route), timesLeft: fault.times ?? 1 }))
    },
    take(method, path) {
      const next = waiting.find(({ pattern, timesLeft }) => timesLeft > 0 && pattern.test(`${method} ${path}`))
      if (next) next.timesLeft -= 1
      return next?.fault
    },
  }
}

function patternOf(route: string): RegExp {
  const literal = (text: string) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${route.split('*').map(literal).join('.*')}$`)
}

const isValidFor: Record<keyof Fault, (value: unknown) => boolean> = {
  route: isRoute,
  status: (value) => isWholeNumber(value, 400) && value <= 599,
  retryAfter: (value) => isWholeNumber(value, 0),
  delayMs: (value) => isWholeNumber(value, 0),
  cut: isBoolean,
  cutAfterBytes: (value) => isWholeNumber(value, 0),
  stallAfterBytes: (value) => isWholeNumber(value, 0),
  contentLength: (value) => isWholeNumber(value, 0),
  garbled: isBoolean,
  endless: isBoolean,
  times: (value) => isWholeNumber(value, 1),
}

/** Members of which one at least says what goes wrong. */
const effects = ['status', 'delayMs', 'cut', 'cutAfterBytes', 'stallAfterBytes', 'contentLength', 'garbled', 'endless']

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean'
}

function isRoute(value: unknown): boolean {
  const [method = '', path = '', ...rest] = typeof value === 'string' ? value.split(' ') : []
  return METHODS.includes(method) && path.startsWith('/') && !path.startsWith('/_emulator') && rest.length === 0
}

/** Throws `Malformed` naming the entry and the member; then the old list stays. */
export function parseFaults(value: unknown): Fault[] {
  if (!Array.isArray(value)) throw new Malformed('faults must be a list')
  return value.map(parseFault)
}

function parseFault(value: unknown, index: number): Fault {
  const where = `fault ${index}`
  if (!isRecord(value)) throw new Malformed(`${where} must be an object`)
  for (const [name, setting] of Object.entries(value)) {
    if (!Object.hasOwn(isValidFor, name)) throw new Malformed(`${where}: unknown member ${name}`)
    if (!isValidFor[name as keyof Fault](setting)) {
      throw new Malformed(`${where}: wrong ${name}: ${JSON.stringify(setting)}`)
    }
  }
  if (value.route === undefined) throw new Malformed(`${where}: route is missing`)
  if (value.retryAfter !== undefined && value.status === undefined) {
    throw new Malformed(`${where}: retryAfter needs a status`)
  }
  if (effects.every((name) => value[name] === undefined || value[name] === false)) {
    throw new Malformed(`${where}: one of ${effects.join(', ')} is needed`)
  }
  return value as unknown as Fault
}
