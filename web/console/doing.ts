import { nothing, type TemplateResult } from 'lit'
import { Problem } from '../shared/api.ts'
import { announce } from '../shared/elements/live.ts'
import { notice } from '../shared/elements/notice.ts'
import { plainly } from '../shared/plainly.ts'
import type { Desk } from './view.ts'

/** What came of the last thing that was done in a part of the console, above everything else there. */
export interface Doing {
  /** Does it, unless something is being done already. `words`: what it means when the service knows of nothing like it. */
  do(work: () => Promise<string | null>, words?: { missing: string }): Promise<void>
  draw(): TemplateResult | typeof nothing
}

/** `after`: something was done, so that what is shown is old. */
export function doing(desk: Desk, after: () => Promise<void>): Doing {
  let said: { kind: 'info' | 'error'; text: string } | null = null
  let busy = false
  return {
    async do(work, { missing } = { missing: desk.texts.say('otherState') }) {
      if (busy) return
      busy = true
      try {
        const text = await work()
        if (text !== null) {
          said = { kind: 'info', text }
          announce(text)
          await after()
        }
      } catch (error) {
        if (error instanceof Problem && error.status === 401) return desk.ended()
        const isMissing = error instanceof Problem && (error.status === 404 || error.status === 409)
        said = { kind: 'error', text: isMissing ? missing : plainly(error, desk.texts) }
      } finally {
        busy = false
      }
      desk.redraw()
    },
    draw: () => (said === null ? nothing : notice(said.kind, said.text)),
  }
}
