/**
 * Measurements of a grid from a case file, as JSON or CSV. Powers, currents and voltages in pu, angles in degrees, under
 * the numbers of the file:
 *
 *     {"measurements": [
 *       {"kind": "voltage", "bus": 4, "value": 1.02, "sigma": 0.004},
 *       {"kind": "pFlow", "from": 4, "to": 7, "circuit": 1, "value": 0.28, "sigma": 0.01}]}
 *
 *     kind,bus,from,to,circuit,value,sigma
 *     voltage,4,,,,1.02,0.004
 *     pFlow,,4,7,1,0.28,0.01
 *
 * A flow is measured at bus `from` and positive from there into the branch to bus `to`, whichever end of the branch the case
 * file calls its from end; `circuit` counts parallel branches in the order of the file, from 1. An injection is positive
 * into the grid. `ratio` and `shift` are those of the branch as the case file has it. A JSON list may stand without its
 * object, and a measurement may carry a `name`.
 *
 * Of a grid of equipment (CGMES, the platform's own model) it is measured at terminals, in kV, degrees, MW, Mvar and A, powers
 * positive into the equipment:
 *
 *     {"measurements": [{"kind": "p", "terminal": "2ed7…", "value": 12.3, "sigma": 0.2}]}
 *
 *     kind,terminal,value,sigma
 *     voltage,4f10…,110.4,0.4
 */
import { EnerchainError } from '@enerchain/model';
import { MEASUREMENT_KINDS, type MeasurementKind } from '../estimation/measurement.ts';
import type { TerminalMeasurement } from '../network-estimation/network-estimate.ts';

/** A measurement under the numbers of a case file. */
export interface CaseMeasurement {
  readonly kind: MeasurementKind;
  /** For voltages, angles and injections. */
  readonly bus?: number;
  /** For everything at a branch: the bus where it is measured, and the one at the other end. */
  readonly from?: number;
  readonly to?: number;
  /** Which of several parallel branches, from 1. Default 1. */
  readonly circuit?: number;
  readonly value: number;
  readonly sigma: number;
  readonly name?: string;
}

const MAX_MEASUREMENTS = 2_000_000;
const COLUMNS = ['kind', 'bus', 'from', 'to', 'circuit', 'value', 'sigma', 'name'] as const;
const TERMINAL_COLUMNS = ['kind', 'terminal', 'value', 'sigma', 'name'] as const;
const TERMINAL_KINDS: readonly TerminalMeasurement['kind'][] = ['voltage', 'angle', 'p', 'q', 'current'];
const AT_BUS: readonly MeasurementKind[] = ['voltage', 'angle', 'pInjection', 'qInjection'];

const fail = (place: string, what: string): never => {
  throw new EnerchainError('peer', 'measurements.format', `${place}: ${what}; nothing was estimated`);
};

/**
 * @param name of the file, for sentences
 * @throws EnerchainError `measurements.format` (peer) with the place
 */
export function readMeasurements(text: string, name: string): CaseMeasurement[] {
  return readList(text, name, COLUMNS, checked);
}

/** The same of measurements at terminals: `point` is their name, or their number in the file. */
export function readTerminalMeasurements(text: string, name: string): TerminalMeasurement[] {
  let count = 0;
  return readList(text, name, TERMINAL_COLUMNS, (row, place): TerminalMeasurement => {
    const kind = row.kind as TerminalMeasurement['kind'];
    if (!TERMINAL_KINDS.includes(kind))
      fail(place, `its kind is ${shown(row.kind)}; there are ${TERMINAL_KINDS.join(', ')}`);
    if (typeof row.terminal !== 'string' || row.terminal === '') fail(place, "'terminal' is no mRID");
    count += 1;
    const point = typeof row.name === 'string' && row.name !== '' ? row.name : `#${count}`;
    return {
      point,
      kind,
      terminal: row.terminal as string,
      value: numberOf(row, 'value', place),
      sigma: sigmaOf(row, place),
    };
  });
}

type Check<T> = (row: Record<string, unknown>, place: string) => T;

function readList<T>(text: string, name: string, columns: readonly string[], check: Check<T>): T[] {
  const plain = text.replace(/^\ufeff/, '');
  const first = plain.trimStart()[0];
  const list = first === '{' || first === '[' ? fromJson(plain, name, check) : fromCsv(plain, name, columns, check);
  if (list.length === 0) fail(name, 'there is no measurement in it');
  return list;
}

