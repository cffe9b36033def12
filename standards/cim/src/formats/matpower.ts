/**
 * MATPOWER cases (case format version 2): the data of a `.m` file, not the language. What a file computes would have to be
 * run to be known, so anything but assignments of numbers, texts, matrices and cell arrays is refused with its line.
 */
import { CimError } from '../error.ts';

/** Powers in MW and Mvar, voltages in pu, angles in degrees, admittances in MW and Mvar at 1 pu. */
export interface MatpowerBus {
  readonly number: number;
  readonly type: 'pq' | 'pv' | 'slack' | 'isolated';
  readonly pd: number;
  readonly qd: number;
  readonly gs: number;
  readonly bs: number;
  readonly area: number;
  readonly vm: number;
  readonly va: number;
  /** kV; 0 in cases that do not say. */
  readonly baseKV: number;
  readonly zone: number;
  readonly vmax: number;
  readonly vmin: number;
  readonly name?: string;
}

/** Powers in MW and Mvar, `vg` in pu, `mBase` in MVA; limits may be infinite. */
export interface MatpowerGenerator {
  readonly bus: number;
  readonly pg: number;
  readonly qg: number;
  readonly qmax: number;
  readonly qmin: number;
  readonly vg: number;
  readonly mBase: number;
  readonly inService: boolean;
  readonly pmax: number;
  readonly pmin: number;
}

/** Impedances in pu on `baseMVA`, ratings in MVA (0: none), `ratio` at the from end (0: a line), `angle` in degrees. */
export interface MatpowerBranch {
  readonly from: number;
  readonly to: number;
  readonly r: number;
  readonly x: number;
  readonly b: number;
  readonly rateA: number;
  readonly rateB: number;
  readonly rateC: number;
  readonly ratio: number;
  readonly angle: number;
  readonly inService: boolean;
}

export interface MatpowerCase {
  readonly name: string;
  /** MVA. */
  readonly baseMVA: number;
  readonly buses: readonly MatpowerBus[];
  readonly generators: readonly MatpowerGenerator[];
  readonly branches: readonly MatpowerBranch[];
  /** Names of fields the file has and this reader leaves alone, `gencost` and the like. */
  readonly others: readonly string[];
}

interface Row {
  readonly line: number;
  readonly values: readonly number[];
}
type Field = { readonly line: number } & (
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'matrix'; readonly rows: readonly Row[] }
  | { readonly kind: 'cells'; readonly texts: readonly string[] }
);

const MAX_OCTETS = 256 * 2 ** 20;
const TYPES = ['pq', 'pv', 'slack', 'isolated'] as const;

const bad = (line: number, text: string): CimError => new CimError('peer', 'matpower.format', text, { line });

