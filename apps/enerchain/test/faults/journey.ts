/**
 * The whole journey in one process, for tests of faults: a station that numbers its events, a gateway, a centre with its
 * database. Each has its real folder, its real sockets on loopback, and nothing in between.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CentreHandle, type CentreOptions, runCentre } from '@enerchain/centre';
import { type EdgeHandle, runEdge } from '@enerchain/edge';
import { cp56FromEpochMillis, Iec104Server } from '@enerchain/iec60870';
import { type Clock, derivedMrid, type SourceReport } from '@enerchain/model';
import { pino } from 'pino';
import { SystemClient } from '../../src/system-client.ts';
import { readIngestLog } from '../chaos/ingest-log.ts';

const logger = pino({ level: process.env.ENERCHAIN_TEST_LOG ?? 'silent' });

/** Resolves once `condition` holds. Waits for things to happen in other processes and on sockets, never for time to pass. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  milliseconds = 80_000,
): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What is wrong with a list that should hold 0 to n-1 in order; empty when nothing is. Short, where a diff would be long. */
export function wrongWith(values: readonly number[], n: number): string[] {
  const wrong: string[] = [];
  const seen = new Set(values);
  const missing = Array.from({ length: n }, (_, i) => i).filter((i) => !seen.has(i));
  if (missing.length > 0) wrong.push(`${missing.length} missing, first ${missing.slice(0, 5)}`);
  if (values.length !== seen.size) wrong.push(`${values.length - seen.size} more than once`);
  if (seen.size + missing.length !== n) wrong.push(`${seen.size + missing.length - n} that nobody produced`);
  const disordered = values.findIndex((value, i) => i > 0 && value < values[i - 1]!);
  if (disordered >= 0) wrong.push(`out of order at ${disordered}: ${values.slice(disordered - 1, disordered + 4)}`);
  return wrong;
}

/** A device with one point, whose events carry their number as value. */
export class NumberingStation {
  readonly server = new Iec104Server({
    port: 0,
    commonAddresses: [1],
    queue: { capacity: 100_000 },
    handlers: { interrogation: () => [] },
    onAcknowledged: (events) => {
      for (const { objects } of events) this.acknowledged += objects.length;
    },
  });
  produced: number;
  /** Events that the gateway has told it has arrived. */
  acknowledged = 0;

  /** Whether events happen now; otherwise they are of an hour ago. Each is a millisecond later than the one before it. */
  present = false;
  #last = 0;

  /** @param first number of the first event */
  constructor(first = 0) {
    this.produced = first;
  }

  /** @param clockError of the device, milliseconds */
  produce(number: number, clockError = 0): void {
    for (let i = 0; i < number; i += 10) {
      this.server.enqueue({
        typeId: 36,
        commonAddress: 1,
        objects: Array.from({ length: Math.min(10, number - i) }, () => ({
          address: 2,
          time: cp56FromEpochMillis(this.#next() + clockError),
          element: { kind: 'short' as const, value: this.produced++, quality: 0 },
        })),
      });
    }
  }

  /** Not `Date.now()`, which tests set. */
  #next(): number {
    const now = Math.floor(performance.timeOrigin + performance.now()) - (this.present ? 0 : 3_600_000);
    this.#last = Math.max(this.#last + 1, now);
    return this.#last;
  }
}

export interface Endpoint {
  readonly id: string;
  readonly port: number;
}

export class Journey {
  readonly folder = mkdtempSync(join(tmpdir(), 'enerchain-fault-'));
  readonly station = new NumberingStation();
  readonly point = derivedMrid('site', 'rtu', 'ca=1 ioa=2');
  readonly #edges: EdgeHandle[] = [];
  #centre: CentreHandle | undefined;
  #client: SystemClient | undefined;
  #stop = new AbortController();
  #linkPort = 0;
  #httpPort = 0;

  get centreFolder(): string {
    return join(this.folder, 'centre');
  }

  edgeFolder(name = 'edge-nord'): string {
    return join(this.folder, name);
  }

