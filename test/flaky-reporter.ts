import { stripVTControlCharacters } from 'node:util';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/**
 * Lists, at the end of a run, the tests that passed only on a retry, and prints nothing if there are none. The default
 * reporter shows them as passed.
 */
export default class FlakyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const flaky = tests.filter((test) => test.diagnostic()?.flaky === true);
    if (flaky.length === 0) return;
    console.log(` Flaky: ${flaky.length} passed only on a retry`);
    for (const test of flaky) {
      console.log(`  ${test.module.relativeModuleId} > ${test.fullName}`);
      console.log(`    first attempt: ${firstError(test)}`);
    }
  }
}

/** The first line of the first error. A test that passes on a retry keeps the errors of its failed attempts. */
function firstError(test: TestCase): string {
  const message = test.result().errors?.[0]?.message ?? 'failed without an error';
  return stripVTControlCharacters(message).trim().split('\n')[0] ?? '';
}
