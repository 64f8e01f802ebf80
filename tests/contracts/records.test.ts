import { temporaryRecords } from '../database.ts'
import { recordsContract } from './records.ts'

recordsContract('SQLite', temporaryRecords)
