/** In-memory stand-ins for the ports, for tests of what stands behind them. */

import type { Column, ObservationBatch } from '@enerchain/link';
import {
  type Clock,
  type CommandOrder,
  EnerchainError,
  type Mrid,
  type Point,
  type SiteDocument,
  type UtcNanos,
} from '@enerchain/model';
import type { Authenticator, AuthenticatorStore, StoredList } from '../src/accounts/authenticator-store.ts';
import type { AccountStore, ApiToken, Session, User } from '../src/accounts/store.ts';
import type { ApiContext } from '../src/api/context.ts';
import type { JournalPersistence } from '../src/events/journal.ts';
import type { Checkpoint, StoredMessage, StoredRecord } from '../src/events/journal-store.ts';
import type {
  AuditRecord,
  CentreContent,
  LiveState,
  LiveValue,
  LogContent,
  LogEntry,
  LogPublisher,
  LogReader,
  LogWriter,
  PointDirectory,
  PointInfo,
  RaisedAlarm,
  SourceStatus,
  Sources,
} from '../src/ports.ts';
import { ReceiptError } from '../src/transparency/error.ts';

/** A log that has nothing yet; the real one is in `transparency.test.ts`. */
const nothing = () => {
  throw new ReceiptError('receipt.log', 'the log is empty');
};
export const noTransparency = {
  receipts: { make: async () => nothing() },
  keeper: { log: { consistency: nothing, inclusion: nothing, leaf: nothing } },
  rounds: { round: async () => undefined },
  anchor: nothing,
} as unknown as ApiContext['transparency'];

export const T0 = 1_800_000_000_000_000_000n;
export const SECOND = 1_000_000_000n;

/** A clock that stands until it is moved; wall and monotonic move together. */
export class TestClock implements Clock {
  millis = 0;
  now = (): UtcNanos => T0 + BigInt(Math.round(this.millis * 1e6));
  monotonic = (): number => this.millis;
}

/** The log as an array. */
export class MemoryLog implements LogReader, LogWriter, LogPublisher {
  readonly entries: LogEntry[] = [];
  first = 0;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  failing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  bounds(): { first: number; next: number } {
    return { first: this.first, next: this.entries.length };
  }

  add(source: string, content: LogContent, at: UtcNanos = this.#clock.now()): LogEntry {
    const entry: LogEntry = { offset: this.entries.length, at, source, content };
    this.entries.push(entry);
    for (const wake of this.#waiting) wake();
    return entry;
  }

  async append(record: AuditRecord): Promise<number> {
    if (this.failing) throw new EnerchainError('environment', 'centre.log.full', 'the disk is full');
    return this.add('centre', { kind: 'audit', record }).offset;
  }

  async publish(content: CentreContent): Promise<number> {
    if (this.failing) throw new EnerchainError('environment', 'centre.log.full', 'the disk is full');
    return this.add('centre', content).offset;
  }

  alarms(): RaisedAlarm[] {
    return this.entries.flatMap(({ content }) => (content.kind === 'alarmRaised' ? [content.alarm] : []));
  }

  audits(): AuditRecord[] {
    return this.entries.flatMap(({ content }) => (content.kind === 'audit' ? [content.record] : []));
  }

  async *read(from: number, signal: AbortSignal): AsyncIterable<readonly LogEntry[]> {
    let at = from;
    while (!signal.aborted) {
      if (at < this.entries.length) {
        const lot = this.entries.slice(at, at + 100);
        at += lot.length;
        yield lot;
        continue;
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake);
      });
    }
  }
}

export class MemoryPoints implements PointDirectory {
  readonly #points = new Map<Mrid, PointInfo>();
  readonly #sites = new Map<string, SiteDocument>();
  revision = 0;

  announce(document: SiteDocument): void {
    this.#sites.set(document.source, document);
    const bindings = new Map(document.bindings.map((binding) => [binding.point, binding]));
    for (const point of document.points) {
      const { endpoint = '', address = '', access = 'read' } = bindings.get(point.mRID) ?? {};
      const { source, site } = document;
      this.#points.set(point.mRID, { ...point, source, site: site.name, endpoint, address, access });
    }
    this.revision++;
  }
  get(mRID: Mrid): PointInfo | undefined {
    return this.#points.get(mRID);
  }
  all(): Iterable<PointInfo> {
    return this.#points.values();
  }
  site(source: string): SiteDocument | undefined {
    return this.#sites.get(source);
  }
}

export class MemoryLive implements LiveState {
  readonly values = new Map<Mrid, LiveValue>();
  readonly #listeners = new Set<(changed: readonly LiveValue[]) => void>();

