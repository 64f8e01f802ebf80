import { answerQuestions } from '../thread.ts'
import { adoptAll } from './adopt.ts'

/** Takes over what waits, together. */
answerQuestions(adoptAll)
