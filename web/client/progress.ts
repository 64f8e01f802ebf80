/** How far it is. */
export interface Progress {
  /**
   * `checking`: the policy is asked for. `sending`: bytes are on their way. `judging`: all are sent, and the service has not
   * answered yet. `waiting`: it will be sent again in `waitSeconds`.
   */
  state: 'checking' | 'sending' | 'judging' | 'waiting'
  /** Of the file, in this try, as the browser has handed them to the network. */
  sentBytes: number
  totalBytes: number
  /** 1, 2, … */
  attempt: number
  waitSeconds: number | null
}