  set(...values: LiveValue[]): void {
    for (const value of values) this.values.set(value.point, value);
    for (const listener of this.#listeners) listener(values);
  }
  get(point: Mrid): LiveValue | undefined {
    return this.values.get(point);
  }
  all(): Iterable<LiveValue> {
    return this.values.values();
  }
  onChange(listener: (changed: readonly LiveValue[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export class MemorySources implements Sources {
  readonly sent: CommandOrder[] = [];
  readonly states = new Map<string, SourceStatus>();
  failure: EnerchainError | undefined;
  challenge: string | undefined = '00'.repeat(16);
  readonly #listeners = new Set<(status: SourceStatus) => void>();

  set(source: string, connected: boolean, since: UtcNanos = T0): void {
    const status: SourceStatus = {
      source,
      role: 'edge',
      connected,
      since,
      epoch: 1,
      sequence: 1,
      batches: 0,
      observations: 0,
      rejected: 0,
      gaps: 0,
      chainBreaks: 0,
    };
    this.states.set(source, status);
    for (const listener of this.#listeners) listener(status);
  }
  status(): readonly SourceStatus[] {
    return [...this.states.values()];
  }
  async sendCommand(target: string, command: CommandOrder): Promise<void> {
    if (this.failure) throw this.failure;
    if (!this.states.get(target)?.connected)
      throw new EnerchainError('environment', 'centre.source.away', `${target} is not connected`);
    this.sent.push(command);
  }
  commandChallenge(source: string): string | undefined {
    return this.states.get(source)?.connected ? this.challenge : undefined;
  }
  knowsChallenge(source: string, challenge: string): boolean {
    return this.commandChallenge(source) === challenge;
  }
  onChange(listener: (status: SourceStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export class MemoryAccounts implements AccountStore {
  readonly users = new Map<string, User>();
  readonly sessions = new Map<string, Session>();
  readonly tokens = new Map<string, ApiToken>();
  async load() {
    return {
      users: [...this.users.values()],
      sessions: [...this.sessions.values()],
      tokens: [...this.tokens.values()],
    };
  }
  async saveUser(user: User) {
    this.users.set(user.name, user);
  }
  async deleteUser(name: string) {
    this.users.delete(name);
  }
  async saveSession(session: Session) {
    this.sessions.set(session.hash, session);
  }
  async deleteSessions(hashes: readonly string[]) {
    for (const hash of hashes) this.sessions.delete(hash);
  }
  async saveToken(token: ApiToken) {
    this.tokens.set(token.id, token);
  }
  async deleteToken(id: string) {
    this.tokens.delete(id);
  }
}

export class MemoryAuthenticators implements AuthenticatorStore {
  readonly kept = new Map<string, Authenticator>();
  readonly lists: StoredList[] = [];
  async load() {
    return { authenticators: [...this.kept.values()], lists: [...this.lists] };
  }
  async save(authenticator: Authenticator) {
    this.kept.set(authenticator.id, authenticator);
  }
  async remove(id: string) {
    this.kept.delete(id);
  }
  async addList(list: StoredList) {
    this.lists.push(list);
  }
  async clear() {
    this.kept.clear();
    this.lists.length = 0;
  }
}

/** Keeps rows by number, as the table does; fails on demand. */
export class MemoryJournal implements JournalPersistence {
  readonly rows = new Map<number, StoredMessage>();
  checkpoint: Checkpoint | undefined;
  failing = false;
  #checkThere(): void {
    if (this.failing) throw new EnerchainError('environment', 'centre.database.away', 'the database is away');
  }
  async load() {
    this.#checkThere();
    return this.checkpoint && (structuredClone(this.checkpoint) as Checkpoint);
  }
  async clear() {
    this.rows.clear();
    this.checkpoint = undefined;
  }
  async write(records: readonly StoredRecord[], checkpoint?: Checkpoint) {
    await Promise.resolve();
    this.#checkThere();
    for (const { rows } of records)
      for (const { id, stream, kind, body } of rows)
        if (!this.rows.has(id)) this.rows.set(id, { id, stream, kind, body });
    if (checkpoint) {
      const sites = checkpoint.sites ?? this.checkpoint?.sites;
      this.checkpoint = structuredClone({ ...checkpoint, ...(sites ? { sites } : {}) }) as Checkpoint;
    }
  }
  async messages(after: number, limit: number) {
    await Promise.resolve();
    return [...this.rows.values()]
      .filter(({ id }) => id > after)
      .sort((a, b) => a.id - b.id)
      .slice(0, limit);
  }
}

export const mRID = (n: number): Mrid => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

export function siteOf(source: string, points: readonly Point[], version = 1): SiteDocument {
  return {
    source,
    site: { id: source, name: `Substation ${source}` },
    version,
    endpoints: [{ id: 'rtu-1', protocol: 'iec104' }],
    points: [...points],
    bindings: points.map((point, index) => ({
      point: point.mRID,
      endpoint: 'rtu-1',
      address: `ca=1 ioa=${index + 1}`,
      access: point.kind === 'command' || point.kind === 'setpoint' ? ('control' as const) : ('read' as const),
    })),
  };
}

export interface Sample {
  readonly point: Mrid;
  readonly value: number | string | null;
  /** Seconds after T0. */
  readonly at: number;
  readonly quality?: number;
  readonly cause?: number;
}

export function batchOf(samples: readonly Sample[]): ObservationBatch {
  const byPoint = new Map<Mrid, Sample[]>();
  for (const sample of samples) byPoint.set(sample.point, [...(byPoint.get(sample.point) ?? []), sample]);
  const columns = [...byPoint].map(([point, list]): Column => {
    const times = BigInt64Array.from(list, ({ at }) => T0 + BigInt(Math.round(at * 1e9)));
    return {
      point,
      sourceTime: times,
      receiveTime: times,
      value: list.map(({ value }) => value),
      quality: Uint16Array.from(list, ({ quality = 0 }) => quality),
      timeQuality: Uint16Array.from(list, () => 31),
      cause: Uint8Array.from(list, ({ cause = 0 }) => cause),
    };
  });
  return { columns, count: samples.length };
}

export const observations = (...samples: Sample[]): LogContent => ({ kind: 'observations', batch: batchOf(samples) });
