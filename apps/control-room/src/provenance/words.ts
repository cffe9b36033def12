/** How the way of a value reads, and what its files and commands are called. Pure. */
import type { ProvenanceStep, StepKind, StepState, ValueTrust } from '../api/trust.ts';
import { stamp } from '../format/time.ts';

/** The step's sign: weak and missing both ask for a look, bad breaks the chain. */
export const STEP_TONE: Readonly<Record<StepState, 'ok' | 'warn' | 'bad' | 'none'>> = {
  ok: 'ok',
  weak: 'warn',
  bad: 'bad',
  missing: 'none',
};
export const STEP_STATE_WORDS: Readonly<Record<StepState, string>> = {
  ok: 'holds',
  weak: 'weak',
  bad: 'does not hold',
  missing: 'still to come',
};

const KIND_WORDS: Readonly<Record<StepKind, string>> = {
  device: 'the last metre to the device',
  gateway: 'the gateway',
  software: 'its software',
  neighbours: 'the neighbours',
  signature: 'the signature',
  log: 'the log',
  witnesses: 'the witnesses',
  receipt: 'the receipt itself',
};

/** What is awaited where a link is not there yet. */
const AWAITED: Partial<Record<StepKind, string>> = { software: 'the next result about its source' };

/** The chain in one sentence: as strong as its weakest link. */
export function chainSentence(steps: readonly Pick<ProvenanceStep, 'state' | 'kind'>[]): string {
  const names = (state: StepState) => [
    ...new Set(
      steps
        .filter((step) => step.state === state)
        .map(({ kind }) => (state === 'missing' ? AWAITED[kind] : undefined) ?? KIND_WORDS[kind] ?? kind),
    ),
  ];
  const [bad, weak, missing] = [names('bad'), names('weak'), names('missing')];
  if (steps.length === 0) return 'Nothing is known about the way of this value.';
  if (bad.length) return `The chain is broken at ${and(bad)}.`;
  if (!weak.length && !missing.length) return 'Every link of the chain holds.';
  const strength = weak.length ? `The chain holds, weakly at ${and(weak)}` : 'The chain holds';
  return `${strength}${missing.length ? `; still to come: ${and(missing)}` : ''}.`;
}
const and = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

/** A word for the value itself; `undefined` where nothing has to be said. */
export const trustWord = (trust: ValueTrust | undefined): string | undefined =>
  trust === 'provisional' || trust === 'distrusted' ? trust : trust === 'unknown' ? 'trust unknown' : undefined;

/** `receipt-t2-active-power-20-kv-side-20261126T140731Z.cbor`: readable, and safe on every file system. */
export function receiptName(point: string, sourceTime: Date): string {
  const name = point
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60)
    .replace(/-+$/, '');
  const at = sourceTime.toISOString().replace(/[-:]|\.\d+/g, '');
  return `receipt-${name || 'point'}-${at}.cbor`;
}
export const ANCHOR_NAME = 'enerchain-anchor.json';

/** The command that checks a receipt on any machine. */
export const verifyCommand = (receipt: string): string => `npx enerchain verify ${receipt} --anchor ${ANCHOR_NAME}`;

/** Instants in a sentence, which travel in UTC to the nanosecond, as the clocks of this room show them. */
export const withLocalTimes = (text: string, now: Date): string =>
  text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (instant) =>
    stamp(new Date(instant), now).replace(/\.000$/, ''),
  );

/** What a step knows beyond its sentence, as rows to read; objects are left to the receipt. */
export function detailRows(details: Readonly<Record<string, unknown>> | undefined): [string, string][] {
  return Object.entries(details ?? {}).flatMap(([name, value]): [string, string][] => {
    const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
    if (value === null || value === undefined || value === '') return [];
    if (Array.isArray(value))
      return value.every((each) => typeof each !== 'object') && value.length ? [[words, value.join(', ')]] : [];
    return typeof value === 'object' ? [] : [[words, String(value)]];
  });
}
