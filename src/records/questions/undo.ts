/** Thrown by a change that has begun and finds that it may not be: it is rolled back, and `answer` is its answer. */
export class Undo<Answer> extends Error {
  readonly answer: Answer
  constructor(answer: Answer) {
    super('undone')
    this.answer = answer
  }
}
