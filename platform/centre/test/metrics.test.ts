import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { UnreachableDevice } from '../src/events/derivation.ts';
import { DeviceWatch } from '../src/events/device-watch.ts';
import { SourceWatch } from '../src/events/source-watch.ts';
import { healthOf } from '../src/metrics/health.ts';
import { fromCounters, HttpMetrics, Metrics } from '../src/metrics/metrics.ts';
import { MemoryLog, MemorySources, TestClock } from './doubles.ts';

describe('metrics', () => {
  it('are Prometheus text, with labels that cannot break out of their quotes', () => {
    const metrics = new Metrics();
    metrics.add(() => [
      { name: 'x', help: 'two\nlines', type: 'gauge', samples: [{ value: 1, labels: { source: 'a"b\\c\nd' } }] },
    ]);
    expect(metrics.text()).toBe('# HELP x two\\nlines\n# TYPE x gauge\nx{source="a\\"b\\\\c\\nd"} 1\n');
  });

  it('leave out a part that fails, and no other', () => {
    const metrics = new Metrics();
    metrics.add(() => {
      throw new Error('broken');
    });
    metrics.add(() => fromCounters('log', 'the log', { records: 7, queuedBytes: 3, name: 'x' }));
    expect(
      metrics
        .text()
        .split('\n')
        .filter((line) => line && !line.startsWith('#')),
    ).toEqual(['enerchain_log_records_total 7', 'enerchain_log_queued_bytes 3']);
  });

  it('count requests by route in cumulative buckets', () => {
    const http = new HttpMetrics();
    for (const seconds of [0.001, 0.02, 3]) http.observe('GET', '/x/:id', 200, seconds);
    const metrics = new Metrics();
    metrics.add(() => http.collect());
    const text = metrics.text();
    expect(text).toContain('enerchain_http_requests_total{method="GET",route="/x/:id",code="2xx"} 3');
    expect(text).toContain('_bucket{le="0.005"} 1');
    expect(text).toContain('_bucket{le="2.5"} 2');
    expect(text).toContain('_bucket{le="+Inf"} 3');
  });

  it('stand beside a health of one sentence per reason', () => {
    expect(healthOf([() => undefined])).toEqual({ status: 'ok', reasons: [] });
    expect(healthOf([() => 'the database is away', () => undefined])).toEqual({
      status: 'degraded',
      reasons: ['the database is away'],
    });
  });
});

describe('the watch over sources', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const setUp = (lost: string[] = []) => {
    const log = new MemoryLog(new TestClock());
    const sources = new MemorySources();
    const said = () => log.audits().map(({ action, subject }) => `${action} ${subject}`);
    const open = () => new SourceWatch({ sources, audit: log, lost, grace: 10_000 });
    return { sources, said, open };
  };

  it('calls a source lost after it has been away for a while, and back when it is', () => {
    const { sources, said, open } = setUp();
    open();
    sources.set('edge-a', true);
    sources.set('edge-a', false);
    vi.advanceTimersByTime(9_999);
    sources.set('edge-a', true);
    vi.advanceTimersByTime(60_000);
    expect(said()).toEqual([]);
    sources.set('edge-a', false);
    vi.advanceTimersByTime(10_000);
    sources.set('edge-a', true);
    expect(said()).toEqual(['source.lost edge-a', 'source.back edge-a']);
  });

  it('says once that a source is lost that a former run has lost already', () => {
    const { sources, said, open } = setUp(['edge-a']);
    sources.set('edge-a', false);
    sources.set('edge-b', false);
    open();
    vi.advanceTimersByTime(60_000);
    expect(said()).toEqual(['source.lost edge-b']);
  });
});

describe('the watch over devices', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const setUp = () => {
    const log = new MemoryLog(new TestClock());
    const sources = new MemorySources();
    sources.set('edge-a', true);
    let away: UnreachableDevice[] = [];
    let changed = () => {};
    const watch = new DeviceWatch({
      unreachable: () => away,
      onChange: (listener) => {
        changed = listener;
        return () => {};
      },
      sources,
      audit: log,
      grace: 10_000,
    });
    const set = (...endpoints: string[]) => {
      away = endpoints.map((endpoint) => ({ source: 'edge-a', endpoint, at: '0' }));
      changed();
    };
    const said = () => log.audits().map(({ action, subject }) => `${action} ${subject}`);
    return { sources, set, said, watch };
  };

  it('says that a device is lost once it has been away for a while', () => {
    const { set, said } = setUp();
    set('rtu-1', 'rtu-2');
    vi.advanceTimersByTime(9_000);
    set('rtu-2');
    vi.advanceTimersByTime(60_000);
    expect(said()).toEqual(['device.lost endpoint:edge-a:rtu-2']);
  });

  it('says nothing about devices while their gateway is away', () => {
    const { sources, set, said } = setUp();
    set('rtu-1');
    sources.set('edge-a', false);
    vi.advanceTimersByTime(60_000);
    expect(said()).toEqual([]);
    sources.set('edge-a', true);
    vi.advanceTimersByTime(10_000);
    expect(said()).toEqual(['device.lost endpoint:edge-a:rtu-1']);
  });
});
