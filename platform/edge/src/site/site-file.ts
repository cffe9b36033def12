/** The form of a site file: what stands in it, with the bounds and words that an error about it names. */
import { Endpoint, SiteDocument } from '@enerchain/model';
import Type from 'typebox';
import { TCN_KEYS } from '../tcn/settings.ts';

const positive = (description: string) => Type.Optional(Type.Number({ exclusiveMinimum: 0, description }));

const POINT_LIST = Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { maxItems: 1000 }));

/** The site file without what stands under `endpoints`. */
export const SiteFile = Type.Object(
  {
    source: SiteDocument.properties.source,
    site: Type.Object(
      {
        id: Type.String({ minLength: 1, maxLength: 100 }),
        name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
      },
      { additionalProperties: false },
    ),
    outbox: Type.Optional(
      Type.Object(
        {
          maxBytes: Type.Optional(Type.Integer({ minimum: 65_536, description: 'octets on disk' })),
          maxAge: positive('seconds'),
          maxMemory: Type.Optional(Type.Integer({ minimum: 65_536, description: 'octets in memory' })),
          batchTime: positive('milliseconds'),
          batchCount: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, description: 'observations' })),
        },
        { additionalProperties: false },
      ),
    ),
    uplink: Type.Optional(
      Type.Object(
        {
          url: Type.Optional(Type.String({ pattern: '^(wss|https)://', description: 'address of the centre' })),
          bytesPerSecond: positive('throttle for narrow links'),
          reportSeconds: positive('interval of the status report'),
        },
        { additionalProperties: false },
      ),
    ),
    policy: Type.Optional(
      Type.Object(
        {
          forbidCommands: POINT_LIST,
          essential: POINT_LIST,
          secondPerson: POINT_LIST,
          breakGlass: Type.Optional(Type.Union([Type.Boolean(), Type.Literal('authenticator')])),
          inspection: Type.Optional(Type.Enum(['none', 'views', 'files'] as const)),
        },
        { additionalProperties: false },
      ),
    ),
    trust: Type.Optional(
      Type.Object(
        {
          tpm: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 200,
              description: 'device or socket of a TPM 2.0; absent: software',
            }),
          ),
          key: Type.Optional(
            Type.Union(
              [
                Type.Enum(['file', 'tpm'] as const),
                Type.Object(
                  {
                    library: Type.String({ minLength: 1, maxLength: 300, description: 'PKCS#11 library of the HSM' }),
                    token: Type.String({ minLength: 1, maxLength: 32 }),
                    label: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
                    pinFile: Type.String({ minLength: 1, maxLength: 300, description: 'file (0600) with the PIN' }),
                  },
                  { additionalProperties: false },
                ),
              ],
              { description: 'where the key of the gateway lies: tpm when there is one, else file' },
            ),
          ),
          tls: Type.Optional(
            Type.Enum(['file', 'hsm'] as const, {
              description: 'where the key of connections lies that is not that of the gateway: file, or the same HSM',
            }),
          ),
          eventLog: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 300,
              description: 'event log of the boot, where Linux does not show it',
            }),
          ),
          measure: Type.Optional(
            Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
              maxItems: 1000,
              description: 'further files that are measured, for example firmware of this gateway',
            }),
          ),
          ...TCN_KEYS,
        },
        { additionalProperties: false },
      ),
    ),
    endpoints: Type.Array(Type.Object({}), { minItems: 1, maxItems: 10_000 }),
  },
  { additionalProperties: false },
);

/** What an endpoint of every protocol may say; the protocol adds its own. */
export const COMMON_ENDPOINT_KEYS = {
  id: Endpoint.properties.id,
  name: Endpoint.properties.name,
  protocol: Endpoint.properties.protocol,
  asset: Endpoint.properties.asset,
  timeZone: Endpoint.properties.timeZone,
  enabled: Type.Optional(Type.Boolean()),
  pointsFile: Type.Optional(Type.String({ minLength: 1 })),
  points: Type.Optional(Type.Array(Type.Object({}), { maxItems: 200_000 })),
};

export type SiteFileContent = Type.Static<typeof SiteFile>;

/** An endpoint as it was written; the rest is for its protocol. */
export type EndpointContent = Record<string, unknown> & { id: string; points?: unknown[]; pointsFile?: string };
