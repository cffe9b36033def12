import { defineConfig } from 'vitest/config';

/** Tests against programs that others wrote. One file after the other: peers share the machine with what they measure. */
export default defineConfig({
  root: import.meta.dirname,
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.peers/**'],
    globalSetup: ['./setup.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    // They end what would never end: a machine that is busy elsewhere stands still for seconds.
    testTimeout: 240_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  },
});
