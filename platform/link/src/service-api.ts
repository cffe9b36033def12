/**
 * What a service may ask of the centre over its link, beside sending batches of its own. The centre answers these to
 * holders of role `service` alone.
 *
 * - `log.read` `{from}` (an offset, or `next`): a stream of `LogItem`, without end; items come as fast as they are taken
 * - `points.get` `{}`: a stream of the site documents in force, then `{revision}`
 * - `grid.get` `{}`: the `GridModel`, or null
 * - `command.prepare` `{point, value, test?}`, `command.select`, `command.operate`, `command.cancel` `{id}`: the command
 * - `routes.register` `{prefix, openapi?}`: HTTP requests below the prefix come down the link as requests `http`
 * - `page.register` `{id, title, icon, module}`: a page of the control room
 */
import type { GapRecord, SiteDocument } from '@enerchain/model';
import type { CborValue } from '@enerchain/trust';
import { contentOf, decodeBatch } from './batch.ts';
import type { LinkClient } from './client.ts';
import type { Content } from './content.ts';

export const SERVICE_METHODS = [
  'log.read',
  'points.get',
  'grid.get',
  'command.prepare',
  'command.select',
  'command.operate',
  'command.cancel',
  'routes.register',
  'page.register',
] as const;
export type ServiceMethod = (typeof SERVICE_METHODS)[number];

/** One record of the ingest log on its way to a service. */
export type LogItem = {
  /** Position in the log; go on at `offset` + 1. */
  readonly offset: number;
  /** When the centre appended it; nanoseconds since the Unix epoch. */
  readonly at: bigint;
  readonly source: string;
} & (
  | {
      /** The batch as its source sent it: the service can check the signature itself. */
      readonly batch: Uint8Array;
      /** Columns that the centre refused, since their points are not bound to the source. */
      readonly rejected: readonly number[];
    }
  /** In place of records that are no longer there. */
  | { readonly gap: GapRecord }
);

/** A request that came to the centre over HTTP for a service; body and answer are octets. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query below `/api/v1`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly user: { readonly name: string; readonly rights: readonly string[] };
}
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** A record as a service works with it: what was refused is left out. */
export interface ServiceLogEntry {
  readonly offset: number;
  readonly at: bigint;
  readonly source: string;
  readonly content: Content;
}

type Asker = Pick<LinkClient, 'stream'>;

/**
 * Reads the log of the centre from an offset, until `signal` aborts or the connection ends (then it throws, and the
 * caller goes on at the last offset + 1).
 */
export async function* readCentreLog(
  client: Asker,
  from: number | 'next',
  signal?: AbortSignal,
): AsyncGenerator<ServiceLogEntry, void, void> {
  for await (const value of client.stream('log.read', { from }, signal ? { signal } : {})) {
    const item = value as unknown as LogItem;
    const { offset, source } = item;
    const at = BigInt(item.at);
    if ('gap' in item) {
      yield { offset, at, source, content: { kind: 'gap', gap: item.gap } };
      continue;
    }
    const content = visible(contentOf(decodeBatch(item.batch)), new Set(item.rejected));
    if (content) yield { offset, at, source, content };
  }
}

function visible(content: Content, rejected: ReadonlySet<number>): Content | undefined {
  if (rejected.size === 0) return content;
  if (content.kind !== 'observations') return undefined;
  const columns = content.batch.columns.filter((_, index) => !rejected.has(index));
  const count = columns.reduce((sum, { cause }) => sum + cause.length, 0);
  return count > 0 ? { kind: 'observations', batch: { columns, count } } : undefined;
}

/** The site documents of all sources, as they are in force. */
export async function readSites(client: Asker, signal?: AbortSignal): Promise<SiteDocument[]> {
  const sites: SiteDocument[] = [];
  for await (const item of client.stream('points.get', {} as CborValue, signal ? { signal } : {})) {
    sites.push(item as unknown as SiteDocument);
  }
  return sites;
}
