/** What a command needs of the process around it: handed in by `main.ts`, so that commands can be tried without one. */
export interface Io {
  env: Record<string, string | undefined>
  out(line: string): void
  err(line: string): void
  /**
   * One line of a secret: asked of the person at the terminal, where it is not shown, or the first line of what is piped in. Throws
   * `ConfigError` when nothing comes.
   */
  askSecret(question: string): Promise<string>
  /** A person types the input. */
  isAsked: boolean
  /** A person looks at the output. */
  isTerminal: boolean
  /** Called once when the process is asked to end. */
  onStop(listener: () => void): void
  /** Ends the process when its work is done with this code: 0 done, 1 failed, 2 wrong use or configuration. */
  exitWith(code: number): void
}
