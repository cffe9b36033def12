/** The HTTP API of a running system, with the token that lies in its data folder. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningSystem } from './running-system.ts';

export interface PointItem {
  readonly mRID: string;
  readonly name: string;
  readonly kind: string;
  readonly source: string;
  readonly endpoint: string;
}
export interface LiveItem {
  readonly p: string;
  readonly v: number | string | null;
  readonly q: number;
  /** ms since the Unix epoch */
  readonly t: number;
}
export interface AlarmItem {
  readonly id: number;
  readonly state: string;
  readonly message: string;
  readonly point?: string;
}
export interface EventItem {
  readonly id: number;
  readonly at: string;
  readonly kind: string;
  readonly text: string;
  readonly source?: string;
  readonly offset: number;
}
export interface GapItem {
  readonly source: string;
  readonly endpoint?: string;
  readonly reason: string;
  readonly from: string;
  readonly to: string;
}
export interface SourceItem {
  readonly source: string;
  readonly role: string;
  readonly connected: boolean;
  readonly observations: number;
  readonly chainBreaks: number;
  readonly report?: {
    readonly outbox?: { readonly batches: number };
    readonly endpoints: readonly { readonly id: string; readonly state: string }[];
  };
}
export interface CommandItem {
  readonly id: string;
  readonly state: string;
  readonly final: boolean;
  readonly checks: readonly { readonly ok: boolean; readonly text: string }[];
  readonly events: readonly { readonly step: string }[];
}

/** The token is read anew for each request: a centre makes a new one at each start. */
export class Api {
  readonly #system: Pick<RunningSystem, 'port' | 'data'>;

  constructor(system: Pick<RunningSystem, 'port' | 'data'>) {
    this.#system = system;
  }

  async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const token = readFileSync(join(this.#system.data, 'centre', 'admin.token'), 'utf8').trim();
    const response = await fetch(`http://127.0.0.1:${this.#system.port}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text ? JSON.parse(text) : undefined) as T;
  }

  async points(filter: string): Promise<PointItem[]> {
    return (await this.request<{ items: PointItem[] }>('GET', `/points?limit=500&q=${encodeURIComponent(filter)}`))
      .items;
  }

  async point(name: string): Promise<PointItem> {
    const found = (await this.points(name)).find((point) => point.name === name);
    if (!found) throw new Error(`there is no point '${name}'`);
    return found;
  }

  async value(mRID: string): Promise<LiveItem | undefined> {
    return (await this.request<{ values: LiveItem[] }>('GET', `/values?points=${mRID}`)).values[0];
  }

  async alarms(state: 'active' | 'unacknowledged' | 'all' = 'active'): Promise<AlarmItem[]> {
    return (await this.request<{ items: AlarmItem[] }>('GET', `/alarms?state=${state}`)).items;
  }

  async events(limit = 500): Promise<EventItem[]> {
    return (await this.request<{ items: EventItem[] }>('GET', `/events?limit=${limit}`)).items;
  }

  async gaps(): Promise<GapItem[]> {
    return (await this.request<{ items: GapItem[] }>('GET', '/gaps?limit=500')).items;
  }

  async sources(): Promise<SourceItem[]> {
    return (await this.request<{ items: SourceItem[] }>('GET', '/sources')).items;
  }

  async source(name: string): Promise<SourceItem | undefined> {
    return (await this.sources()).find(({ source }) => source === name);
  }
}
