/** What the doctor says of one thing. */
export interface Finding {
  what: string
  state: 'ok' | 'warning' | 'failed'
  says: string
}

export type Find = (what: string, state: Finding['state'], says: string) => void
