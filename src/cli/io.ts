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
  /**
   * The code that the process ends with once the command has come back, and so has closed what it had opened: 0 done, 1 failed,
   * 2 wrong use or configuration. NOTE: a thread that is cut short within SQLite takes the whole process down with it (SIGABRT).
   */
  exitWith(code: number): void
  /** Ends the process: for a command that stays up, when all is closed. */
  endWith(code: number): void
}