/** @throws CimError `matpower.format`, `matpower.code`, `matpower.version` with the line */
export function readMatpower(text: string): MatpowerCase {
  if (text.length > MAX_OCTETS) throw bad(1, 'the file is larger than any case');
  const { name, fields } = new Parser(text).parse();
  const version = fields.get('version');
  if (version?.kind !== 'text' || version.value !== '2') {
    const line = version?.line ?? 1;
    throw new CimError('unsupported', 'matpower.version', 'only version 2 of the case format is read', { line });
  }
  const base = fields.get('baseMVA');
  if (base?.kind !== 'number' || !(base.value > 0) || base.value === Number.POSITIVE_INFINITY) {
    throw bad(base?.line ?? 1, 'mpc.baseMVA is not a power');
  }
  const rows = (field: string, width: number): readonly Row[] => {
    const matrix = fields.get(field);
    if (matrix?.kind !== 'matrix') throw bad(matrix?.line ?? 1, `mpc.${field} is missing or no matrix`);
    for (const { line, values } of matrix.rows) {
      if (values.length < width) throw bad(line, `a row of mpc.${field} has ${values.length} of ${width} columns`);
    }
    return matrix.rows;
  };
  const names = fields.get('bus_name');
  const buses = rows('bus', 13).map((row, index) =>
    busOf(row, names?.kind === 'cells' ? names.texts[index] : undefined),
  );
  const numbers = new Set<number>();
  for (const [index, { number }] of buses.entries()) {
    if (numbers.has(number)) throw bad(rows('bus', 13)[index]!.line, `there are two buses ${number}`);
    numbers.add(number);
  }
  const known = (row: Row, column: number): number => {
    const number = row.values[column]!;
    if (!numbers.has(number)) throw bad(row.line, `there is no bus ${number}`);
    return number;
  };
  const generators = rows('gen', 10).map((row) => {
    const [pg, qg] = [finite(row, 1), finite(row, 2)];
    const [, , , qmax, qmin, , , , pmax, pmin] = row.values as [number, number, number, ...number[]];
    for (const column of [3, 4, 8, 9]) notNaN(row, column);
    return {
      bus: known(row, 0),
      pg,
      qg,
      qmax: qmax!,
      qmin: qmin!,
      vg: finite(row, 5),
      mBase: finite(row, 6),
      inService: finite(row, 7) > 0,
      pmax: pmax!,
      pmin: pmin!,
    };
  });
  const branches = rows('branch', 11).map((row) => ({
    from: known(row, 0),
    to: known(row, 1),
    r: finite(row, 2),
    x: finite(row, 3),
    b: finite(row, 4),
    rateA: notNaN(row, 5),
    rateB: notNaN(row, 6),
    rateC: notNaN(row, 7),
    ratio: finite(row, 8),
    angle: finite(row, 9),
    inService: finite(row, 10) > 0,
  }));
  const read = new Set(['version', 'baseMVA', 'bus', 'gen', 'branch', 'bus_name']);
  const others = [...fields.keys()].filter((field) => !read.has(field));
  return { name, baseMVA: base.value, buses, generators, branches, others };
}

function busOf(row: Row, name: string | undefined): MatpowerBus {
  const [number, type] = [finite(row, 0), finite(row, 1)];
  if (!Number.isInteger(number) || number <= 0) throw bad(row.line, `${number} is no number of a bus`);
  const kind = TYPES[type - 1];
  if (kind === undefined) throw bad(row.line, `a bus has type 1 to 4, not ${type}`);
  return {
    number,
    type: kind,
    pd: finite(row, 2),
    qd: finite(row, 3),
    gs: finite(row, 4),
    bs: finite(row, 5),
    area: finite(row, 6),
    vm: finite(row, 7),
    va: finite(row, 8),
    baseKV: finite(row, 9),
    zone: finite(row, 10),
    vmax: notNaN(row, 11),
    vmin: notNaN(row, 12),
    ...(name === undefined ? {} : { name: name.trim() }),
  };
}

function finite(row: Row, column: number): number {
  const value = row.values[column]!;
  if (!Number.isFinite(value)) throw bad(row.line, `column ${column + 1} is ${value}`);
  return value;
}

function notNaN(row: Row, column: number): number {
  const value = row.values[column]!;
  if (Number.isNaN(value)) throw bad(row.line, `column ${column + 1} is not a number`);
  return value;
}

const NUMBER = /[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?|Inf|inf|NaN|nan)/y;
const WORD = /[A-Za-z][A-Za-z0-9_]*/y;

