/**
 * Substitution and blocking (IEC 61850-7-3 § 6, 7-2 § 10): while `subEna` is set, clients get the value that somebody has
 * put in instead of the one of the process, and its quality says so; while `blkEna` is set, they get the last one. What the
 * process says meanwhile is kept, and is what they get afterwards.
 */
import { type BitString, bit, type Data, utcTimeFromMillis } from '@enerchain/mms';
import { fits } from '../mapping/basic-types.ts';
import type { Variable } from '../mapping/variables.ts';
import type { Domain } from './model.ts';

/** The value under SV, and the attributes of the process that it stands for where the object has them (7-3 tables by class). */
const STANDS_FOR: Readonly<Record<string, readonly string[]>> = {
  subVal: ['stVal', 'valWTr', 'mxVal'],
  subMag: ['mag', 'instMag'],
  subCMag: ['cVal', 'instCVal'],
};

/** Bits of quality (8-1 table 8). */
const OLD_DATA = 7;
const SOURCE = 10;
const OPERATOR_BLOCKED = 12;
const GOOD: Data = { kind: 'bitString', value: { length: 13, bytes: new Uint8Array(2) } };

export interface Change {
  readonly variable: Variable;
  readonly data: Data;
}

/** A data object that can be substituted or blocked. */
interface Substitutable {
  readonly subEna: Variable | undefined;
  readonly blkEna: Variable | undefined;
  /** Values with what stands for them, depth first and one by one. */
  readonly pairs: readonly { readonly value: Variable; readonly substitute: Variable }[];
  readonly quality: Variable | undefined;
  readonly subQ: Variable | undefined;
  readonly time: Variable | undefined;
}

export class Substitutions {
  readonly #now: () => number;
  /** By every variable that belongs to one. */
  readonly #objects = new Map<Variable, Substitutable>();
  /** What the process says of the values that are not shown. */
  readonly #hidden = new Map<Variable, Data>();

  /** @param now milliseconds since 1970 */
  constructor(domains: Iterable<Domain>, now: () => number) {
    this.#now = now;
    for (const domain of domains) {
      for (const root of domain.nodes.values()) {
        for (const fc of ['SV', 'BL'] as const)
          for (const variable of root.part(fc)?.values() ?? []) this.#add(root, variable);
      }
    }
  }

  #add(root: Variable, enabling: Variable): void {
    if ((enabling.name !== 'subEna' && enabling.name !== 'blkEna') || this.#objects.has(enabling)) return;
    const object = enabling.parent!.item.split('$').slice(2);
    const at = (fc: string, name: string): Variable | undefined => root.find([fc, ...object, name]);
    const process = (name: string): Variable | undefined => at('ST', name) ?? at('MX', name);
    const pairs = Object.entries(STANDS_FOR).flatMap(([name, values]) => {
      const substitute = at('SV', name);
      if (!substitute) return [];
      return values.flatMap((value) => pairsOf(process(value), substitute));
    });
    const found: Substitutable = {
      subEna: at('SV', 'subEna'),
      blkEna: at('BL', 'blkEna'),
      pairs,
      quality: process('q'),
      subQ: at('SV', 'subQ'),
      time: process('t'),
    };
    const { subEna, blkEna, quality, subQ, time } = found;
    for (const part of [subEna, blkEna, quality, subQ, time]) if (part) this.#objects.set(part, found);
    for (const { value, substitute } of pairs) {
      this.#objects.set(value, found);
      this.#objects.set(substitute, found);
    }
  }

  /** What is to be shown when the process says this: the same, but for what is hidden. */
  divert(set: readonly Change[]): readonly Change[] {
    if (this.#hidden.size === 0) return set;
    return set.filter(({ variable, data }) => {
      if (!this.#hidden.has(variable)) return true;
      this.#hidden.set(variable, data);
      return false;
    });
  }

  /** After attributes under SV or BL were written. @returns what is shown from now on */
  written(variables: readonly Variable[]): Change[] {
    const objects = new Set(variables.flatMap((variable) => this.#objects.get(variable) ?? []));
    return [...objects].flatMap((object) => this.#shown(object));
  }

  #shown(object: Substitutable): Change[] {
    const { subEna, blkEna, pairs, quality, subQ, time } = object;
    const substituted = subEna?.data.value === true;
    const blocked = blkEna?.data.value === true;
    const parts = [...pairs.map(({ value }) => value), ...(quality ? [quality] : []), ...(time ? [time] : [])];
    if (!substituted && !blocked) {
      const changes = parts.flatMap((variable) => {
        const data = this.#hidden.get(variable);
        return data === undefined ? [] : [{ variable, data }];
      });
      for (const variable of parts) this.#hidden.delete(variable);
      return changes;
    }
    for (const variable of parts) if (!this.#hidden.has(variable)) this.#hidden.set(variable, variable.data);
    const changes: Change[] = [];
    if (substituted) {
      for (const { value, substitute } of pairs) changes.push({ variable: value, data: substitute.data });
      if (time) changes.push({ variable: time, data: { kind: 'utcTime', value: utcTimeFromMillis(this.#now()) } });
    } else if (quality?.data.kind === 'bitString' && bit(quality.data.value, SOURCE)) {
      // Blocked is what the process says now, not what stood in for it.
      for (const variable of parts) changes.push({ variable, data: this.#hidden.get(variable)! });
    }
    const base = substituted ? (subQ?.data ?? GOOD) : quality && this.#hidden.get(quality);
    if (quality && base?.kind === 'bitString') {
      const own = [...(substituted ? [SOURCE] : [OLD_DATA]), ...(blocked ? [OPERATOR_BLOCKED] : [])];
      changes.push({ variable: quality, data: { kind: 'bitString', value: withBits(base.value, own) } });
    }
    return changes;
  }
}

/** Values of the same shape; what does not fit is left alone. */
function pairsOf(value: Variable | undefined, substitute: Variable): Substitutable['pairs'] {
  if (!value) return [];
  if (value.isValue) return substitute.isValue && fits(substitute.data, value.data) ? [{ value, substitute }] : [];
  return value.parts.flatMap((part) => {
    const other = substitute.part(part.name);
    return other ? pairsOf(part, other) : [];
  });
}

function withBits({ bytes }: BitString, set: readonly number[]): BitString {
  const all = new Uint8Array(2);
  all.set(bytes.subarray(0, 2));
  for (const bit of set) all[bit >> 3]! |= 0x80 >> (bit & 7);
  return { length: 13, bytes: all };
}
