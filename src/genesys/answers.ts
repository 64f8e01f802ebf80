import { GenesysRefused, GenesysUnavailable } from './errors.ts'

/** An answer that should be an object. Its members are as the platform's document has them: all may be missing. */
export function objectIn<Shape extends object>(body: unknown): Shape {
  if (typeof body !== 'object' || body === null) throw new GenesysUnavailable('Genesys answers 2xx without a body')
  return body as Shape
}

/** An id as a part of a path. One that Genesys cannot have made names nothing there, and must not name something else. */
export function segment(id: string): string {
  if (!/^[\w-]{1,128}$/.test(id))
    throw new GenesysRefused('not asked', { status: 404, message: 'not an id of Genesys Cloud' })
  return id
}
