/** Points, live values, history. */
import { VALUE_TRUST } from '@enerchain/attestation';
import { fromIso, fromMillis, Mrid, Point, PointKind, toIso, toMillis, type UtcNanos } from '@enerchain/model';
import Type from 'typebox';
import { GapJson } from '../../events/rows.ts';
import type { PointInfo } from '../../ports.ts';
import { LiveValueJson, liveValueJson } from '../../stream/values.ts';
import type { ApiContext, App } from '../context.ts';
import { ApiError } from '../problem.ts';

export const PointInfoJson = Type.Object(
  {
    ...Point.properties,
    source: Type.String(),
    site: Type.String(),
    endpoint: Type.String(),
    address: Type.String(),
    access: Type.Enum(['read', 'control'] as const),
    trust: Type.Optional(Type.Enum(VALUE_TRUST, { description: 'of its present value' })),
  },
  { $id: 'PointInfo' },
);

const MRID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const MAX_HISTORY = 100_000;
const MAX_BUCKETS = 20_000;
const Value = Type.Union([Type.Number(), Type.String(), Type.Null()]);
const GapSpan = Type.Object({ from: GapJson.properties.from, to: GapJson.properties.to, reason: Type.String() });

export function valueRoutes(app: App, { points, live, historian, store, clock, trust }: ApiContext): void {
  const sorted = new SortedPoints(points);

  app.get(
    '/points',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['values'],
        querystring: Type.Object({
          q: Type.Optional(Type.String({ maxLength: 200, description: 'words that name, source, address … contain' })),
          kind: Type.Optional(PointKind),
          source: Type.Optional(Type.String({ maxLength: 100 })),
          endpoint: Type.Optional(Type.String({ maxLength: 100 })),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 500 })),
          cursor: Type.Optional(Type.String({ maxLength: 500 })),
        }),
        response: {
          200: Type.Object({
            items: Type.Array(PointInfoJson),
            next: Type.Optional(Type.String()),
            total: Type.Integer(),
          }),
        },
      },
    },
    async (request) => {
      const { q, kind, source, endpoint, limit = 500, cursor } = request.query;
      const words = (q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
      const found = sorted
        .all()
        .filter(
          ({ point, text }) =>
            (!kind || point.kind === kind) &&
            (!source || point.source === source) &&
            (!endpoint || point.endpoint === endpoint) &&
            words.every((word) => text.includes(word)),
        );
      const after = cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString('utf8');
      const start = after === undefined ? 0 : found.findIndex(({ key }) => key > after);
      const page = start < 0 ? [] : found.slice(start, start + limit);
      const last = page.at(-1);
      const more = start >= 0 && start + limit < found.length;
      return {
        items: page.map(({ point }) => {
          const value = trust && live.get(point.mRID);
          return value ? { ...point, trust: trust.trustOf(value.source, value.receiveTime) } : point;
        }),
        ...(last && more ? { next: Buffer.from(last.key, 'utf8').toString('base64url') } : {}),
        total: found.length,
      };
    },
  );

  app.get(
    '/values',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['values'],
        querystring: Type.Object({
          points: Type.Optional(Type.String({ maxLength: 250_000, description: 'mRIDs with commas; absent: all' })),
        }),
        response: { 200: Type.Object({ values: Type.Array(LiveValueJson) }) },
      },
    },
    async (request) => {
      const wanted = parsePoints(request.query.points);
      const found = wanted ? [...wanted].flatMap((mRID) => live.get(mRID) ?? []) : [...live.all()];
      return { values: found.map((value) => liveValueJson(value, trust)) };
    },
  );

  app.get(
    '/history/:point',
    {
      config: { access: 'values.read' },
      schema: {
        tags: ['values'],
        summary: 'Samples as [time ms, value, quality], or buckets as [start ms, count, min, max, mean, last, quality]',
        params: Type.Object({ point: Mrid }),
        querystring: Type.Object({
          from: Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601; absent: an hour before `to`' })),
          to: Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601; absent: now' })),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_HISTORY, default: 10_000 })),
          bucket: Type.Optional(Type.Number({ minimum: 0.001, maximum: 31_622_400, description: 'seconds' })),
        }),
        response: {
          200: Type.Object({
            point: Mrid,
            samples: Type.Optional(Type.Array(Type.Array(Value))),
            buckets: Type.Optional(Type.Array(Type.Array(Type.Union([Type.Number(), Type.Null()])))),
            truncated: Type.Boolean(),
            gaps: Type.Array(GapSpan),
          }),
        },
      },
    },
    async (request) => {
      const { point } = request.params;
      const info = points.get(point);
      if (!info) throw new ApiError(404, 'points.unknown', `No source announces a point ${point}.`);
      const { limit = 10_000, bucket } = request.query;
      const to = parseTime('to', request.query.to) ?? clock.now();
      const from = parseTime('from', request.query.from) ?? to - 3_600_000_000_000n;
      if (from > to) throw new ApiError(400, 'api.invalid', 'The time `from` lies behind `to`.');
      const gaps = (await store.gaps({ source: info.source, from, to, limit: 1_000 }))
        .map((text) => JSON.parse(text) as GapJson)
        .filter((gap) => gap.endpoint === undefined || gap.endpoint === info.endpoint)
        .map((gap) => ({ from: gap.from, to: gap.to, reason: gap.reason }));
      if (bucket !== undefined) {
        const width = fromMillis(bucket * 1000);
        if ((to - from) / width > BigInt(MAX_BUCKETS))
          throw new ApiError(
            400,
            'api.too-many-buckets',
            `The time holds more than ${MAX_BUCKETS} buckets; take wider ones.`,
          );
        const buckets = await historian.resample({ point, from, to, bucket: width });
        return {
          point,
          buckets: buckets.map((each) => [
            toMillis(each.start),
            each.count,
            each.min,
            each.max,
            each.mean,
            each.last,
            each.quality,
          ]),
          truncated: false,
          gaps,
        };
      }
      const { time, value, quality, truncated } = await historian.range({ point, from, to, limit });
      return {
        point,
        samples: Array.from(time, (at, index) => [toMillis(at), value[index] ?? null, quality[index] ?? 0]),
        truncated,
        gaps,
      };
    },
  );
}

