/** Milliseconds of one call: of the clock, the median and the best of several runs, and of the processor, on average. */
export interface RunTimes {
  readonly median: number;
  readonly best: number;
  /** What else runs on the machine does not count. */
  readonly cpu: number;
}

/** Four digits. */
export const round = (value: number): number => Number(value.toPrecision(4));

/** @param calls per run; as many come before, unmeasured: the compiler of the runtime needs some to find what is worth its work */
export function timeRuns(runs: number, calls: number, act: () => void): RunTimes {
  for (let i = 0; i < Math.max(3, calls); i++) act();
  const processor = process.cpuUsage();
  const times = Array.from({ length: runs }, () => {
    const before = performance.now();
    for (let i = 0; i < calls; i++) act();
    return (performance.now() - before) / calls;
  }).sort((a, b) => a - b);
  const { user, system } = process.cpuUsage(processor);
  const cpu = (user + system) / 1000 / (runs * calls);
  return { median: round(times[runs >> 1]!), best: round(times[0]!), cpu: round(cpu) };
}
