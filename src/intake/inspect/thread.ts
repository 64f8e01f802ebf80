import { Damaged, Refused } from '../../errors.ts'
import { answerQuestions } from '../../thread.ts'
import { collectEvery } from '../spool/garbage.ts'
import { examine } from './examine.ts'
import type { InspectionAnswer, InspectionQuestion } from './inspect.ts'
import { openSealedSource } from './sealedSource.ts'

const collected = collectEvery(2 * 1024 * 1024)

async function answer({ file, asked, strictness }: InspectionQuestion): Promise<InspectionAnswer> {
  try {
    const source = openSealedSource(file, collected)
    try {
      return { examined: await examine(source, asked, strictness) }
    } finally {
      source.close()
    }
  } catch (error) {
    if (error instanceof Refused) return { refused: { code: error.code, detail: error.detail } }
    if (error instanceof Damaged || (error as NodeJS.ErrnoException).syscall) return { fault: String(error) }
    // A reader that stumbles has judged nothing, and would stumble again: the file is not let through.
    return { refused: { code: 'unscannable', detail: `a reader failed: ${(error as Error).stack ?? error}` } }
  }
}

answerQuestions<InspectionQuestion, InspectionAnswer>((questions) => Promise.all(questions.map(answer)))
