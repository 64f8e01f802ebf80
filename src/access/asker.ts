import type { IncomingHttpHeaders } from 'node:http'

/** What of a request says who asks. */
export interface Asker {
  method: string
  headers: IncomingHttpHeaders
}
