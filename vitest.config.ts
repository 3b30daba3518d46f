import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/build.ts'],
    setupFiles: ['test/seed.ts'],
    // Real processes and real clocks on machines that have other things to do: what fails twice is broken.
    retry: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
