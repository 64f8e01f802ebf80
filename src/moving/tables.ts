import type { Database } from '../records/sqlite/database.ts'

/** A table as it stands in SQLite. */
export interface Table {
  name: string
  columns: string[]
  /** What its rows are unique by, and ordered. */
  key: string[]
}

export type Value = string | number | null | Uint8Array

/** Not copied: what each database knows of its own schema, and what it counts itself as rows come in. */
const own = ['migrations', 'files_by_day']

/** Every table of the records. The master keys' is the last: without it nothing can be served. */
export function tablesOf(database: Database): Table[] {
  const names = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    .all() as { name: string }[]
  const last = 'master_keys'
  return names
    .map(({ name }) => name)
    .filter((name) => !own.includes(name))
    .sort((a, b) => Number(a === last) - Number(b === last))
    .map((name) => tableOf(database, name))
}

function tableOf(database: Database, name: string): Table {
  const columns = database.prepare(`SELECT name, pk FROM pragma_table_info('${name}')`).all() as {
    name: string
    pk: number
  }[]
  const primary = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk)
  const key = primary.length > 0 ? primary : uniqueOf(database, name)
  if (key.length === 0) throw new Error(`the table ${name} has no key`)
  return { name, columns: columns.map((column) => column.name), key: key.map((column) => column.name) }
}

function uniqueOf(database: Database, name: string): { name: string }[] {
  const indices = database.prepare(`SELECT name FROM pragma_index_list('${name}') WHERE "unique" AND NOT partial`).all()
  const [index] = indices as { name: string }[]
  if (!index) return []
  return database.prepare(`SELECT name FROM pragma_index_info('${index.name}') ORDER BY seqno`).all() as {
    name: string
  }[]
}

/** The page of rows behind those up to `after`, in the order of the key. `mark` names a parameter. */
export function pageQuery({ name, columns, key }: Table, after: boolean, limit: number, mark: (n: number) => string) {
  const where = after ? ` WHERE (${key.join(', ')}) > (${key.map((_, i) => mark(i + 1)).join(', ')})` : ''
  return `SELECT ${columns.map(quoted).join(', ')} FROM ${name}${where} ORDER BY ${key.join(', ')} LIMIT ${limit}`
}

export function quoted(name: string): string {
  return `"${name}"`
}

export function keyOf({ key }: Table, row: Record<string, Value>): Value[] {
  return key.map((name) => row[name]!)
}

/** A row as both databases give it, for a digest. */
export function lineOf({ columns }: Table, row: Record<string, Value>): string {
  const values = columns.map((name) => {
    const value = row[name]
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  })
  return `${JSON.stringify(values)}\n`
}
