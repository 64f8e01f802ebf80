/** A socket of the file system, or a host and port. */
export type ClamdAddress = { path: string } | { host: string; port: number }

export interface IcapSettings {
  host: string
  port: number
  tls: boolean
  /** With what follows it: `/avscan?mode=simple`. */
  service: string
  method: 'RESPMOD' | 'REQMOD'
  /** Bytes that are sent before the server says that it wants the rest. Null: all are sent at once. */
  preview: number | null
  /** Fields of an answer that name what was found, beside those that we know. Lower case. */
  found: string[]
}

/** The engines that are configured. Null: that one is not. */
export interface EngineSettings {
  clamd: ClamdAddress | null
  icap: IcapSettings | null
  /** The program and its arguments, as they are: no shell reads them. */
  command: string[] | null
  http: { url: string } | null
}
