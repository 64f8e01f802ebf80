import { createHash } from 'node:crypto'
import { ConfigError, Unavailable } from '../errors.ts'
import type { MovedTable, MovingInto } from '../records/postgres/moving.ts'
import { abandon, type Database, openDatabase } from '../records/sqlite/database.ts'
import type { Progress } from './progress.ts'
import { keyOf, lineOf, pageQuery, type Table, tablesOf, type Value } from './tables.ts'

type Row = Record<string, Value>

const page = 2000

/**
 * Copies all records from the SQLite database at `path` into an empty PostgreSQL one, page by page; killed, it goes on where it was.
 * Nobody writes to the source meanwhile. Then each table is compared row by row, and only then can it be served from. Returns
 * how many rows there are. Throws `ConfigError` when the two do not fit, `Unavailable` when a table is not the same.
 */
export async function moveDatabase(path: string, target: MovingInto, progress: Progress): Promise<number> {
  const source = openDatabase(path)
  try {
    source.exec('BEGIN IMMEDIATE')
    const tables = tablesOf(source)
    const moved = await target.begin(
      tables.map(({ name }) => name),
      stateOf(source),
    )
    const counts = tables.map(({ name }) => countOf(source, name))
    const total = counts.reduce((sum, count) => sum + count, 0)
    progress.begin('rows copied', total)
    for (const [i, table] of tables.entries())
      await copyTable(source, table, { target, from: moved.get(table.name), count: counts[i]!, progress })
    progress.begin('rows compared', total)
    for (const table of tables) await compareTable(source, table, target, progress)
    progress.end()
    await target.end()
    return total
  } finally {
    progress.end()
    abandon(source)
  }
}

/** What the source is known again by: the end of its audit trail, which every start and every command goes on with. */
function stateOf(source: Database): string {
  const row = source.prepare('SELECT node, seq, digest FROM audit ORDER BY seq DESC LIMIT 1').get()
  return JSON.stringify(row ?? null)
}

function countOf(source: Database, table: string): number {
  return (source.prepare(`SELECT count(*) AS count FROM ${table}`).get() as { count: number }).count
}

function* pagesOf(source: Database, table: Table, from: Value[] | null): Generator<Row[]> {
  for (let after = from; ; ) {
    const rows = source.prepare(pageQuery(table, after !== null, page, () => '?')).all(...(after ?? [])) as Row[]
    yield rows
    if (rows.length < page) return
    after = keyOf(table, rows.at(-1)!)
  }
}

async function copyTable(
  source: Database,
  table: Table,
  {
    target,
    from,
    count,
    progress,
  }: { target: MovingInto; from: MovedTable | undefined; count: number; progress: Progress },
): Promise<void> {
  if (from?.done) return progress.step(count)
  const types = await target.columns(table.name)
  if (table.columns.length !== types.size || table.columns.some((name) => !types.has(name)))
    throw new ConfigError([`The table ${table.name} is another in PostgreSQL: are both schemas of this version?`])
  let after = (from?.lastKey ?? null) as Value[] | null
  let copied = 0
  for (const rows of pagesOf(source, table, after)) {
    if (rows.length > 0) after = keyOf(table, rows.at(-1)!)
    await target.add(
      table.name,
      table.columns.map((name) => [name, types.get(name)!, rows.map((row) => asParameter(row[name]!))]),
      { lastKey: after, done: rows.length < page },
    )
    copied += rows.length
    progress.step(rows.length)
  }
  // What a run before this one has copied.
  progress.step(count - copied)
}

function asParameter(value: Value): unknown {
  return value instanceof Uint8Array ? Buffer.from(value) : value
}

async function compareTable(source: Database, table: Table, target: MovingInto, progress: Progress): Promise<void> {
  const [here, there] = [createHash('sha256'), createHash('sha256')]
  let [rowsHere, rowsThere] = [0, 0]
  for (const rows of pagesOf(source, table, null)) {
    for (const row of rows) here.update(lineOf(table, row))
    rowsHere += rows.length
    progress.step(rows.length)
  }
  for (let after: Value[] | null = null; ; ) {
    const query: string = pageQuery(table, after !== null, page, (n) => `$${n}`)
    const rows = (await target.rows(query, after ?? [])) as Row[]
    for (const row of rows) there.update(lineOf(table, row))
    rowsThere += rows.length
    if (rows.length < page) break
    after = keyOf(table, rows.at(-1)!)
  }
  if (rowsHere !== rowsThere || !here.digest().equals(there.digest()))
    throw new Unavailable(
      `the table ${table.name} is not the same in PostgreSQL (${rowsHere} rows here, ${rowsThere} there): move into another, empty database`,
    )
}
