/** Values of IEC 61850 as observations, without loss: quality bit by bit, time to the last fraction. Pure. */

import { codeOf, type ReceivedMember, type Trigger } from '@enerchain/iec61850';
import { type BitString, bit, type Data, type TypeSpecification, type UtcTime } from '@enerchain/mms';
import {
  CAUSES,
  type Quality,
  TIME_GOOD,
  TIME_QUALITY,
  type TimeQuality,
  type UtcNanos,
  type Value,
} from '@enerchain/model';

/** The validity bits come first and are one number here; the others keep their places (8-1 table 40). */
export function qualityOf(value: BitString): Quality {
  let quality = (bit(value, 0) ? 2 : 0) | (bit(value, 1) ? 1 : 0);
  for (let index = 2; index < 13; index++) if (bit(value, index)) quality |= 1 << index;
  return quality;
}

/** @returns undefined for a time that was never set */
export function timeOf({
  seconds,
  fraction,
  quality,
}: UtcTime): { readonly at: UtcNanos; readonly quality: TimeQuality } | undefined {
  if (seconds === 0 && fraction === 0) return undefined;
  const at = BigInt(seconds) * 1_000_000_000n + (BigInt(fraction) * 1_000_000_000n) / 0x100_0000n;
  const accuracy = quality & TIME_QUALITY.accuracyMask;
  return { at, quality: (quality & 0xe0) | (accuracy === 0 ? TIME_GOOD : accuracy) };
}

/** @returns undefined when it is none that a point can have */
export function pointValueOf(data: Data): Value | undefined {
  switch (data.kind) {
    case 'boolean':
      return data.value ? 1 : 0;
    case 'integer':
    case 'unsigned':
      return Number(data.value);
    case 'float':
    case 'double':
      return Number.isFinite(data.value) ? data.value : null;
    case 'bitString':
      return codeOf(data.value);
    case 'visibleString':
    case 'mmsString':
      return data.value;
    default:
      return undefined;
  }
}

const SPONTANEOUS = CAUSES.indexOf('spontaneous');
const PERIODIC = CAUSES.indexOf('periodic');
const INTERROGATION = CAUSES.indexOf('interrogation');

/** @param reasons empty when the device does not say */
export function causeOf(reasons: readonly Trigger[]): number {
  if (reasons.includes('dchg') || reasons.includes('qchg') || reasons.includes('dupd') || reasons.length === 0)
    return SPONTANEOUS;
  return reasons.includes('gi') ? INTERROGATION : PERIODIC;
}

/** What an attribute in a report is for. */
export interface Sink {
  /** Key of the object: one observation is made of its value, quality and time. */
  readonly object: string;
  readonly part: 'value' | 'q' | 't';
}

/** For each value of a member, depth first, what it is for; undefined for what nobody is interested in. */
export type Plan = readonly (Sink | undefined)[];

/** @param sink what the attribute at a reference is for */
export function planOf(
  type: TypeSpecification,
  reference: string,
  sink: (reference: string) => Sink | undefined,
): Plan {
  if (type.kind === 'structure') {
    return type.value.components.flatMap(({ name, type: inner }) => planOf(inner, `${reference}.${name ?? ''}`, sink));
  }
  // Elements of arrays have no points; they are counted so that what follows keeps its place.
  if (type.kind === 'array')
    return Array.from({ length: type.value.count }).flatMap(() => planOf(type.value.element, '', () => undefined));
  return [sink(reference)];
}

/** Values depth first, in the order of a plan. */
export function* flat(data: Data): Generator<Data> {
  if (data.kind === 'structure' || data.kind === 'array') for (const part of data.value) yield* flat(part);
  else yield data;
}

/** What has become known of an object by a report. */
export interface News {
  value?: Data;
  q?: BitString;
  t?: UtcTime;
  cause: number;
}

/** Puts together what a report says of each object. @param plans by reference and constraint of the member */
export function newsOf(members: readonly ReceivedMember[], plans: ReadonlyMap<string, Plan>): Map<string, News> {
  const news = new Map<string, News>();
  for (const { reference, fc, value, reasons } of members) {
    const plan = plans.get(`${reference} ${fc}`);
    if (!plan) continue;
    let at = 0;
    for (const data of flat(value)) {
      const sink = plan[at++];
      if (!sink) continue;
      let of = news.get(sink.object);
      if (!of) {
        of = { cause: causeOf(reasons) };
        news.set(sink.object, of);
      }
      if (sink.part === 'value') of.value = data;
      else if (sink.part === 'q' && data.kind === 'bitString') of.q = data.value;
      else if (sink.part === 't' && data.kind === 'utcTime') of.t = data.value;
    }
  }
  return news;
}
