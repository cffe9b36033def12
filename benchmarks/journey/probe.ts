/**
 * Loaded into the processes of the journey benchmark (`--import`): writes the longest delays of the event loop and of the
 * garbage collector, once a second, to `$JOURNEY_PROBE/<name>-<pid>.jsonl`.
 */
import { appendFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';

function megabytes(): Record<string, number> {
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
  const mega = (bytes: number): number => Math.round(bytes / 1e6);
  return {
    rss: mega(rss),
    heapUsed: mega(heapUsed),
    heapTotal: mega(heapTotal),
    external: mega(external),
    arrayBuffers: mega(arrayBuffers),
  };
}

const folder = process.env.JOURNEY_PROBE;
if (folder !== undefined) {
  const name = [basename(process.argv[1] ?? 'node', '.ts'), process.argv[2]?.replace(/\W/g, '')].join('-');
  const file = join(folder, `${name}-${process.pid}.jsonl`);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  let gc = { count: 0, total: 0, longest: 0 };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      gc = { count: gc.count + 1, total: gc.total + duration, longest: Math.max(gc.longest, duration) };
    }
  }).observe({ entryTypes: ['gc'] });
  let before = process.cpuUsage();
  let utilisation = performance.eventLoopUtilization();
  setInterval(() => {
    const cpu = process.cpuUsage(before);
    const elu = performance.eventLoopUtilization(utilisation);
    const ms = (nanos: number): number => Math.round(nanos / 1e5) / 10;
    const line = {
      at: new Date().toISOString(),
      delayP50: ms(delay.percentile(50)),
      delayP99: ms(delay.percentile(99)),
      delayMax: ms(delay.max),
      cpu: Math.round((cpu.user + cpu.system) / 1e4) / 100,
      busy: Math.round(elu.utilization * 100) / 100,
      gcs: gc.count,
      gcMs: Math.round(gc.total),
      gcMax: Math.round(gc.longest),
      ...megabytes(),
    };
    appendFileSync(file, `${JSON.stringify(line)}\n`);
    delay.reset();
    gc = { count: 0, total: 0, longest: 0 };
    before = process.cpuUsage();
    utilisation = performance.eventLoopUtilization();
  }, 1000).unref();
}
