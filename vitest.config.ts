import { defineConfig } from 'vitest/config';

/**
 * Two suites. `fast` is what a developer runs before each commit: no network beyond loopback, no third-party
 * program, two and a half minutes on two cores. `slow` (files named `*.slow.test.ts`) is chaos, soak and long fuzzing.
 *
 * Limits of time only end what would never end: a machine that is busy elsewhere stands still for seconds.
 */
const slow = process.env.ENERCHAIN_SUITE === 'slow';
const notHere = ['**/node_modules/**', '**/.peers/**', 'interop/**', ...(slow ? [] : ['**/*.slow.test.ts'])];
const testsOf = (folder: string): string => `${folder}/test/**/*${slow ? '.slow' : ''}.test.ts`;

/**
 * Files of these packages share a process, as nothing of theirs outlives a file in it: that spares a fifth of the
 * processor time. Not those that keep a folder, an interface, a library or a hook per process: `pki`, `ethernet`,
 * `attestation`, `service`, and whatever runs whole programs.
 */
const shared = [
  ...['cim', 'iec60870', 'iec61850', 'mms', 'tpm2', 'xml'].map((name) => `standards/${name}`),
  ...['link', 'model', 'provenance', 'tcn', 'trust'].map((name) => `platform/${name}`),
  'services/*',
].map(testsOf);

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: slow ? 2 : 4, // tests of the fast suite wait for sockets and disks for a good part of their time
    projects: [
      { extends: true, test: { name: 'shared', isolate: false, include: shared, exclude: notHere } },
      { extends: true, test: { name: 'alone', include: [testsOf('**')], exclude: [...notHere, ...shared] } },
    ],
    testTimeout: slow ? 600_000 : 90_000,
    hookTimeout: slow ? 120_000 : 90_000,
    expect: { poll: { timeout: 30_000, interval: 10 } },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  },
});
