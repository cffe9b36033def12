/** The centre's HTTP API as the control room reads it (`/api/v1`, OpenAPI 3.1 at `/api/v1/openapi.json`). */
import type { CommandStep, GapReason, GridModel, Point } from '@enerchain/model';

import type { ValueTrust } from './trust.ts';

export type { GridModel };

export interface Session {
  readonly user: string;
  readonly roles: readonly string[];
  readonly rights: readonly string[];
}

export interface PointInfo extends Point {
  readonly source: string;
  readonly site: string;
  readonly endpoint: string;
  readonly address: string;
  readonly access: 'read' | 'control';
}

/** One live value; the names are short because twenty thousand of them travel at once. */
export interface LiveValueJson {
  /** Point mRID. */
  readonly p: string;
  readonly v: number | string | null;
  /** Quality bits, see `@enerchain/model/quality`. */
  readonly q: number;
  /** Source time, milliseconds since the Unix epoch with decimals. */
  readonly t: number;
  /** Time quality bits. */
  readonly tq: number;
  /** Receive time, milliseconds since the Unix epoch. */
  readonly r: number;
  readonly s: string;
  /** Offset in the ingest log. */
  readonly o: number;
  /** Trust when it came, an attribute beside its quality. */
  readonly trust?: ValueTrust;
}

export interface HistoryGap {
  readonly from: string;
  readonly to: string;
  readonly reason: GapReason;
}
export type Sample = readonly [millis: number, value: number | string | null, quality: number];
export interface History {
  readonly point: string;
  readonly samples: readonly Sample[];
  readonly truncated: boolean;
  readonly gaps: readonly HistoryGap[];
}
export type Bucket = readonly [
  start: number,
  count: number,
  min: number | null,
  max: number | null,
  mean: number | null,
  last: number | null,
  quality: number,
];
export interface BucketHistory {
  readonly point: string;
  readonly buckets: readonly Bucket[];
  readonly gaps: readonly HistoryGap[];
}

export interface EventJson {
  readonly id: number;
  readonly at: string;
  readonly kind: 'stateChange' | 'gap' | 'source' | 'command' | 'alarm' | 'audit';
  readonly point?: string;
  readonly source?: string;
  readonly text: string;
  readonly value?: number | string | null;
  readonly quality?: number;
  readonly offset?: number;
}

export type AlarmState = 'unacknowledged' | 'acknowledged' | 'returnedUnacknowledged' | 'normal';
export type Priority = 1 | 2 | 3 | 4;
export interface AlarmJson {
  readonly id: string | number;
  readonly key: string;
  readonly priority: Priority;
  readonly state: AlarmState;
  readonly message: string;
  readonly point?: string;
  readonly source?: string;
  readonly raisedAt: string;
  readonly changedAt: string;
  readonly acknowledgedBy?: string;
  readonly acknowledgedAt?: string;
  readonly comment?: string;
  readonly consequence?: string;
  readonly action?: string;
  /** id of the alarm of a switch that left its normal position shortly before. */
  readonly after?: number;
}

export interface CheckJson {
  readonly name: string;
  readonly ok: boolean;
  readonly text: string;
  /** Refused, and passed over by break-glass. */
  readonly overridden?: boolean;
  /** The nodes on the way, from the centre on. */
  readonly hops?: readonly {
    readonly node: string;
    readonly role: string;
    readonly ok: boolean;
    readonly text: string;
  }[];
}

export interface CommandJson {
  readonly id: string;
  readonly point: string;
  readonly value: number;
  readonly ctlModel: 'direct' | 'sbo';
  readonly state: CommandStep;
  readonly final: boolean;
  readonly checks: readonly CheckJson[];
  /** There when a second person is needed; `by` when they have approved. */
  readonly approval?: { readonly by?: string };
  readonly breakGlass?: { readonly reason: string };
  readonly expiresAt: string;
  readonly events: readonly { readonly step: CommandStep; readonly at: string; readonly reason?: string }[];
  readonly by: string;
}

export interface EndpointReport {
  readonly id: string;
  readonly protocol: string;
  readonly state: 'up' | 'down' | 'connecting' | 'disabled';
  readonly since?: string;
  readonly detail?: string;
  readonly counters: Readonly<Record<string, number>>;
}
export interface SourceStatusJson {
  readonly source: string;
  readonly role: 'edge' | 'service';
  readonly connected: boolean;
  readonly since: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly batches: number;
  readonly observations: number;
  readonly rejected: number;
  readonly gaps: number;
  readonly chainBreaks: number;
  readonly report?: {
    readonly version: string;
    readonly startedAt: string;
    readonly outbox?: { readonly batches: number; readonly bytes: number; readonly oldest?: string };
    readonly endpoints: readonly EndpointReport[];
    readonly counters: Readonly<Record<string, number>>;
  };
}

export interface GapJson {
  readonly offset: number;
  readonly source: string;
  readonly at: string;
  readonly reason: GapReason;
  readonly endpoint?: string;
  readonly from: string;
  readonly to: string;
  readonly lost?: number;
  readonly batches?: { readonly epoch: number; readonly first: number; readonly last: number };
  readonly detail?: string;
}

/** A page that a service added; `module` exports `mount(element, context)`, which returns what takes it down again. */
export interface PageJson {
  readonly id: string;
  readonly title: string;
  /** Path data of a 20 × 20 icon, drawn as a stroke. */
  readonly icon?: string;
  readonly path: string;
  readonly module: string;
}

export interface Hello {
  readonly instance: string;
  /** Bounds of the ingest log. */
  readonly first: number;
  readonly next: number;
  readonly serverTime: number | string;
}
