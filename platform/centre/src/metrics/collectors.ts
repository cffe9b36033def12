/** The numbers of the centre as metrics. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { conditionStands } from '../alarms/machine.ts';
import type { ApiContext } from '../api/context.ts';
import type { Database } from '../database/database.ts';
import type { LogReader, SourceStatus } from '../ports.ts';
import { fromCounters, type Metric, type Metrics, single } from './metrics.ts';

type Numbers = Readonly<Record<string, unknown>>;

/** Counters of the core by part, as far as it has them. */
export type CoreCounters = Readonly<Record<string, () => Numbers>>;

export function collect(
  metrics: Metrics,
  context: ApiContext,
  log: LogReader,
  database: Database,
  coreCounters: CoreCounters,
): void {
  const { accounts, commands, inspections, journal, sources, stream } = context;
  metrics.add(() => context.httpMetrics.collect());
  metrics.add(() => {
    const { first, next } = log.bounds();
    return [
      single('enerchain_log_first_offset', 'gauge', 'Oldest record that the ingest log keeps', first),
      single('enerchain_log_next_offset', 'counter', 'Records that the ingest log has taken', next),
    ];
  });
  for (const [part, counters] of Object.entries(coreCounters)) metrics.add(() => fromCounters(part, part, counters()));
  metrics.add(() => sourceMetrics(sources.status()));
  metrics.add(() => [
    single('enerchain_database_available', 'gauge', '1 while the database answers', database.available ? 1 : 0),
    ...fromCounters('database', 'statements and transactions', { ...database.counters }),
  ]);
  metrics.add(() => [
    single('enerchain_journal_offset', 'gauge', 'Next record that the journal will read', journal.offset),
    single('enerchain_journal_pending_rows', 'gauge', 'Rows that wait for the database', journal.pendingRows),
    ...fromCounters('journal', 'events and alarms from the log', journal.counters),
    ...fromCounters('derivation', 'events and alarms from the log', journal.derivationCounters),
  ]);
  metrics.add(() => [alarmMetric(journal.standingAlarms())]);
  metrics.add(() => [
    single('enerchain_commands_open', 'gauge', 'Commands that are not over', commands.running),
    ...fromCounters('commands', 'commands', commands.counters),
  ]);
  metrics.add(() => fromCounters('inspections', 'questions about devices', inspections.counters));
  metrics.add(() => [
    single('enerchain_stream_clients', 'gauge', 'Clients of the live stream', stream.size),
    ...fromCounters('stream', 'live stream', stream.counters),
  ]);
  metrics.add(() => [
    single('enerchain_sessions', 'gauge', 'Sessions of users', accounts.sessionCount),
    ...fromCounters('accounts', 'log-in', accounts.counters),
  ]);
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  metrics.add(() => processMetrics(delay));
}

function sourceMetrics(all: readonly SourceStatus[]): Metric[] {
  const bySource = (
    name: string,
    help: string,
    type: 'counter' | 'gauge',
    of: (status: SourceStatus) => number,
  ): Metric => ({
    name,
    help,
    type,
    samples: all.map((status) => ({ labels: { source: status.source, role: status.role }, value: of(status) })),
  });
  return [
    bySource('enerchain_source_connected', '1 while the source is connected', 'gauge', ({ connected }) =>
      Number(connected),
    ),
    bySource('enerchain_source_batches_total', 'Batches taken', 'counter', ({ batches }) => batches),
    bySource(
      'enerchain_source_observations_total',
      'Observations taken',
      'counter',
      ({ observations }) => observations,
    ),
    bySource('enerchain_source_rejected_total', 'Observations rejected', 'counter', ({ rejected }) => rejected),
    bySource('enerchain_source_gaps_total', 'Gap records', 'counter', ({ gaps }) => gaps),
    bySource('enerchain_source_chain_breaks_total', 'Breaks of the chain', 'counter', ({ chainBreaks }) => chainBreaks),
    {
      name: 'enerchain_endpoint_up',
      help: '1 while the device answers its gateway',
      type: 'gauge',
      samples: all.flatMap(({ source, report }) =>
        (report?.endpoints ?? []).map(({ id, protocol, state }) => ({
          labels: { source, endpoint: id, protocol },
          value: Number(state === 'up'),
        })),
      ),
    },
  ];
}

function alarmMetric(standing: ReturnType<ApiContext['journal']['standingAlarms']>): Metric {
  const counts = new Map<string, number>();
  for (const { priority, state } of standing) {
    const key = `${priority} ${state}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return {
    name: 'enerchain_alarms',
    help: 'Alarms that are not normal',
    type: 'gauge',
    samples: [...counts].map(([key, value]) => {
      const [priority = '', state = ''] = key.split(' ');
      return { labels: { priority, state, stands: String(conditionStands(state as 'normal')) }, value };
    }),
  };
}

function processMetrics(delay: ReturnType<typeof monitorEventLoopDelay>): Metric[] {
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return [
    single('process_resident_memory_bytes', 'gauge', 'Resident memory', rss),
    single('nodejs_heap_used_bytes', 'gauge', 'Heap in use', heapUsed),
    single('process_cpu_seconds_total', 'counter', 'CPU time', (user + system) / 1e6),
    single('nodejs_eventloop_delay_p99_seconds', 'gauge', 'Delay of the event loop, 99 %', delay.percentile(99) / 1e9),
  ];
}