/** As a file that `readMeasurements` reads. */
export function writeMeasurements(
  list: readonly (CaseMeasurement | TerminalMeasurement)[],
  format: 'json' | 'csv',
): string {
  const rows = list.map((each): Record<string, unknown> => {
    if (!('terminal' in each)) return { ...each };
    const { point, ...rest } = each;
    return { ...rest, name: point };
  });
  if (format === 'json') {
    return `{"measurements": [\n${rows.map((each) => `  ${JSON.stringify(each)}`).join(',\n')}\n]}\n`;
  }
  const all = rows.some((each) => 'terminal' in each) ? TERMINAL_COLUMNS : COLUMNS;
  const columns = all.filter((column) => column !== 'name' || rows.some((each) => each.name !== undefined));
  return `${[columns.join(','), ...rows.map((each) => columns.map((column) => each[column] ?? '').join(','))].join('\n')}\n`;
}

function fromJson<T>(text: string, name: string, check: Check<T>): T[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    fail(name, `it is no JSON: ${(error as Error).message}`);
  }
  const list = Array.isArray(parsed) ? parsed : (parsed as { measurements?: unknown } | null)?.measurements;
  if (!Array.isArray(list)) return fail(name, 'there is no list "measurements"');
  if (list.length > MAX_MEASUREMENTS) fail(name, `it has more than ${MAX_MEASUREMENTS} measurements`);
  return list.map((each, index) => {
    const place = `${name}, measurement ${index + 1}`;
    if (typeof each !== 'object' || each === null) return fail(place, 'it is no object');
    return check(each as Record<string, unknown>, place);
  });
}

function fromCsv<T>(text: string, name: string, columns: readonly string[], check: Check<T>): T[] {
  const lines = text.split(/\r?\n/);
  const header = (lines[0] ?? '').split(/[,;]/).map((each) => each.trim());
  const separator = (lines[0] ?? '').includes(';') ? ';' : ',';
  for (const column of ['kind', 'value', 'sigma']) {
    if (!header.includes(column)) fail(`${name}, line 1`, `the header names no column '${column}'`);
  }
  const unknown = header.find((column) => !columns.includes(column));
  if (unknown !== undefined)
    fail(`${name}, line 1`, `there is no column '${unknown}'; there are ${columns.join(', ')}`);
  if (lines.length > MAX_MEASUREMENTS) fail(name, `it has more than ${MAX_MEASUREMENTS} lines`);
  const list: T[] = [];
  lines.forEach((line, index) => {
    if (index === 0 || line.trim() === '' || line.startsWith('#')) return;
    const place = `${name}, line ${index + 1}`;
    const cells = line.split(separator);
    if (cells.length !== header.length) fail(place, `it has ${cells.length} columns instead of ${header.length}`);
    const row: Record<string, unknown> = {};
    header.forEach((column, at) => {
      const cell = cells[at]!.trim();
      if (cell === '') return;
      row[column] = TEXTS.includes(column) ? cell : Number(cell);
    });
    list.push(check(row, place));
  });
  return list;
}

function checked(row: Record<string, unknown>, place: string): CaseMeasurement {
  const kind = row.kind as MeasurementKind;
  if (!MEASUREMENT_KINDS.includes(kind)) {
    fail(place, `its kind is ${shown(row.kind)}; there are ${MEASUREMENT_KINDS.join(', ')}`);
  }
  const name = typeof row.name === 'string' && row.name !== '' ? { name: row.name } : {};
  const shared = { kind, value: numberOf(row, 'value', place), sigma: sigmaOf(row, place), ...name };
  if (AT_BUS.includes(kind)) return { ...shared, bus: numberOf(row, 'bus', place) };
  const given = row.circuit !== undefined && row.circuit !== null;
  const circuit = given ? { circuit: numberOf(row, 'circuit', place) } : {};
  return { ...shared, from: numberOf(row, 'from', place), to: numberOf(row, 'to', place), ...circuit };
}

const TEXTS: readonly string[] = ['kind', 'name', 'terminal'];

const shown = (value: unknown): string => JSON.stringify(value) ?? 'missing';

function numberOf(row: Record<string, unknown>, column: string, place: string): number {
  const value = row[column];
  if (typeof value !== 'number' || !Number.isFinite(value)) fail(place, `'${column}' is no number`);
  return value as number;
}

function sigmaOf(row: Record<string, unknown>, place: string): number {
  const sigma = numberOf(row, 'sigma', place);
  if (!(sigma > 0 && Number.isFinite(1 / (sigma * sigma)))) fail(place, `a standard deviation cannot be ${sigma}`);
  return sigma;
}
