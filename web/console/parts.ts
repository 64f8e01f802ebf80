import type { Session } from '../shared/shapes.ts'
import type { ConsoleKey } from './texts.ts'
import type { OpenView } from './view.ts'
import { auditView } from './views/audit.ts'
import { fileView } from './views/file.ts'
import { filesView } from './views/files.ts'
import { healthView } from './views/health.ts'
import { outboxView } from './views/outbox.ts'
import { overviewView } from './views/overview.ts'
import { policyView } from './views/policy.ts'
import { quarantineView } from './views/quarantine.ts'

/** What there is in the console, and where. */
export interface Part {
  path: string
  title: ConsoleKey
  /** An icon of Spark's. */
  picture: string
  /** For who may only read, too. */
  forReaders?: true
  open: OpenView
  /** Whether this path lies in it. */
  isWithin(path: string): boolean
}

const exactly = (path: string) => ({ path, isWithin: (one: string) => one === path })

const parts: Part[] = [
  { ...exactly('/'), title: 'overview', picture: 'fa/chart-column-regular', open: overviewView },
  {
    path: '/files',
    isWithin: (path) => path === '/files' || path.startsWith('/files/'),
    title: 'files',
    picture: 'fa/files-regular',
    forReaders: true,
    open: (desk, address) => (address.path === '/files' ? filesView : fileView)(desk, address),
  },
  { ...exactly('/quarantine'), title: 'quarantine', picture: 'fa/shield-keyhole-regular', open: quarantineView },
  { ...exactly('/confirmations'), title: 'outbox', picture: 'fa/envelope-regular', open: outboxView },
  { ...exactly('/policy'), title: 'policy', picture: 'fa/list-ul-regular', open: policyView },
  { ...exactly('/audit'), title: 'audit', picture: 'fa/clock-rotate-left-regular', open: auditView },
  { ...exactly('/health'), title: 'health', picture: 'fa/key-regular', open: healthView },
]

export const partsFor = ({ role }: Session): Part[] => parts.filter(({ forReaders }) => role === 'admin' || forReaders)

/** Null: there is no such part for them. */
export const partAt = (path: string, session: Session): Part | null =>
  partsFor(session).find(({ isWithin }) => isWithin(path)) ?? null
