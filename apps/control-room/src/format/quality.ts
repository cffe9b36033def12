/**
 * Quality by shape and colour. Every mark has a sign of its own, so that nothing rests on colour: `✕` invalid,
 * `?` questionable, `S` substituted, `▮` blocked, `T` test, `E` estimated, `D` defaulted; an old value shows its age.
 */
import { QUALITY, validity } from '@enerchain/model/quality';

export interface QualityMark {
  readonly sign: string;
  /** Class suffix: `invalid`, `questionable`, `note`. */
  readonly tone: 'invalid' | 'questionable' | 'note';
  readonly word: string;
}

const DETAILS: readonly (readonly [bit: number, word: string])[] = [
  [QUALITY.overflow, 'overflow'],
  [QUALITY.outOfRange, 'out of range'],
  [QUALITY.badReference, 'bad reference'],
  [QUALITY.oscillatory, 'oscillating'],
  [QUALITY.failure, 'failure of the source'],
  [QUALITY.oldData, 'old'],
  [QUALITY.inconsistent, 'inconsistent'],
  [QUALITY.inaccurate, 'inaccurate'],
];

/** The marks of a value in the order of their weight; none for a good one from the process. */
export function qualityMarks(quality: number): QualityMark[] {
  const marks: QualityMark[] = [];
  const valid = validity(quality);
  if (valid === 'invalid' || valid === 'reserved') marks.push({ sign: '✕', tone: 'invalid', word: 'invalid' });
  if (valid === 'questionable') marks.push({ sign: '?', tone: 'questionable', word: 'questionable' });
  if (quality & QUALITY.substituted) marks.push({ sign: 'S', tone: 'note', word: 'substituted' });
  if (quality & QUALITY.operatorBlocked) marks.push({ sign: '▮', tone: 'note', word: 'blocked by an operator' });
  if (quality & QUALITY.test) marks.push({ sign: 'T', tone: 'note', word: 'test' });
  if (quality & QUALITY.estimated) marks.push({ sign: 'E', tone: 'note', word: 'estimated' });
  if (quality & QUALITY.defaulted) marks.push({ sign: 'D', tone: 'note', word: 'default value' });
  return marks;
}

/** What is wrong, in words: `questionable: old, out of range · substituted`; `good` when nothing is. */
export function qualityWords(quality: number): string {
  const [first, ...rest] = qualityMarks(quality).map((mark) => mark.word);
  const details = DETAILS.filter(([bit]) => quality & bit).map(([, word]) => word);
  const head = first ?? 'good';
  return [details.length ? `${head}: ${details.join(', ')}` : head, ...rest].join(' · ');
}

export const isOld = (quality: number): boolean => (quality & QUALITY.oldData) !== 0;
export const isBad = (quality: number): boolean => validity(quality) !== 'good';
export const isInvalid = (quality: number): boolean => (quality & 0b11) === 0b01 || (quality & 0b11) === 0b10;
