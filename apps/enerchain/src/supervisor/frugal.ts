/**
 * A whole system on one machine is eight processes of Node that do little most of the time. Node is made for one that does
 * much: V8 lets the young generation grow to 48 MiB before it looks at it, and glibc gives each thread an arena of its own
 * and hands nothing back. Measured two minutes after the start, without the database: 1 390 MiB (PSS) without these settings,
 * 900 with those of V8, 660 with all. A centre or gateway that is started by itself has none of them.
 */
export const FRUGAL = {
  options: ['--max-semi-space-size=1', '--optimize-for-size'],
  env: {
    MALLOC_ARENA_MAX: '1',
    // Fixed, or glibc raises both with the first large block that is freed.
    MALLOC_TRIM_THRESHOLD_: '131072',
    MALLOC_MMAP_THRESHOLD_: '131072',
  },
} as const;
