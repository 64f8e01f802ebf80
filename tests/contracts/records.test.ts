import { temporaryRecords } from '../database.ts'
import { dayContract } from './days.ts'
import { gatewayContract } from './gateway.ts'
import { holdContract } from './holds.ts'
import { keyContract } from './keys.ts'
import { linkContract } from './links.ts'
import { pullContract } from './pulls.ts'
import { recordsContract } from './records.ts'
import { scrubContract } from './scrubs.ts'
import { sessionContract } from './sessions.ts'

recordsContract('SQLite', temporaryRecords)
pullContract('SQLite', temporaryRecords)
holdContract('SQLite', temporaryRecords)
scrubContract('SQLite', temporaryRecords)
gatewayContract('SQLite', temporaryRecords)
keyContract('SQLite', temporaryRecords)
sessionContract('SQLite', temporaryRecords)
linkContract('SQLite', temporaryRecords)
dayContract('SQLite', temporaryRecords)
