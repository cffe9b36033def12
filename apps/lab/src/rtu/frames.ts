/** From the lab's events and readings to ASDUs. */
import {
  type AsduContent,
  type AsduFields,
  cp56FromEpochMillis,
  type Element,
  type InformationObject,
} from '@enerchain/iec60870';
import { FAMILIES, type Family, type MonitoredPoint } from './point-list.ts';
import type { Reading } from './readings.ts';
import { COT, type RtuEvent } from './rtu-image.ts';

/** Objects that fit an ASDU of 249 octets with CP56 time and three-octet addresses (the widest ones used here). */
const OBJECTS_PER_ASDU = 15;

function element(family: Family, { value, quality }: Reading): Element {
  switch (family) {
    case 'single':
      return { kind: 'single', value, quality };
    case 'double':
      return { kind: 'double', value, quality };
    case 'step':
      return { kind: 'step', value, transient: false, quality };
    case 'measured':
      return { kind: 'short', value, quality };
    case 'counter':
      return { kind: 'integratedTotal', value, sequence: 0, flags: quality & 0x80 };
  }
}

/** Cyclic values go without time (5-101 § 7.3.1: types 36 and the like are for events). */
export const isTimed = (event: RtuEvent): boolean => event.cause !== COT.periodic && event.cause !== COT.background;

export const typeOf = (event: RtuEvent): number => FAMILIES[event.point.family][isTimed(event) ? 'timed' : 'plain'];

/** Events as ASDUs in their order; neighbours of one type and cause share one. */
export function eventAsdus(commonAddress: number, events: readonly RtuEvent[]): AsduFields[] {
  const asdus: { typeId: number; cause: number; commonAddress: number; objects: InformationObject[] }[] = [];
  for (const event of events) {
    const typeId = typeOf(event);
    let last = asdus.at(-1);
    if (last?.typeId !== typeId || last.cause !== event.cause || last.objects.length >= OBJECTS_PER_ASDU) {
      last = { typeId, cause: event.cause, commonAddress, objects: [] };
      asdus.push(last);
    }
    last.objects.push({
      address: event.point.ioa,
      element: element(event.point.family, event),
      ...(isTimed(event) ? { time: cp56FromEpochMillis(event.time) } : {}),
    });
  }
  return asdus;
}

/** The image for an interrogation or a read: one content per family, without time. */
export function* imageContents(readings: Iterable<readonly [MonitoredPoint, Reading]>): Generator<AsduContent> {
  const families = new Map<Family, InformationObject[]>();
  for (const [point, reading] of readings) {
    const objects = families.get(point.family) ?? [];
    families.set(point.family, objects);
    objects.push({ address: point.ioa, element: element(point.family, reading) });
  }
  for (const [family, objects] of families) yield { typeId: FAMILIES[family].plain, objects };
}
