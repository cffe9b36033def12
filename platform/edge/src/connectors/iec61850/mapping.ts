/** Values of IEC 61850 as observations, without loss: quality bit by bit, time to the last fraction. Pure. */

import { codeOf, type ReceivedMember, type Trigger, timeText } from '@enerchain/iec61850';
import { type BitString, bit, type Data, type TypeSpecification, type UtcTime } from '@enerchain/mms';
import { CAUSES, EnerchainError, type Quality, type TimeQuality, type UtcNanos, type Value } from '@enerchain/model';

/** The validity bits come first and are one number here; the others keep their places (8-1 table 40). */
export function qualityOf(value: BitString): Quality {
  let quality = (bit(value, 0) ? 2 : 0) | (bit(value, 1) ? 1 : 0);
  for (let index = 2; index < 13; index++) if (bit(value, index)) quality |= 1 << index;
  return quality;
}

/** The quality of a time is the same octet on both sides. @returns undefined for a time that was never set */
export function timeOf({
  seconds,
  fraction,
  quality,
}: UtcTime): { readonly time: UtcNanos; readonly quality: TimeQuality } | undefined {
  if (seconds === 0 && fraction === 0) return undefined;
  // Rounded up, so that the fraction of 2⁻²⁴ s can be had back.
  const nanos = (BigInt(fraction) * 1_000_000_000n + 0xff_ffffn) / 0x100_0000n;
  return { time: BigInt(seconds) * 1_000_000_000n + nanos, quality: quality & 0xff };
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
    case 'utcTime':
      return timeText(data.value);
    case 'octetString':
      return Buffer.from(data.value).toString('hex');
    default:
      return undefined;
  }
}

export const SPONTANEOUS = CAUSES.indexOf('spontaneous');
/** Read by us. */
export const REQUESTED = CAUSES.indexOf('requested');
export const PERIODIC = CAUSES.indexOf('periodic');
const INTERROGATION = CAUSES.indexOf('interrogation');

/** @param reasons empty when the device does not say */
export function causeOf(reasons: readonly Trigger[]): number {
  if (reasons.includes('dchg') || reasons.includes('qchg') || reasons.includes('dupd') || reasons.length === 0)
    return SPONTANEOUS;
  return reasons.includes('gi') ? INTERROGATION : PERIODIC;
}

/** What an attribute is for. */
export interface Sink {
  /** The object that one observation is made of: its value, quality and time. */
  readonly object: string;
  /** Name of a value below the object; `q` and `t` are quality and time. */
  readonly part: string;
}

/** For each value of a member, depth first, what it is for; undefined for what nobody is interested in. */
export type Plan = readonly (Sink | undefined)[];

/** Elements of arrays that are looked into; a device with more is not believed. */
const MAX_ELEMENTS = 10_000;

/** @param sink what the attribute at a reference is for @throws EnerchainError `edge.iec61850.type` (peer) for endless arrays */
export function planOf(
  type: TypeSpecification,
  reference: string,
  sink: (reference: string) => Sink | undefined,
): Plan {
  if (type.kind === 'structure') {
    return type.value.components.flatMap(({ name, type: inner }) => planOf(inner, `${reference}.${name ?? ''}`, sink));
  }
  if (type.kind === 'array') {
    const { count, element } = type.value;
    if (count > MAX_ELEMENTS)
      throw new EnerchainError('peer', 'edge.iec61850.type', `${reference} is an array of ${count}; it is not used`);
    return Array.from({ length: count }, (_, index) => planOf(element, `${reference}(${index})`, sink)).flat();
  }
  return [sink(reference)];
}

/** Values depth first, in the order of a plan. */
export function* flat(data: Data): Generator<Data> {
  if (data.kind === 'structure' || data.kind === 'array') for (const part of data.value) yield* flat(part);
  else yield data;
}

/** What has become known of an object by a message. */
export interface News {
  /** By name below the object. */
  readonly values: Map<string, Data>;
  q?: BitString;
  t?: UtcTime;
  cause: number;
}

/** Adds what a member says to what is known of each object. */
export function addNews(news: Map<string, News>, plan: Plan, value: Data, cause: number): void {
  let at = 0;
  for (const data of flat(value)) {
    const sink = plan[at++];
    if (!sink) continue;
    let of = news.get(sink.object);
    if (!of) {
      of = { values: new Map(), cause };
      news.set(sink.object, of);
    }
    if (sink.part === 'q') {
      if (data.kind === 'bitString') of.q = data.value;
    } else if (sink.part === 't') {
      if (data.kind === 'utcTime') of.t = data.value;
    } else of.values.set(sink.part, data);
  }
}

/** Puts together what a report says of each object. @param plans by reference and constraint of the member */
export function newsOf(members: readonly ReceivedMember[], plans: ReadonlyMap<string, Plan>): Map<string, News> {
  const news = new Map<string, News>();
  for (const { reference, fc, value, reasons } of members) {
    const plan = plans.get(`${reference} ${fc}`);
    if (plan) addNews(news, plan, value, causeOf(reasons));
  }
  return news;
}
