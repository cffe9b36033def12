import { defineConfig } from 'vitest/config';

/**
 * Two suites. `fast` is what a developer runs before each commit: no network beyond loopback, no third-party
 * program, two to three minutes on two cores. `slow` (files named `*.slow.test.ts`) is chaos, soak and long fuzzing.
 */
const slow = process.env.ENERCHAIN_SUITE === 'slow';

export default defineConfig({
  test: {
    include: slow ? ['**/test/**/*.slow.test.ts'] : ['**/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.peers/**', 'interop/**', ...(slow ? [] : ['**/*.slow.test.ts'])],
    pool: 'forks',
    maxWorkers: slow ? 2 : 4, // tests of the fast suite wait for sockets and disks for a good part of their time
    testTimeout: slow ? 600_000 : 20_000,
    hookTimeout: slow ? 120_000 : 30_000,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  },
});