class Parser {
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): { name: string; fields: Map<string, Field> } {
    this.#blank();
    if (this.#word() !== 'function') throw bad(this.#line, 'a case begins with "function mpc = name"');
    this.#blank();
    const variable = this.#word();
    this.#blank();
    this.#expect('=');
    this.#blank();
    const name = this.#word();
    const fields = new Map<string, Field>();
    for (;;) {
      this.#blank(';,');
      if (this.#at >= this.#text.length) return { name, fields };
      const line = this.#line;
      const word = this.#word();
      if (word === 'end' || word === 'return') continue;
      if (word !== variable || this.#text[this.#at] !== '.') {
        const text = `'${word}' is code; a case that computes is not read`;
        throw new CimError('unsupported', 'matpower.code', text, { line });
      }
      this.#at++;
      const field = this.#word();
      this.#blank();
      if (this.#text[this.#at] !== '=') {
        const text = `${variable}.${field} is not simply assigned; a case that computes is not read`;
        throw new CimError('unsupported', 'matpower.code', text, { line });
      }
      this.#at++;
      this.#blank();
      fields.set(field, this.#value(line));
    }
  }

  #value(line: number): Field {
    const first = this.#text[this.#at];
    if (first === '[') return { kind: 'matrix', line, rows: this.#matrix() };
    if (first === '{') return { kind: 'cells', line, texts: this.#cells() };
    if (first === "'" || first === '"') return { kind: 'text', line, value: this.#string() };
    const value = this.#number();
    const next = /[ \t]*(.?)/y;
    next.lastIndex = this.#at;
    const after = next.exec(this.#text)?.[1] ?? '';
    if (!['', ';', ',', '%', '\r', '\n'].includes(after)) {
      throw new CimError('unsupported', 'matpower.code', 'a number is computed; a case that computes is not read', {
        line,
      });
    }
    return { kind: 'number', line, value };
  }

  #matrix(): Row[] {
    this.#at++;
    const rows: Row[] = [];
    let values: number[] = [];
    let line = this.#line;
    const end = (): void => {
      if (values.length > 0) rows.push({ line, values });
      values = [];
    };
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw bad(line, 'a matrix has no end');
      if (character === ']') {
        end();
        this.#at++;
        return rows;
      }
      if (character === ';' || character === '\n') {
        end();
        this.#at++;
        if (character === '\n') this.#line++;
      } else if (character === '%') this.#comment();
      else if (this.#text.startsWith('...', this.#at)) {
        this.#comment();
        if (this.#text[this.#at] === '\n') {
          this.#at++;
          this.#line++;
        }
      } else if (character === ' ' || character === '\t' || character === ',' || character === '\r') this.#at++;
      else {
        if (values.length === 0) line = this.#line;
        values.push(this.#number());
      }
    }
  }

  #cells(): string[] {
    const line = this.#line;
    this.#at++;
    const texts: string[] = [];
    for (;;) {
      this.#blank(';,');
      const character = this.#text[this.#at];
      if (character === '}') {
        this.#at++;
        return texts;
      }
      if (character === "'" || character === '"') texts.push(this.#string());
      else if (character === undefined) throw bad(line, 'a cell array has no end');
      else texts.push(String(this.#number()));
    }
  }

  #string(): string {
    const quote = this.#text[this.#at]!;
    let text = '';
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const character = this.#text[at]!;
      if (character === '\n') break;
      if (character !== quote) text += character;
      else if (this.#text[at + 1] === quote) text += this.#text[++at];
      else {
        this.#at = at + 1;
        return text;
      }
    }
    throw bad(this.#line, 'a text has no end');
  }

  #number(): number {
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.#text)?.[0];
    if (found === undefined) {
      const shown = JSON.stringify(this.#text.slice(this.#at, this.#at + 12));
      throw bad(this.#line, `${shown} stands where a number should`);
    }
    this.#at += found.length;
    // What follows a number without a space would be an operator: 1+2, 3*4, 2e.
    if (/[A-Za-z0-9_.*/^+(-]/.test(this.#text[this.#at] ?? '')) {
      if (!this.#text.startsWith('...', this.#at)) throw bad(this.#line, `${found} is followed by what is no number`);
    }
    if (/inf/i.test(found)) return found.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    return /nan/i.test(found) ? Number.NaN : Number(found.replace(/[dD]/, 'e'));
  }

  #word(): string {
    WORD.lastIndex = this.#at;
    const found = WORD.exec(this.#text)?.[0];
    if (found === undefined) {
      const shown = JSON.stringify(this.#text.slice(this.#at, this.#at + 12));
      throw bad(this.#line, `${shown} stands where a name should`);
    }
    this.#at += found.length;
    return found;
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) throw bad(this.#line, `${character} is missing`);
    this.#at++;
  }

  /** Over space, comments, and these characters. */
  #blank(over = ''): void {
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) return;
      if (character === '%') this.#comment();
      else if (character === '\n') {
        this.#line++;
        this.#at++;
      } else if (' \t\r\ufeff'.includes(character) || over.includes(character)) this.#at++;
      else return;
    }
  }

  #comment(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }
}