  async startCentre(more: Partial<CentreOptions> = {}): Promise<CentreHandle> {
    mkdirSync(this.centreFolder, { recursive: true });
    this.#stop = new AbortController();
    const centre = await runCentre({
      dataDir: this.centreFolder,
      http: { host: '127.0.0.1', port: this.#httpPort },
      link: { host: '127.0.0.1', port: this.#linkPort },
      logger,
      signal: this.#stop.signal,
      ...more,
    });
    this.#linkPort = Number(new URL(centre.linkUrl).port);
    this.#httpPort = Number(new URL(centre.url).port);
    this.#client = new SystemClient(centre.url, () => readFileSync(centre.adminTokenFile, 'utf8').trim());
    this.#centre = centre;
    return centre;
  }

  async stopCentre(): Promise<void> {
    await this.#centre?.close();
    this.#centre = undefined;
  }

  /** What a gateway needs to be started: its site file, its folder and a token to enrol with. */
  async prepareEdge(
    endpoints: readonly Endpoint[] = [],
    station = this.station,
  ): Promise<{ siteFile: string; dataDir: string; url: string; token: string }> {
    if (!station.server.address) await station.server.listen();
    const all = [{ id: 'rtu', port: station.server.address!.port }, ...endpoints];
    const siteFile = join(this.folder, 'site.yaml');
    writeFileSync(
      siteFile,
      `source: edge-nord
site: { id: site }
uplink: { reportSeconds: 0.2 }
endpoints:
${all
  .map(
    ({ id, port }) => `  - id: ${id}
    protocol: iec104
    host: 127.0.0.1
    port: ${port}
    commonAddress: 1
    points:
      - { name: number of ${id}, ioa: 2, type: M_ME_TF_1 }
`,
  )
  .join('')}`,
    );
    const token = await this.#centre!.createEnrolmentToken('edge-nord', 'edge');
    return { siteFile, dataDir: this.edgeFolder(), url: this.#centre!.linkUrl.replace('https:', 'wss:'), token };
  }

  async startEdge(
    options: { endpoints?: readonly Endpoint[]; dataDir?: string; clock?: Clock; station?: NumberingStation } = {},
  ): Promise<EdgeHandle> {
    const { siteFile, dataDir, url, token } = await this.prepareEdge(options.endpoints, options.station);
    const edge = await runEdge({
      siteFile,
      dataDir: options.dataDir ?? dataDir,
      centre: { url, token },
      logger,
      ...(options.clock ? { clock: options.clock } : {}),
    });
    this.#edges.push(edge);
    return edge;
  }

  get url(): string {
    return this.#centre!.url;
  }

  get<T>(path: string): Promise<T> {
    return this.#client!.request<T>('GET', path);
  }

  async status(): Promise<{ source: string; connected: boolean; observations: number; chainBreaks: number }> {
    const { items } = await this.get<{ items: Awaited<ReturnType<Journey['status']>>[] }>('/sources');
    return items.find(({ source }) => source === 'edge-nord')!;
  }

  async alarmKeys(): Promise<string[]> {
    const { items } = await this.get<{ items: { key: string }[] }>('/alarms?state=all');
    return items.map(({ key }) => key);
  }

  /** The history of the numbering point, as the API answers it; empty while the API has no answer. */
  async history(): Promise<number[]> {
    const [from, to] = ['2000-01-01T00:00:00Z', '2069-01-01T00:00:00Z'];
    const path = `/history/${this.point}?from=${from}&to=${to}&limit=50000`;
    const answer = await this.get<{ samples: [number, number, number][] }>(path).catch(() => undefined);
    return answer?.samples.map(([, value]) => value) ?? [];
  }

  async liveValue(): Promise<unknown> {
    const answer = await this.get<{ values: { v: unknown }[] }>(`/values?points=${this.point}`).catch(() => undefined);
    return answer?.values[0]?.v;
  }

  /** Everything that the centre has stored of the numbering point, first copies and repeats apart. Stops the centre. */
  async account(): Promise<{ first: number[]; repeats: number[]; gaps: { reason: string }[] }> {
    await this.stopCentre();
    const { stored, gaps } = await readIngestLog(this.centreFolder);
    const own = stored.filter(({ point }) => point === this.point);
    const pick = (repeat: boolean) =>
      own
        .filter((each) => each.repeat === repeat)
        .map(({ value }) => value)
        .sort((a, b) => a - b);
    return { first: pick(false), repeats: pick(true), gaps };
  }

  /** Ends every process and connection. */
  async end(): Promise<void> {
    for (const edge of this.#edges) await edge.close().catch(() => {});
    await this.station.server.close();
    await this.stopCentre();
  }

  remove(): void {
    let home: string | undefined;
    try {
      home = JSON.parse(readFileSync(join(this.centreFolder, 'database', 'location.json'), 'utf8')).home;
    } catch {
      // The cluster lies in the folder itself.
    }
    for (const folder of [this.folder, ...(home ? [home] : [])]) rmSync(folder, { recursive: true, force: true });
  }
}

/** An endpoint in a report. */
export const endpointOf = (report: SourceReport, id: string): SourceReport['endpoints'][number] =>
  report.endpoints.find((endpoint) => endpoint.id === id)!;
