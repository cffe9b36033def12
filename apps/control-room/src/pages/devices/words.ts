/** What stands in a device, in words. Pure. */
import { QUALITY } from '@enerchain/model/quality';
import { TIME_QUALITY } from '@enerchain/model/time';
import { stamp } from '../../format/time.ts';

/** Functional constraints (IEC 61850-7-2). */
export const FC_WORDS: Readonly<Record<string, string>> = {
  ST: 'status',
  MX: 'measurand',
  SP: 'setting',
  SV: 'substitution',
  CF: 'configuration',
  DC: 'description',
  SG: 'setting group',
  SE: 'setting group being edited',
  SR: 'service response',
  OR: 'operate received',
  BL: 'blocking',
  EX: 'extended definition',
  CO: 'control',
  US: 'unicast sampled values',
  MS: 'multicast sampled values',
  RP: 'unbuffered reporting',
  BR: 'buffered reporting',
  LG: 'logging',
  GO: 'GOOSE',
  GS: 'GSSE',
};

const TRIGGER_WORDS: Readonly<Record<string, string>> = {
  dchg: 'data change',
  qchg: 'quality change',
  dupd: 'data update',
  integrity: 'integrity',
  gi: 'general interrogation',
};

/** @param period of integrity reports, ms */
export const triggerText = (triggers: readonly string[], period: number | undefined): string =>
  triggers
    .map((trigger) => {
      const word = TRIGGER_WORDS[trigger] ?? trigger;
      return trigger === 'integrity' && period ? `${word} every ${period / 1000} s` : word;
    })
    .join(', ');

export const GOOSE_STATE_WORDS = {
  alive: 'alive',
  lost: 'no message within its time allowed to live',
  never: 'nothing heard yet',
} as const;

/** Values as JSON may hold structures and lists. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [name: string]: Plain };

/** `trkQual` → `trk qual`; the flags of quality come as one word each. */
const spaced = (word: string): string => word.replaceAll(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();

const DBPOS = ['intermediate', 'off', 'on', 'bad state'] as const;
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)((?: \w+)*)$/;

/**
 * A value that was read, as a person reads it.
 * @param type bType of the attribute
 * @param words of its enumeration
 */
export function valueText(
  value: Plain,
  of: { readonly type?: string; readonly words?: ReadonlyMap<number, string> },
  now: Date,
): string {
  if (value === null) return '—';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    const word = of.words?.get(value);
    return word === undefined ? String(value).replace('-', '−') : `${word} (${value})`;
  }
  if (typeof value === 'string') {
    if (of.type === 'Dbpos' && /^[01]{2}$/.test(value)) return DBPOS[Number.parseInt(value, 2)] as string;
    if (of.type === 'Quality') return value.split(',').map(spaced).join(', ');
    const [, at, flags = ''] = TIME.exec(value) ?? [];
    if (at === undefined) return value === '' ? '(empty)' : value;
    const time = stamp(new Date(at), now);
    return [time, ...flags.split(' ').filter(Boolean).map(spaced)].join(' · ');
  }
  if (Array.isArray(value)) return `${value.length} ${value.length === 1 ? 'element' : 'elements'}`;
  return Object.keys(value).join(', ');
}

/** A structure as its parts, with the names down to each; a list stays one part. */
export function* partsOf(value: Plain, path: string): Generator<readonly [path: string, value: Plain]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    yield [path, value];
    return;
  }
  for (const [name, part] of Object.entries(value)) yield* partsOf(part, `${path}.${name}`);
}

export interface DeviceRevision {
  readonly name: string;
  readonly configRev?: string;
  readonly expected?: string;
}

/** configRev of logical devices as facts: one for all where they are the same and as in the file. */
export function configRevisions(
  devices: readonly DeviceRevision[],
): { name: string; text: string; differs: boolean }[] {
  const told = devices.filter(({ configRev, expected }) => configRev !== undefined || expected !== undefined);
  const facts = told.map(({ name, configRev, expected }) => {
    const differs = configRev !== undefined && expected !== undefined && configRev !== expected;
    const text = configRev ?? `(${expected} in the file)`;
    return { name: `configRev ${name}`, text: differs ? `${text}, not ${expected} as in the file` : text, differs };
  });
  const same = facts.length > 1 && facts.every(({ text, differs }) => !differs && text === facts[0]?.text);
  return same ? [{ name: `configRev of ${facts.length} devices`, text: facts[0]!.text, differs: false }] : facts;
}

/** What confRev says: undefined where one of the two is not known. */
export function revisionText(
  actual: number | undefined,
  expected: number | undefined,
): { text: string; differs: boolean } {
  if (actual === undefined) return { text: expected === undefined ? '' : `(${expected} in the file)`, differs: false };
  if (expected === undefined || actual === expected) return { text: String(actual), differs: false };
  return { text: `${actual}, not ${expected} as in the file`, differs: true };
}

export interface ClockState {
  readonly tone: 'ok' | 'warn' | 'bad' | 'unknown';
  readonly text: string;
}

/** What the time quality of its values says of the clock of a device. */
export function clockState(timeQualities: Iterable<number>): ClockState {
  let known = false;
  let unsynchronized = false;
  for (const quality of timeQualities) {
    if (quality & TIME_QUALITY.receiveTime) continue;
    known = true;
    if (quality & TIME_QUALITY.clockFailure) return { tone: 'bad', text: 'clock defective' };
    if (quality & TIME_QUALITY.clockNotSynchronized) unsynchronized = true;
  }
  if (!known) return { tone: 'unknown', text: 'no time stamps yet' };
  return unsynchronized ? { tone: 'warn', text: 'clock not synchronised' } : { tone: 'ok', text: 'synchronised' };
}

/** How many values are not good, and how many are old. */
export function valueState(qualities: Iterable<number | undefined>): { all: number; bad: number; none: number } {
  const state = { all: 0, bad: 0, none: 0 };
  for (const quality of qualities) {
    state.all++;
    if (quality === undefined) state.none++;
    else if ((quality & 0b11) !== 0 || quality & QUALITY.oldData) state.bad++;
  }
  return state;
}

/** `0x0001`, as engineering tools write it; nothing where there is none. */
export const appIdText = (value: number | undefined): string =>
  value === undefined ? '' : `0x${value.toString(16).toUpperCase().padStart(4, '0')}`;
