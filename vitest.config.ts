import { defineConfig } from 'vitest/config'

/** Journeys that depend on nothing of SQLite run over both databases. */
const overBoth = [
  'tests/journeys/{push,twice,reading,tickets,signed,limits,quarantine,recall,pull,backfill,events,alerts,errors,kill,model}.test.ts',
  'tests/gateway/*.test.ts',
]

export default defineConfig({
  test: {
    // Real processes, databases and disks stand behind many tests: the limits are watchdogs against hangs, not timings.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    reporters: ['default', './tests/countReporter.ts'],
    projects: [
      { extends: true, test: { name: 'sqlite', include: ['src/**/*.test.ts', 'tests/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: overBoth,
          globalSetup: './tests/sharedPostgres.ts',
          setupFiles: './tests/skipWithoutPostgres.ts',
        },
      },
    ],
  },
})
