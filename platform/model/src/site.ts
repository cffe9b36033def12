/** What an edge is responsible for, and what it announces, signed, to the centre. */
import Type from 'typebox';
import { Mrid } from './identity.ts';
import { Point } from './point.ts';

/** CIM RemoteUnit: a device and how it is reached. The protocol's own settings stay on the edge. */
export const Endpoint = Type.Object(
  {
    id: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$', description: 'unique within the site' }),
    name: Type.Optional(Type.String({ maxLength: 200 })),
    protocol: Type.String({ maxLength: 40, description: 'iec104, mqtt, …' }),
    /** CIM Asset data as far as known. */
    asset: Type.Optional(
      Type.Object(
        {
          manufacturer: Type.Optional(Type.String({ maxLength: 200 })),
          model: Type.Optional(Type.String({ maxLength: 200 })),
          serialNumber: Type.Optional(Type.String({ maxLength: 200 })),
          firmware: Type.Optional(Type.String({ maxLength: 200 })),
          location: Type.Optional(Type.String({ maxLength: 200 })),
        },
        { additionalProperties: false },
      ),
    ),
    timeZone: Type.Optional(
      Type.String({ maxLength: 64, description: 'IANA zone of the device clock; UTC when absent' }),
    ),
    securityProfile: Type.Optional(Type.Enum(['none', 'tls'] as const)),
    /** Of a calculation: the sources whose values go into it. What they are worth, its results are worth at most. */
    inputs: Type.Optional(Type.Array(Type.String({ maxLength: 100 }), { maxItems: 10_000, uniqueItems: true })),
  },
  { additionalProperties: false },
);
export type Endpoint = Type.Static<typeof Endpoint>;

/** v = raw · k + d; k ≠ 0, so that a set-point can be converted back. */
export const Scaling = Type.Object({ k: Type.Number(), d: Type.Number() }, { additionalProperties: false });
export type Scaling = Type.Static<typeof Scaling>;

/** CIM RemotePoint: which protocol address feeds or controls which point. */
export const Binding = Type.Object(
  {
    point: Mrid,
    endpoint: Type.String({ maxLength: 100 }),
    /** Canonical text of the protocol address, for example `ca=1 ioa=4711`. */
    address: Type.String({ minLength: 1, maxLength: 300 }),
    access: Type.Enum(['read', 'control'] as const),
    scaling: Type.Optional(Scaling),
  },
  { additionalProperties: false },
);
export type Binding = Type.Static<typeof Binding>;

/**
 * The announcement of an edge: the points it may speak for and accept commands for. Ingest rejects observations of
 * points that are not in the version in force. Versions only grow.
 */
export const SiteDocument = Type.Object(
  {
    source: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$',
      description: 'the name in the edge certificate',
    }),
    site: Type.Object({ id: Type.String({ maxLength: 100 }), name: Type.String({ maxLength: 200 }) }),
    version: Type.Integer({ minimum: 1 }),
    endpoints: Type.Array(Endpoint, { maxItems: 10_000 }),
    points: Type.Array(Point, { maxItems: 200_000 }),
    bindings: Type.Array(Binding, { maxItems: 400_000 }),
  },
  { additionalProperties: false, $id: 'SiteDocument' },
);
export type SiteDocument = Type.Static<typeof SiteDocument>;

const { source, site, version, bindings } = SiteDocument.properties;

/** A site document as it is signed: a head, a column per endpoint, groups of points with their bindings. */
export const SITE_COLUMNS = {
  head: Type.Object(
    { source, site, version, columns: Type.Integer({ minimum: 1, description: 'columns in all, this one included' }) },
    { additionalProperties: false },
  ),
  endpoint: Type.Object({ endpoint: Endpoint }, { additionalProperties: false }),
  points: Type.Object({ points: Type.Array(Point, { minItems: 1 }), bindings }, { additionalProperties: false }),
} as const;
