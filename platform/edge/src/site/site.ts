/** A site as the edge runs it: what the site file and its point lists say, checked and put in order. */

import type { Binding, Endpoint, Mrid, Point, SiteDocument } from '@enerchain/model';
import type { TcnSettings } from '@enerchain/tcn';
import type { KeyPlace } from '@enerchain/trust';

/** One point bound to one address of one endpoint. */
export interface BoundPoint {
  /** Position in the site's list of bindings; a small whole number that the hot path uses instead of the mRID. */
  readonly slot: number;
  readonly point: Point;
  readonly binding: Binding;
  /** value = raw · k + d */
  readonly k: number;
  readonly d: number;
  /** The address in the connector's own terms. */
  readonly target: unknown;
  /** Where it was declared, for messages: file and line. */
  readonly origin: string;
}

export interface EndpointSite {
  readonly endpoint: Endpoint;
  /** The protocol's own keys, checked against its schema. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly points: readonly BoundPoint[];
  /** False when the site file says `enabled: false`: announced, not connected. */
  readonly enabled: boolean;
}

export interface OutboxSettings {
  /** Bound of what is kept on disk and not yet acknowledged, octets. */
  readonly maxBytes: number;
  /** Oldest batch kept, seconds. */
  readonly maxAge: number;
  /** Bound of what is kept in memory while the disk does not take it, octets. */
  readonly maxMemory: number;
  /** An open batch is closed after this many milliseconds. */
  readonly batchTime: number;
  /** … or when it holds this many observations. */
  readonly batchCount: number;
}

/** What this gateway asks of commands, whatever the centre thinks. Lists hold point names (with `*`), mRIDs, `endpoint:<id>`. */
export interface SitePolicy {
  /** Refused here whoever signed them. */
  readonly forbidCommands: readonly string[];
  /** Points that stay in reach whatever is thought of the nodes on the way. */
  readonly essential: readonly string[];
  /** Carried out only with the approval of a second person whose key is on the list held here. */
  readonly secondPerson: readonly string[];
  /** Whether path and second person may be passed over for a reason given; `authenticator`: only signed by who does it. */
  readonly breakGlass: boolean | 'authenticator';
  /** What the centre may learn of devices beyond their values: nothing, models and states, or files as well. */
  readonly inspection: 'none' | 'views' | 'files';
}

export interface Site {
  /** The site file, as it was named. */
  readonly file: string;
  readonly source: string;
  readonly site: { readonly id: string; readonly name: string };
  readonly outbox: OutboxSettings;
  readonly uplink: { readonly url?: string; readonly bytesPerSecond?: number; readonly reportSeconds: number };
  readonly policy: SitePolicy;
  /** What proves the state of this gateway: a TPM (device or socket), or software; `measure`: files beside what is loaded. */
  readonly trust: {
    readonly tpm?: string;
    /** Where the key of the gateway lies: in its TPM where it has one, unless said otherwise. */
    readonly key: KeyPlace;
    /** `hsm`: the key of its connections lies in the HSM as well; otherwise in a file where the other does not. */
    readonly tls?: 'file' | 'hsm';
    readonly eventLog?: string;
    readonly measure?: readonly string[];
  };
  /** The Trusted Core Network; absent: the gateway takes no part in one. */
  readonly network?: TcnSettings;
  readonly endpoints: readonly EndpointSite[];
  readonly document: Announcement;
}

/** The site document without its version, which grows when the rest has changed. */
export type Announcement = Omit<SiteDocument, 'version'>;

export const DEFAULT_OUTBOX: OutboxSettings = {
  maxBytes: 256 * 1024 * 1024,
  maxAge: 7 * 24 * 3600,
  maxMemory: 16 * 1024 * 1024,
  batchTime: 50,
  batchCount: 5000,
};

/** What the edge announces: every point once, with all its bindings. */
export function announcementOf(
  source: string,
  site: { readonly id: string; readonly name: string },
  endpoints: readonly EndpointSite[],
): Announcement {
  const points = new Map<Mrid, Point>();
  const bindings: Binding[] = [];
  for (const { points: bound } of endpoints) {
    for (const { point, binding } of bound) {
      if (!points.has(point.mRID)) points.set(point.mRID, point);
      bindings.push(binding);
    }
  }
  return {
    source,
    site: { ...site },
    endpoints: endpoints.map(({ endpoint }) => endpoint),
    points: [...points.values()],
    bindings,
  };
}
