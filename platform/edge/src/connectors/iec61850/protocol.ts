/** IEC 61850 in a site file: an SCL file and the name of an IED are enough; points, data sets and addresses are in the SCL. */
import Type from 'typebox';
import type { ProtocolSpec } from '../../protocol.ts';
import { EndpointTls } from '../endpoint-tls.ts';
import { isPrimary } from './common-data-classes.ts';
import { pointRows, type RowOptions } from './points.ts';
import { iedOf } from './scl-file.ts';

const Poll = Type.Object(
  {
    seconds: Type.Optional(
      Type.Number({ minimum: 0.1, maximum: 86_400, description: 'between two readings of a value; 10 when absent' }),
    ),
    readsPerSecond: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1000, description: 'requests at most; 10 when absent' }),
    ),
    refreshSeconds: Type.Optional(
      Type.Number({
        minimum: 1,
        maximum: 604_800,
        description: 'a value that does not change is told again; 600 when absent',
      }),
    ),
    settingsSeconds: Type.Optional(
      Type.Number({ minimum: 1, maximum: 604_800, description: 'between two readings of a setting; 3600 when absent' }),
    ),
  },
  { additionalProperties: false },
);

const Goose = Type.Union([
  Type.Object(
    {
      interface: Type.String({
        minLength: 1,
        maxLength: 100,
        description: 'network interface on which GOOSE is heard, eth1; or a link that the program provides',
      }),
      tcpdump: Type.Optional(
        Type.Boolean({
          description: 'capture with tcpdump, which has rights of its own, instead of opening the interface',
        }),
      ),
      descriptor: Type.Optional(
        Type.Integer({ minimum: 3, maximum: 1023, description: 'packet socket that the launcher has opened' }),
      ),
    },
    { additionalProperties: false },
  ),
  Type.Object(
    { capture: Type.String({ minLength: 1, maxLength: 300, description: 'pcap file to play instead of listening' }) },
    { additionalProperties: false },
  ),
  Type.Object(
    {
      stream: Type.Object(
        {
          host: Type.String({ minLength: 1, maxLength: 255 }),
          port: Type.Integer({ minimum: 1, maximum: 65_535 }),
        },
        {
          additionalProperties: false,
          description: 'who sends what it captures over TCP: tcpdump -U -w - with nc -l behind it, a probe',
        },
      ),
    },
    { additionalProperties: false },
  ),
]);
export type GooseSettings = Type.Static<typeof Goose>;

/** Keys of an endpoint with `protocol: iec61850`. */
export const SETTINGS = {
  scl: Type.String({ minLength: 1, description: 'SCD, CID, IID or ICD file; beside the site file when relative' }),
  ied: Type.Optional(Type.String({ description: 'name of the IED in the SCL file; the only one when absent' })),
  host: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'the address in the SCL when absent' })),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, description: '102, with TLS 3782' })),
  tls: Type.Optional(EndpointTls),
  reports: Type.Optional(
    Type.Array(Type.String({ pattern: '^[^/]+/[^.]+\\.(BR|RP)\\..+$' }), {
      maxItems: 200,
      description:
        'report control blocks to use, BCU1CTRL/LLN0.BR.brcb01; one for each data set, buffered first, when absent',
    }),
  ),
  client: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 100,
      description: 'name of this gateway in the SCL: instances of control blocks that are meant for it come first',
    }),
  ),
  dynamicDataSets: Type.Optional(
    Type.Boolean({
      description:
        'where no report control block has a value, one is asked for with a data set of our own, if the device allows it (Services); not when absent',
    }),
  ),
  poll: Type.Optional(
    Type.Union([Type.Boolean(), Poll], {
      description: 'reads what no report brings; true when absent, false leaves it out',
    }),
  ),
  settings: Type.Optional(
    Type.Boolean({ description: 'settings (ASG, SPG, ING …) as points as well, read now and then; not when absent' }),
  ),
  angles: Type.Optional(Type.Boolean({ description: 'angles of phasors as points as well; not when absent' })),
  goose: Type.Optional(Goose),
  integritySeconds: Type.Optional(
    Type.Number({
      minimum: 1,
      maximum: 86_400,
      description: 'all values again in this interval; as the SCL says when absent',
    }),
  ),
  reserveSeconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 32_767,
      description: 'a buffered block stays ours for this time after a cut; 60 when absent',
    }),
  ),
};

export type Iec61850Settings = Type.Static<ReturnType<typeof settingsObject>>;
const settingsObject = () => Type.Object(SETTINGS);

/** The address of a bound point at run time. */
export interface Iec61850Target {
  /** `BCU1CTRL/QA1XCBR1.Pos`. */
  readonly object: string;
  readonly cdc: string;
  /** Of what is monitored: the attribute with the value, below the object. */
  readonly value?: string;
  /** Changes up to this much are not told when the value is polled; in the unit of the device, before `k` and `d`. */
  readonly deadband?: number;
}

/** What of the device becomes points. */
export const rowOptionsOf = ({ poll, settings, angles, goose }: Iec61850Settings): RowOptions => ({
  polled: poll !== false,
  settings: settings === true && poll !== false,
  angles: angles === true,
  goose: goose !== undefined,
});

export const iec61850Protocol: ProtocolSpec = {
  name: 'iec61850',
  settings: SETTINGS,
  pointFields: [
    { name: 'object', aliases: ['ref'], type: 'text', about: 'data object, BCU1CTRL/QA1XCBR1.Pos' },
    {
      name: 'attribute',
      aliases: ['da'],
      type: 'text',
      about: 'attribute with the value, stVal or mag.f; absent for a control',
    },
    {
      name: 'deadband',
      type: 'number',
      minimum: 0,
      ofAddress: false,
      about: 'changes up to this much are not told when the value is polled; in the unit of the device',
    },
  ],
  rows: (settings, folder) => {
    const own = settings as unknown as Iec61850Settings;
    return pointRows(iedOf(own, folder), rowOptionsOf(own));
  },
  address(row, _settings, problem) {
    const object = row.get('object') as string | undefined;
    const value = row.get('attribute') as string | undefined;
    const cdc = row.get('cdc') as string | undefined;
    if (object === undefined || !/^[^/.]+\/[^/.]+\.[^/]+$/.test(object)) {
      problem('object', 'is no data object; expected one like BCU1CTRL/QA1XCBR1.Pos');
      return undefined;
    }
    const deadband = row.get('deadband') as number | undefined;
    const target: Iec61850Target = {
      object,
      cdc: cdc ?? '',
      ...(value === undefined ? {} : { value }),
      ...(deadband === undefined ? {} : { deadband }),
    };
    if (value === undefined) return { address: `${object} control`, access: 'control', target };
    return { address: isPrimary(value) ? object : `${object}.${value}`, access: 'read', target };
  },
  async create(endpoint, host) {
    const { Iec61850Connector } = await import('./connector.ts');
    return new Iec61850Connector(endpoint, host);
  },
};
