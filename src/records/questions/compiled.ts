import type { CompiledQuery, Insertable, Kysely, QueryResult } from 'kysely'
import type { Schema } from '../schema.ts'

/**
 * Queries that every file needs are compiled once for each database: building and compiling one costs more than running it.
 * Only the parameters change.
 */
const compiled = new WeakMap<Kysely<Schema>, Map<string, CompiledQuery>>()

/** Runs a compiled query and answers what Kysely would. */
export type Run = (query: CompiledQuery) => QueryResult<unknown>

const direct = new WeakMap<Kysely<Schema>, Run>()

/**
 * Compiled queries of this database are run by `run`. Where a query is a call and no journey, what Kysely does around it, a
 * dozen promises, costs more than the query.
 */
export function runDirectly(db: Kysely<Schema>, run: Run): void {
  direct.set(db, run)
}

async function execute<Row>(db: Kysely<Schema>, query: CompiledQuery<Row>): Promise<QueryResult<Row>> {
  const run = direct.get(db)
  return run ? (run(query) as QueryResult<Row>) : db.executeQuery(query)
}

function compiledOnce(db: Kysely<Schema>, name: string, compile: () => CompiledQuery): CompiledQuery {
  const known = compiled.get(db) ?? new Map<string, CompiledQuery>()
  compiled.set(db, known)
  const query = known.get(name) ?? compile()
  known.set(name, query)
  return query
}

/**
 * Inserts one row; `if new`: or leaves the one that is there under its key. The columns are those of the row, in its order,
 * none of them undefined.
 */
export async function insertRow<Table extends keyof Schema>(
  db: Kysely<Schema>,
  table: Table,
  row: Insertable<Schema[Table]>,
  when: 'always' | 'if new' = 'always',
): Promise<void> {
  const query = compiledOnce(db, `insert ${when} ${table} ${Object.keys(row).join()}`, () => {
    const insert = db.insertInto(table).values(row)
    return when === 'if new' ? insert.onConflict((conflict) => conflict.doNothing()).compile() : insert.compile()
  })
  await execute(db, { ...query, parameters: Object.values(row) })
}

/** One query of this name: as it was compiled first, with these parameters in the order in which it was built. */
export async function askCompiled<Row>(
  db: Kysely<Schema>,
  name: string,
  build: () => { compile(): CompiledQuery<Row> },
  parameters: unknown[],
): Promise<Row[]> {
  const query = compiledOnce(db, name, () => build().compile())
  return (await execute(db, { ...query, parameters } as CompiledQuery<Row>)).rows
}

/** As `askCompiled`, of a query that changes rows. Tells how many. */
export async function changeCompiled(
  db: Kysely<Schema>,
  name: string,
  build: () => { compile(): CompiledQuery },
  parameters: unknown[],
): Promise<number> {
  const query = compiledOnce(db, name, () => build().compile())
  return Number((await execute(db, { ...query, parameters })).numAffectedRows ?? 0)
}

/** A query that is always the same, parameters too. */
export function fixedQuery<Row>(name: string, build: (db: Kysely<Schema>) => { compile(): CompiledQuery<Row> }) {
  return (db: Kysely<Schema>): Promise<QueryResult<Row>> =>
    execute(db, compiledOnce(db, name, () => build(db).compile()) as CompiledQuery<Row>)
}
