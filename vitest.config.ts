import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/build.ts'],
    setupFiles: ['test/seed.ts'],
    // Tests start real processes and use real clocks, and machines have other work. The reporter lists what needed a retry.
    retry: 1,
    reporters: ['default', './test/flaky-reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
