import type { CompiledQuery, Insertable, Kysely, QueryResult } from 'kysely'
import type { Schema } from '../schema.ts'

/**
 * Queries that every file needs are compiled once for each database: building and compiling one costs more than running it.
 * Only the parameters change.
 */
const compiled = new WeakMap<Kysely<Schema>, Map<string, CompiledQuery>>()

function compiledOnce(db: Kysely<Schema>, name: string, compile: () => CompiledQuery): CompiledQuery {
  const known = compiled.get(db) ?? new Map<string, CompiledQuery>()
  compiled.set(db, known)
  const query = known.get(name) ?? compile()
  known.set(name, query)
  return query
}

/** Inserts one row. The columns are those of the row, in its order, none of them undefined. */
export async function insertRow<Table extends keyof Schema>(
  db: Kysely<Schema>,
  table: Table,
  row: Insertable<Schema[Table]>,
): Promise<void> {
  const columns = Object.keys(row)
  const name = `insert ${table} ${columns.join()}`
  const query = compiledOnce(db, name, () => db.insertInto(table).values(row).compile())
  await db.executeQuery({ ...query, parameters: Object.values(row) })
}

/** A query that is always the same, parameters too. */
export function fixedQuery<Row>(name: string, build: (db: Kysely<Schema>) => { compile(): CompiledQuery<Row> }) {
  return (db: Kysely<Schema>): Promise<QueryResult<Row>> =>
    db.executeQuery(compiledOnce(db, name, () => build(db).compile()) as CompiledQuery<Row>)
}
