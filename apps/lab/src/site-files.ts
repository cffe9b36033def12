/** Writes what a gateway is started with: a site file, and a point list for each of its RTUs. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { EDGES, type EdgeName, type LabStation } from './grid/lab-grid.ts';
import { FAMILIES, type ListColumns, type PointList } from './rtu/point-list.ts';
import { controlType, OVERFLOW_IOA } from './rtu/station-points.ts';
import { OFFLINE, SENSOR_DEVICES, TOPICS } from './sensors/devices.ts';
import type { Ied } from './substation/ied.ts';
import { iedRows } from './substation/point-lists.ts';
import { SCD_NAME } from './substation/scd.ts';

/** The site that all lab edges belong to: part of every derived mRID. */
export const siteIdOf = (edge: EdgeName): string => `lab-${edge.slice('edge-'.length)}`;

/** The edge that the sensors belong to. */
const SENSOR_EDGE: EdgeName = 'edge-sued';

const COLUMNS = [
  'name',
  'object',
  'attribute',
  'ca',
  'ioa',
  'type',
  'kind',
  'cdc',
  'measurementType',
  'phases',
  'unit',
  'multiplier',
  'k',
  'equipment',
  'terminal',
  'positiveFlowIn',
  'normal',
  'alarmPriority',
  'highHigh',
  'high',
  'low',
  'lowLow',
  'hysteresis',
  'ctlModel',
  'feedback',
  'min',
  'max',
  'staleAfter',
  'aliases',
  'consequence',
  'action',
  'description',
] as const;

export interface RtuAccess {
  readonly station: LabStation;
  readonly points: PointList;
  readonly host: string;
  readonly port: number;
}

export interface IedAccess {
  readonly ied: Ied;
  /** What names of its points begin with. */
  readonly label: string;
  readonly edge: EdgeName;
  readonly host: string;
  readonly port: number;
}

/** @returns the paths of the site files, in the order of the edges */
export function writeSiteFiles(
  dataDir: string,
  rtus: readonly RtuAccess[],
  substation: {
    readonly scd: string;
    readonly ieds: readonly IedAccess[];
    /** Where the gateway hears their GOOSE: a network interface, or the tap of the station bus. */
    readonly goose:
      | { readonly interface: string }
      | { readonly stream: { readonly host: string; readonly port: number } };
  },
  broker: { readonly host: string; readonly port: number },
  /** The section `trust` of each gateway. */
  trustOf: (edge: EdgeName) => object,
): string[] {
  const folder = join(dataDir, 'sites');
  mkdirSync(folder, { recursive: true });
  for (const { station, points } of rtus) replace(join(folder, `${station.rtu}.csv`), pointListCsv(station, points));
  replace(join(folder, SCD_NAME), substation.scd);
  for (const { ied, label } of substation.ieds) replace(join(folder, `${idOf(ied)}.csv`), csv(iedRows(ied, label)));
  return (Object.keys(EDGES) as EdgeName[]).map((edge) => {
    const file = join(folder, `${edge}.yaml`);
    const own = rtus.filter(({ station }) => station.edge === edge);
    const endpoints = own.map(({ station, host, port }) => ({
      id: station.rtu,
      name: station.name,
      protocol: 'iec104',
      host,
      port,
      commonAddress: station.commonAddress,
      asset: { manufacturer: 'CloudEnerChain', model: 'Lab RTU', location: station.name },
      timeZone: 'UTC',
      interrogation: { everySeconds: 3600 },
      counterInterrogation: { everySeconds: 900 },
      clockSynchronization: { everySeconds: 600 },
      overflowPoint: { ioa: OVERFLOW_IOA },
      pointsFile: `${station.rtu}.csv`,
    }));
    const ieds = substation.ieds.filter((ied) => ied.edge === edge).map((ied) => iedEndpoint(ied, substation.goose));
    const document = {
      source: edge,
      site: { id: siteIdOf(edge), name: EDGES[edge] },
      // In a laboratory nobody is hurt: whoever is alone can see what breaking the glass does.
      policy: { breakGlass: true },
      trust: trustOf(edge),
      endpoints: [...endpoints, ...ieds, ...(edge === SENSOR_EDGE ? [sensorEndpoint(broker)] : [])],
    };
    replace(file, `# ${EDGES[edge]}: written by the lab at every start.\n${stringify(document, { lineWidth: 0 })}`);
    return file;
  });
}

function pointListCsv(station: LabStation, { monitored, controls }: PointList): string {
  const rows = [
    ...monitored.map((point) => ({
      name: point.name,
      ca: station.commonAddress,
      ioa: point.ioa,
      type: FAMILIES[point.family].type,
      ...point.columns,
    })),
    ...controls.map((control) => ({
      name: control.name,
      ca: station.commonAddress,
      ioa: control.ioa,
      type: controlType(control),
      ctlModel: control.mode === 'direct' ? 'direct' : 'sbo',
      feedback: control.feedback,
      ...control.columns,
    })),
  ] as ListColumns[];
  return csv(rows);
}

/** The SCD has the points; the list only what is to be said beyond it. */
const iedEndpoint = ({ ied, label, host, port }: IedAccess, goose: object): Record<string, unknown> => ({
  id: idOf(ied),
  name: label,
  protocol: 'iec61850',
  scl: SCD_NAME,
  ied: ied.name,
  host,
  port,
  asset: { manufacturer: 'CloudEnerChain', model: `Lab ${ied.model.ied.type}`, location: label },
  // Everything that matters is in a data set.
  poll: false,
  goose,
  pointsFile: `${idOf(ied)}.csv`,
});

/** `brn-j11`. */
const idOf = ({ name }: Ied): string => name.toLowerCase().replaceAll('_', '-');

function csv(rows: readonly ListColumns[]): string {
  const used = COLUMNS.filter((column) => rows.some((row) => row[column] !== undefined));
  return [used.join(';'), ...rows.map((row) => used.map((column) => cell(row[column])).join(';')), ''].join('\n');
}

function cell(value: string | number | boolean | undefined): string {
  if (value === undefined) return '';
  const text = typeof value === 'number' ? String(Number(value.toPrecision(9))) : String(value);
  return /[;"\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function sensorEndpoint({ host, port }: { host: string; port: number }): Record<string, unknown> {
  return {
    id: 'sensors',
    name: 'IoT sensors',
    protocol: 'mqtt',
    url: `mqtt://${host}:${port}`,
    timeField: '/time',
    timeFormat: 'iso',
    topic: TOPICS.state('{device}'),
    lastWill: { topic: TOPICS.status('{device}'), lost: OFFLINE },
    points: SENSOR_DEVICES.flatMap((device) =>
      device.points.map((point) => ({
        name: point.name,
        device: device.id,
        ...(point.field === undefined ? {} : { field: `/${point.field}` }),
        ...point.columns,
        staleAfter: device.every * 6,
      })),
    ),
  };
}

/** A reader never sees half a file. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
