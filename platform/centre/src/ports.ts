/**
 * The ports inside the centre. Everything that makes sense of the log stands behind one of these; nothing behind a port
 * knows who is on the other side. Services in other processes reach the same ports over the link (see `services/`).
 */
import type { Content } from '@enerchain/link';
import type { AuditRecord, CommandOrder, Mrid, Point, SiteDocument, SourceReport, UtcNanos } from '@enerchain/model';

export type { NodeTrust, TrustPolicy, TrustPort, ValueTrust } from '@enerchain/attestation';
export type { AuditRecord, RaisedAlarm, SourceReport } from '@enerchain/model';

/** One decoded record of the ingest log. */
export interface LogEntry {
  /** Position in the log: 0, 1, 2 … without holes. */
  readonly offset: number;
  /** When the centre appended it. */
  readonly at: UtcNanos;
  /** The source that signed it; `centre` for the centre's own records. */
  readonly source: string;
  readonly content: LogContent;
}

export type LogContent = Content;

/** The ingest log as its consumers see it. */
export interface LogReader {
  /** Offset of the oldest record still kept, and the offset that the next record will get. */
  bounds(): { readonly first: number; readonly next: number };
  /**
   * Records from `from` on in order: first what is kept, then what arrives, until `signal` aborts. Waits for the
   * consumer: a slow consumer is late, never lossy. A `from` below `first` yields a first record of kind `gap`
   * (`ingestRetention`) and goes on at `first`.
   */
  read(from: number, signal: AbortSignal): AsyncIterable<readonly LogEntry[]>;
}

export interface LogWriter {
  /** Appends and fsyncs (group commit); resolves with the offset when durable. */
  append(record: AuditRecord): Promise<number>;
}

/** What else the centre may put on its own chain. */
export type CentreContent = Extract<
  LogContent,
  { kind: 'gap' | 'commandEvents' | 'sourceEvents' | 'alarmRaised' | 'attestation' | 'command' | 'certificate' }
>;

export interface LogPublisher {
  /** Like `append`, for an alarm the centre raises, a gap it found, the steps of a command, what receipts stand on. */
  publish(content: CentreContent): Promise<number>;
}

export interface PointInfo extends Point {
  readonly source: string;
  readonly site: string;
  readonly endpoint: string;
  readonly address: string;
  readonly access: 'read' | 'control';
}

/** All points announced by all sources, by their newest announcement. */
export interface PointDirectory {
  get(mRID: Mrid): PointInfo | undefined;
  all(): Iterable<PointInfo>;
  site(source: string): SiteDocument | undefined;
  /** Grows with every announcement. */
  readonly revision: number;
}

/** Last value of one point. */
export interface LiveValue {
  readonly point: Mrid;
  readonly value: number | string | null;
  readonly quality: number;
  readonly sourceTime: UtcNanos;
  readonly timeQuality: number;
  readonly receiveTime: UtcNanos;
  readonly cause: number;
  readonly source: string;
  /** Offset of the log record it came with. */
  readonly offset: number;
}

export interface LiveState {
  get(point: Mrid): LiveValue | undefined;
  all(): Iterable<LiveValue>;
  /** Calls back with the points changed since the last time, at most once in 50 ms. Returns unsubscribe. */
  onChange(listener: (changed: readonly LiveValue[]) => void): () => void;
}

export interface HistoryQuery {
  readonly point: Mrid;
  readonly from: UtcNanos;
  readonly to: UtcNanos;
  /** Upper bound of returned rows; reached → `truncated` */
  readonly limit?: number;
}

/** Columns of equal length, ascending source time. */
export interface HistorySamples {
  readonly time: BigInt64Array;
  readonly value: readonly (number | string | null)[];
  readonly quality: Uint16Array;
  readonly truncated: boolean;
}

/** One bucket of a resampled query. */
export interface HistoryBucket {
  readonly start: UtcNanos;
  readonly count: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly last: number | null;
  /** Bitwise OR of the details and the worst validity. */
  readonly quality: number;
}

export interface Historian {
  range(query: HistoryQuery): Promise<HistorySamples>;
  resample(query: HistoryQuery & { readonly bucket: UtcNanos }): Promise<readonly HistoryBucket[]>;
  /** Last sample at or before `at`. */
  lastBefore(
    point: Mrid,
    at: UtcNanos,
  ): Promise<{ time: UtcNanos; value: number | string | null; quality: number } | undefined>;
}

export type SourceRole = 'edge' | 'service';

/** What is known about a connected or once connected source. */
export interface SourceStatus {
  readonly source: string;
  readonly role: SourceRole;
  readonly connected: boolean;
  readonly since: UtcNanos;
  /** Last acknowledged position. */
  readonly epoch: number;
  readonly sequence: number;
  readonly batches: number;
  readonly observations: number;
  readonly rejected: number;
  readonly gaps: number;
  readonly chainBreaks: number;
  /** Last status message of the source itself: endpoints, outbox, counters. */
  readonly report?: SourceReport;
}

/** The connected sources. */
export interface Sources {
  status(): readonly SourceStatus[];
  /**
   * Signs an order as the answer to the newest challenge of its edge and sends it.
   * @throws EnerchainError `centre.source.away`, `centre.source.unsigned`: it has certainly not left the centre
   */
  sendCommand(target: string, order: CommandOrder): Promise<void>;
  /** The challenge that a command to a source would answer now; undefined when it is away or has named none. */
  commandChallenge(source: string): string | undefined;
  /** Whether a challenge is one of the present session of a source, and young enough for an approval to count there. */
  knowsChallenge(source: string, challenge: string): boolean;
  /** Called when a source connects, leaves or reports. */
  onChange(listener: (status: SourceStatus) => void): () => void;
}

/** A page of the control room that a service has registered. */
export interface ServicePage {
  readonly id: string;
  readonly title: string;
  readonly icon: string;
  /** Path of the script that draws it, below the service's own routes. */
  readonly module: string;
}

/** An HTTP request on its way to the service that registered a prefix of its path. */
export interface ServiceRequest {
  readonly method: string;
  /** Path and query below `/api/v1`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly user: { readonly name: string; readonly rights: readonly string[] };
}

export interface ServiceResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What services in other processes have registered: routes and pages. */
export interface ServiceRoutes {
  pages(): readonly ServicePage[];
  /** OpenAPI 3.1 path items by path below the prefix, by prefix, as registered: whatever the services sent. */
  descriptions(): ReadonlyMap<string, unknown>;
  /** @returns undefined when no service has registered a prefix of this path */
  request(request: ServiceRequest): Promise<ServiceResponse> | undefined;
}
