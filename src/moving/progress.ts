/** Somebody is told how far long work has come. */
export interface Progress {
  /** Now this is done, of which there are so many. Ends what was told before. */
  begin(what: string, total: number): void
  step(by?: number): void
  end(): void
}
