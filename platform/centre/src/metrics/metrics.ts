/** Prometheus text exposition (format 0.0.4): whoever has numbers registers a function that is asked at each scrape. */

export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** `_bucket`, `_sum`, `_count` of a histogram. */
  readonly suffix?: string;
}

export type Collector = () => Iterable<Metric>;

export class Metrics {
  readonly #collectors: Collector[] = [];

  add(collector: Collector): void {
    this.#collectors.push(collector);
  }

  /** A collector that fails leaves out its own numbers and no others. */
  text(): string {
    const lines: string[] = [];
    for (const collector of this.#collectors) {
      const own: string[] = [];
      try {
        for (const { name, help, type, samples } of collector()) {
          own.push(`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${type}`);
          for (const { value, labels, suffix } of samples)
            own.push(`${name}${suffix ?? ''}${labelText(labels)} ${numberText(value)}`);
        }
      } catch {
        continue;
      }
      lines.push(...own);
    }
    return `${lines.join('\n')}\n`;
  }
}

/** One metric without labels. */
export const single = (name: string, type: 'counter' | 'gauge', help: string, value: number): Metric => ({
  name,
  help,
  type,
  samples: [{ value }],
});

/** Names in counters objects that go up and down, or are maxima. */
const GAUGES = /^(size|queued|open[A-Z]|points$|peers$|lag$|slowest|pending|waiting|handling)/;

/** A documented counters object as metrics: `enerchain_<part>_<counter>_total`, or without `_total` what is a gauge. */
export function fromCounters(part: string, help: string, counters: Readonly<Record<string, unknown>>): Metric[] {
  return Object.entries(counters)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .map(([name, value]) =>
      GAUGES.test(name)
        ? single(`enerchain_${part}_${snake(name)}`, 'gauge', `${help}: ${name}`, value)
        : single(`enerchain_${part}_${snake(name)}_total`, 'counter', `${help}: ${name}`, value),
    );
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  const entries = Object.entries(labels ?? {});
  if (entries.length === 0) return '';
  const quote = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `{${entries.map(([name, value]) => `${name}="${quote(value)}"`).join(',')}}`;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

/** Requests by route, method and status class, and their durations. */
export class HttpMetrics {
  static readonly BUCKETS_SECONDS = [0.005, 0.025, 0.1, 0.5, 2.5, 10];
  readonly #requests = new Map<string, { labels: Record<string, string>; count: number }>();
  readonly #buckets: number[] = HttpMetrics.BUCKETS_SECONDS.map(() => 0);
  #count = 0;
  #sum = 0;

  /** @param route the pattern of the route, never the address itself: the number of patterns is bounded */
  observe(method: string, route: string, status: number, seconds: number): void {
    const code = `${Math.floor(status / 100)}xx`;
    const key = `${method} ${route} ${code}`;
    const entry = this.#requests.get(key) ?? { labels: { method, route, code }, count: 0 };
    entry.count++;
    this.#requests.set(key, entry);
    this.#count++;
    this.#sum += seconds;
    for (const [index, limit] of HttpMetrics.BUCKETS_SECONDS.entries())
      if (seconds <= limit) this.#buckets[index] = (this.#buckets[index] as number) + 1;
  }

  collect(): Metric[] {
    const bounds = [...HttpMetrics.BUCKETS_SECONDS, Number.POSITIVE_INFINITY];
    return [
      {
        name: 'enerchain_http_requests_total',
        help: 'HTTP requests by route and class of status',
        type: 'counter',
        samples: [...this.#requests.values()].map(({ labels, count }) => ({ labels, value: count })),
      },
      {
        name: 'enerchain_http_request_duration_seconds',
        help: 'Time to answer HTTP requests, streams left out',
        type: 'histogram',
        samples: [
          ...bounds.map((bound, index) => ({
            suffix: '_bucket',
            labels: { le: numberText(bound) },
            value: this.#buckets[index] ?? this.#count,
          })),
          { suffix: '_sum', value: this.#sum },
          { suffix: '_count', value: this.#count },
        ],
      },
    ];
  }
}
