/**
 * A site document in columns, so that a proof can show one device and the points beside it without the rest: a head, one
 * column per endpoint, and groups of points with their bindings. Read together they give the document again. A document in
 * one column, as it was written before, is read as well.
 */
import {
  type Binding,
  type Endpoint,
  EnerchainError,
  type Point,
  SITE_COLUMNS,
  SiteDocument,
  validator,
} from '@enerchain/model';
import { type CborValue, decodeCbor, encodeCbor } from '@enerchain/trust';

/** Points in one column: a proof of one shows its neighbours, a document of many must not have too many columns. */
const GROUP = 16;

const CHECK = {
  head: validator(SITE_COLUMNS.head, 'peer'),
  endpoint: validator(SITE_COLUMNS.endpoint, 'peer'),
  points: validator(SITE_COLUMNS.points, 'peer'),
  document: validator(SiteDocument, 'peer'),
} as const;

/** One column of a site document; `document` is a whole one in one column. */
export type SiteColumn =
  | { readonly kind: 'head'; readonly source: string; readonly version: number; readonly columns: number }
  | { readonly kind: 'endpoint'; readonly endpoint: Endpoint }
  | { readonly kind: 'points'; readonly points: readonly Point[]; readonly bindings: readonly Binding[] }
  | { readonly kind: 'document'; readonly document: SiteDocument };

/** The columns of a document, in order. Bindings stand with their point, those of one point in their order. */
export function siteColumns(document: SiteDocument): Uint8Array[] {
  const { source, site, version, endpoints, points, bindings } = document;
  const ofPoint = new Map<string, Binding[]>(points.map(({ mRID }) => [mRID, []]));
  for (const binding of bindings) {
    const list = ofPoint.get(binding.point);
    // Without its point it has no place; such a document goes in one piece and is judged as a whole.
    if (!list) return [encodeCbor(document as unknown as CborValue)];
    list.push(binding);
  }
  if (ofPoint.size !== points.length) return [encodeCbor(document as unknown as CborValue)];
  const parts: object[] = endpoints.map((endpoint) => ({ endpoint }));
  for (let at = 0; at < points.length; at += GROUP) {
    const group = points.slice(at, at + GROUP);
    parts.push({ points: group, bindings: group.flatMap(({ mRID }) => ofPoint.get(mRID) ?? []) });
  }
  const head = { source, site, version, columns: parts.length + 1 };
  return [head, ...parts].map((part) => encodeCbor(part as unknown as CborValue));
}

/** @throws EnerchainError `model.invalid` or `cbor.malformed` (fault peer) */
export function readSiteColumn(bytes: Uint8Array, what = 'a column of a site document'): SiteColumn {
  const record = decodeCbor(bytes);
  const keys = typeof record === 'object' && record !== null ? record : {};
  if ('endpoint' in keys) return { kind: 'endpoint', ...CHECK.endpoint.parse(record, what) };
  if ('columns' in keys) return { kind: 'head', ...CHECK.head.parse(record, what) };
  if ('source' in keys) return { kind: 'document', document: CHECK.document.parse(record, what) };
  return { kind: 'points', ...CHECK.points.parse(record, what) };
}

/** The document again. @throws EnerchainError `link.batch`, `model.invalid` or `cbor.malformed` (fault peer) */
export function siteOf(columns: readonly Uint8Array[], what: string): SiteDocument {
  const parts = columns.map((bytes) => readSiteColumn(bytes, what));
  const [first, ...rest] = parts;
  if (first?.kind === 'document' && rest.length === 0) return first.document;
  const broken = (why: string) => new EnerchainError('peer', 'link.batch', `${what}: ${why}`);
  if (first?.kind !== 'head') throw broken('the first column is not its head');
  if (first.columns !== parts.length) throw broken(`it has ${parts.length} columns instead of ${first.columns}`);
  const { source, site, version } = decodeCbor(columns[0]!) as unknown as SiteDocument;
  const document = { source, site, version, endpoints: [], points: [], bindings: [] } as {
    -readonly [K in keyof SiteDocument]: SiteDocument[K];
  };
  for (const part of rest) {
    if (part.kind === 'endpoint' && document.points.length === 0) document.endpoints.push(part.endpoint);
    else if (part.kind === 'points') {
      document.points.push(...part.points);
      document.bindings.push(...part.bindings);
    } else throw broken('a column is out of place');
  }
  return CHECK.document.parse(document, what);
}
