/** IEC 60870-5-104 in a site file: the keys of an endpoint and the address columns of a point list. */
import Type from 'typebox';
import type { ProtocolSpec } from '../../protocol.ts';
import { EndpointTls } from '../endpoint-tls.ts';
import { OBJECT_TYPES, type ObjectType } from './object-types.ts';

const seconds = (description: string) =>
  Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 86_400, description }));
const octets = (maximum: number) => Type.Optional(Type.Integer({ minimum: 1, maximum }));
const port = Type.Integer({ minimum: 1, maximum: 65_535 });
const host = Type.String({ minLength: 1, maxLength: 255 });

const ObjectAddress = Type.Object(
  {
    ca: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_534 })),
    ioa: Type.Integer({ minimum: 0, maximum: 16_777_215 }),
  },
  { additionalProperties: false },
);

/** Keys of an endpoint with `protocol: iec104`. */
export const SETTINGS = {
  host,
  port: Type.Optional(port),
  /** Further addresses of the same device: one connection is started, the others stand by (5-104 § 10). */
  redundant: Type.Optional(
    Type.Array(Type.Object({ host, port: Type.Optional(port) }, { additionalProperties: false }), { maxItems: 7 }),
  ),
  tls: Type.Optional(EndpointTls),
  commonAddress: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 65_534, description: 'used by points that give no ca' }),
  ),
  originator: Type.Optional(Type.Integer({ minimum: 0, maximum: 255 })),
  parameters: Type.Optional(
    Type.Object(
      {
        k: Type.Optional(Type.Integer({ minimum: 1, maximum: 32_767 })),
        w: Type.Optional(Type.Integer({ minimum: 1, maximum: 32_767 })),
        t0: seconds('time-out of the connection establishment'),
        t1: seconds('time-out of send or test APDUs'),
        t2: seconds('time-out for acknowledges'),
        t3: seconds('time-out for test frames'),
        causeSize: octets(2),
        commonAddressSize: octets(2),
        informationObjectAddressSize: octets(3),
        maxAsduLength: Type.Optional(Type.Integer({ minimum: 4, maximum: 249 })),
      },
      { additionalProperties: false },
    ),
  ),
  interrogation: Type.Optional(
    Type.Object(
      {
        group: Type.Optional(Type.Integer({ minimum: 20, maximum: 36, description: '20 station, 21 to 36 groups' })),
        everySeconds: seconds('repeated after start; absent = only after start'),
        timeoutSeconds: seconds('an interrogation that lasts longer has failed'),
      },
      { additionalProperties: false },
    ),
  ),
  counterInterrogation: Type.Optional(
    Type.Object(
      {
        qualifier: Type.Optional(Type.Integer({ minimum: 0, maximum: 255, description: 'QCC; 5 = general request' })),
        everySeconds: seconds('repeated after start; absent = only after start'),
      },
      { additionalProperties: false },
    ),
  ),
  clockSynchronization: Type.Optional(
    Type.Object({ everySeconds: seconds('interval; once after start when absent') }, { additionalProperties: false }),
  ),
  overflowPoint: Type.Optional(ObjectAddress),
  commandTimeouts: Type.Optional(
    Type.Object(
      { actcon: seconds('until ACTCON'), actterm: seconds('until ACTTERM') },
      { additionalProperties: false },
    ),
  ),
};

export type Iec104Settings = Type.Static<ReturnType<typeof settingsObject>>;
const settingsObject = () => Type.Object(SETTINGS);

/** The address of a bound point at run time. */
export interface Iec104Target {
  readonly ca: number;
  readonly ioa: number;
  readonly type: ObjectType | undefined;
}

export const addressText = (ca: number, ioa: number): string => `ca=${ca} ioa=${ioa}`;

export const iec104Protocol: ProtocolSpec = {
  name: 'iec104',
  settings: SETTINGS,
  pointFields: [
    {
      name: 'ca',
      aliases: ['coa', 'commonAddress', 'asdu address'],
      type: 'integer',
      minimum: 1,
      maximum: 65_534,
      about: 'common address of ASDU; the endpoint’s commonAddress when absent',
    },
    {
      name: 'ioa',
      aliases: ['informationObjectAddress', 'address'],
      type: 'integer',
      minimum: 0,
      maximum: 16_777_215,
      about: 'information object address',
    },
    {
      name: 'type',
      aliases: ['typeId', 'ti'],
      type: 'choice',
      choices: [...OBJECT_TYPES.keys()],
      about: 'ASDU type, for example M_ME_NC_1',
    },
  ],
  address(row, settings, problem) {
    const ca = (row.get('ca') ?? settings.commonAddress) as number | undefined;
    const ioa = row.get('ioa') as number | undefined;
    const type = OBJECT_TYPES.get(String(row.get('type')));
    if (ca === undefined)
      problem('ca', 'is missing; expected a common address here or `commonAddress` at the endpoint');
    if (ioa === undefined) problem('ioa', 'is missing; expected an information object address from 0 to 16777215');
    const control = type
      ? type.direction === 'control'
      : row.get('kind') === 'command' || row.get('kind') === 'setpoint';
    if (control && !type) problem('type', 'is missing; expected the ASDU type of the command, for example C_SC_NA_1');
    if (ca === undefined || ioa === undefined || (control && !type)) return undefined;
    const target: Iec104Target = { ca, ioa, type };
    return {
      // The same object address may be used in both directions, for a status and for the command that changes it.
      address: control ? `${addressText(ca, ioa)} control` : addressText(ca, ioa),
      access: control ? 'control' : 'read',
      ...(type ? { kind: type.kind, cdc: type.cdc } : {}),
      target,
    };
  },
  check(settings, points, problem) {
    const { parameters, overflowPoint } = settings as unknown as Iec104Settings;
    if (parameters?.k !== undefined && parameters.w !== undefined && parameters.w > parameters.k) {
      problem('parameters.w', `${parameters.w} is larger than k ${parameters.k}; expected about two thirds of k`);
    }
    if (parameters?.t2 !== undefined && parameters.t2 >= (parameters.t1 ?? 15)) {
      problem('parameters.t2', `${parameters.t2} s is not shorter than t1 ${parameters.t1 ?? 15} s`);
    }
    const largest = 256 ** (parameters?.informationObjectAddressSize ?? 3) - 1;
    const wide = points.find((point) => (point.target as Iec104Target).ioa > largest);
    if (wide)
      problem(
        'parameters.informationObjectAddressSize',
        `holds addresses up to ${largest}, but ${wide.origin} has ${wide.binding.address}`,
      );
    if (overflowPoint && overflowPoint.ca === undefined && settings.commonAddress === undefined) {
      problem('overflowPoint.ca', 'is missing; expected a common address here or `commonAddress` at the endpoint');
    }
  },
  async create(endpoint, host) {
    const { Iec104Connector } = await import('./connector.ts');
    return new Iec104Connector(endpoint, host);
  },
};