/** All points by source and name, made anew when a source announces something. */
class SortedPoints {
  readonly #points: ApiContext['points'];
  #revision = -1;
  #sorted: { readonly key: string; readonly text: string; readonly point: PointInfo }[] = [];

  constructor(points: ApiContext['points']) {
    this.#points = points;
  }

  all(): readonly { readonly key: string; readonly text: string; readonly point: PointInfo }[] {
    if (this.#revision !== this.#points.revision) {
      this.#revision = this.#points.revision;
      this.#sorted = [...this.#points.all()].map((point) => {
        const { name, source, site, endpoint, address, description = '', measurementType = '', mRID } = point;
        const text = [name, source, site, endpoint, address, description, measurementType, mRID]
          .join(' ')
          .toLowerCase();
        return { key: `${source}\n${name}\n${mRID}`, text, point };
      });
      this.#sorted.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    }
    return this.#sorted;
  }
}

/** @returns undefined for all points; @throws ApiError when one is no mRID */
export function parsePoints(text: string | undefined): Set<Mrid> | undefined {
  if (text === undefined || text === 'all') return undefined;
  const wanted = new Set(text.split(',').filter(Boolean));
  for (const mRID of wanted) {
    if (!MRID.test(mRID)) throw new ApiError(400, 'api.invalid', `'${mRID.slice(0, 60)}' is no mRID.`);
  }
  return wanted;
}

/** @throws ApiError when the text is no ISO 8601 date-time with a zone */
export function parseTime(name: string, text: string | undefined): UtcNanos | undefined {
  if (text === undefined) return undefined;
  try {
    const at = fromIso(text);
    toIso(at);
    return at;
  } catch {
    throw new ApiError(400, 'api.invalid', `\`${name}\` is no ISO 8601 date-time with a zone: '${text}'.`);
  }
}
