/** Which points of the platform stand for which data objects of a device. Pure. */
import type { PointInfo } from '../../api/types.ts';

export interface DevicePoints {
  /** What is monitored, by the reference of the data object, or of the attribute where one has several values. */
  readonly monitored: ReadonlyMap<string, PointInfo>;
  /** What can be operated, likewise. */
  readonly controls: ReadonlyMap<string, PointInfo>;
  readonly all: readonly PointInfo[];
}

/** `BCU1CTRL/QA1XCBR1.Pos control` is the address of a control. */
const referenceOf = ({ address }: PointInfo): string => address.replace(/ control$/, '');

export function devicePoints(points: Iterable<PointInfo>, source: string, endpoint: string): DevicePoints {
  const monitored = new Map<string, PointInfo>();
  const controls = new Map<string, PointInfo>();
  const all: PointInfo[] = [];
  for (const point of points) {
    if (point.source !== source || point.endpoint !== endpoint) continue;
    all.push(point);
    const by = point.access === 'control' ? controls : monitored;
    const reference = referenceOf(point);
    if (!by.has(reference)) by.set(reference, point);
  }
  return { monitored, controls, all };
}

/** Where the value of a data object is, the first one there counts (IEC 61850-7-3). */
const CARRIERS = [
  'stVal',
  'general',
  'actVal',
  'mag.f',
  'mag.i',
  'instMag.f',
  'instMag.i',
  'cVal.mag.f',
  'cVal.mag.i',
  'instCVal.mag.f',
  'mxVal.f',
  'mxVal.i',
  'valWTr.posVal',
];

/** Which part of a point an attribute below its data object is: the value, its quality, its time, or none. */
export function partOfPoint(name: string, all: readonly string[]): 'value' | 'q' | 't' | undefined {
  if (name === 'q' || name === 't') return name;
  return name === CARRIERS.find((carrier) => all.includes(carrier)) ? 'value' : undefined;
}
