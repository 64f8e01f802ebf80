import type { Reporter, TestModule } from 'vitest/node'

/** Ends a run with the one line `N passed, N failed, N skipped`, and says of each skipped test what brings it. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    const skipped: string[] = []
    for (const module of modules) {
      // A file that fails before its tests are known has none to count.
      if (module.state() === 'failed' && [...module.children.allTests('failed')].length === 0) count.failed++
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') count.passed++
        else if (state === 'failed') count.failed++
        else {
          count.skipped++
          skipped.push(`skipped: ${test.fullName}`)
        }
      }
    }
    // After the other reporters: this line is the last.
    setImmediate(() => {
      for (const line of skipped) console.log(line)
      console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
    })
  }
}
