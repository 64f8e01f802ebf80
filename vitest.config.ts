import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Journeys that change what is in the records run over both databases. */
const overBoth = [
  'tests/journeys/{push,twice,reading,tickets,limits,quarantine,recall,pull,alerts,kill,model,people,links,live,adminApi}.test.ts',
  'tests/gateway/{gateway,resilience}.test.ts',
]

export default defineConfig({
  test: {
    // Real processes, databases and disks stand behind many tests: the limits are watchdogs against hangs, not timings.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // By default one fewer, which on two processors is one.
    maxWorkers: Math.max(2, availableParallelism()),
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
