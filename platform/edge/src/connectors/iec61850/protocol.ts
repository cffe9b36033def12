/** IEC 61850 in a site file: an SCL file and the name of an IED are enough; points, data sets and addresses are in the SCL. */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import Type from 'typebox';
import type { ProtocolSpec } from '../../protocol.ts';
import { type IedSource, openIed, pointRows } from './points.ts';

const Tls = Type.Object(
  {
    ca: Type.String({ description: 'PEM file of the authority that the device certificate comes from' }),
    certificate: Type.String({ description: 'PEM file of the own certificate' }),
    key: Type.String({ description: 'PEM file of its key' }),
    crl: Type.Optional(Type.String({ description: 'PEM file' })),
    serverName: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

/** Keys of an endpoint with `protocol: iec61850`. */
export const SETTINGS = {
  scl: Type.String({ minLength: 1, description: 'SCD, CID, IID or ICD file; beside the site file when relative' }),
  ied: Type.Optional(Type.String({ description: 'name of the IED in the SCL file; the only one when absent' })),
  host: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'the address in the SCL when absent' })),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, description: '102, with TLS 3782' })),
  tls: Type.Optional(Tls),
  reports: Type.Optional(
    Type.Array(Type.String({ pattern: '^[^/]+/[^.]+\\.(BR|RP)\\..+$' }), {
      maxItems: 200,
      description:
        'report control blocks to use, BCU1CTRL/LLN0.BR.brcb01; one for each data set, buffered first, when absent',
    }),
  ),
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
}

/** Files that were read for the site at hand; the connector needs the same ones again. */
const opened = new Map<string, IedSource>();
const MAX_OPENED = 64;

/** The IED of an endpoint. @throws EnerchainError when the file cannot be read or has no such IED */
export function iedOf({ scl, ied }: Iec61850Settings, folder: string): IedSource {
  const path = isAbsolute(scl) ? scl : join(folder, scl);
  const content = readFileSync(path);
  const key = `${path}\0${ied ?? ''}\0${content.length}`;
  const known = opened.get(key);
  if (known?.content.equals(content)) return known;
  const source = openIed(scl, content, ied);
  if (opened.size >= MAX_OPENED) opened.delete(opened.keys().next().value as string);
  opened.set(key, source);
  return source;
}

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
  ],
  rows: (settings, folder) => pointRows(iedOf(settings as unknown as Iec61850Settings, folder)),
  address(row, _settings, problem) {
    const object = row.get('object') as string | undefined;
    const value = row.get('attribute') as string | undefined;
    const cdc = row.get('cdc') as string | undefined;
    if (object === undefined || !/^[^/.]+\/[^/.]+\.[^/]+$/.test(object)) {
      problem('object', 'is no data object; expected one like BCU1CTRL/QA1XCBR1.Pos');
      return undefined;
    }
    const target: Iec61850Target = { object, cdc: cdc ?? '', ...(value === undefined ? {} : { value }) };
    return value === undefined
      ? { address: `${object} control`, access: 'control', target }
      : { address: object, access: 'read', target };
  },
  async create(endpoint, host) {
    const { Iec61850Connector } = await import('./connector.ts');
    return new Iec61850Connector(endpoint, host);
  },
};
