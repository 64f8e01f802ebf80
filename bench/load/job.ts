/** Where files are sent, and how. */
export interface Target {
  protocol: 'form' | 'tus'
  url: string
  authorization?: string
  /** Each upload belongs to one of them. */
  conversations?: string[]
}

export type Job =
  | {
      kind: 'upload'
      target: Target
      templates: string
      size: number
      atOnce: number
      /** Whichever comes first ends it. What has begun is finished. */
      seconds?: number
      uploads?: number
    }
  | {
      kind: 'read'
      url: string
      paths: string[]
      authorization: string
      range: [number, number] | null
      atOnce: number
      seconds: number
    }

/** One of the uploads, to be read back. */
export interface Sample {
  ending: string
  mark: string
  /** The answer's body, and where it says that the file is. */
  body: string
  location: string | null
}

export interface Load {
  files: number
  bytes: number
  /** From the first byte sent to the last answer. */
  seconds: number
  p50Ms: number
  p99Ms: number
  /** Of the process that made the load. */
  loadCpuSeconds: number
  samples: Sample[]
}
