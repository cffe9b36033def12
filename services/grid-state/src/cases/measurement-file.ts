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
 */
import { EnerchainError } from '@enerchain/model';
import { MEASUREMENT_KINDS, type MeasurementKind } from '../estimation/measurement.ts';

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
const AT_BUS: readonly MeasurementKind[] = ['voltage', 'angle', 'pInjection', 'qInjection'];

const fail = (place: string, what: string): never => {
  throw new EnerchainError('peer', 'measurements.format', `${place}: ${what}; nothing was estimated`);
};

/**
 * @param name of the file, for sentences
 * @throws EnerchainError `measurements.format` (peer) with the place
 */
export function readMeasurements(text: string, name: string): CaseMeasurement[] {
  const first = text.replace(/^\ufeff/, '').trimStart()[0];
  const list = first === '{' || first === '[' ? fromJson(text, name) : fromCsv(text.replace(/^\ufeff/, ''), name);
  if (list.length === 0) fail(name, 'there is no measurement in it');
  return list;
}

/** As a file that `readMeasurements` reads. */
export function writeMeasurements(list: readonly CaseMeasurement[], format: 'json' | 'csv'): string {
  if (format === 'json') {
    return `{"measurements": [\n${list.map((each) => `  ${JSON.stringify(each)}`).join(',\n')}\n]}\n`;
  }
  const columns = COLUMNS.filter((column) => column !== 'name' || list.some((each) => each.name !== undefined));
  return `${[columns.join(','), ...list.map((each) => columns.map((column) => each[column] ?? '').join(','))].join('\n')}\n`;
}

function fromJson(text: string, name: string): CaseMeasurement[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (error) {
    fail(name, `it is no JSON: ${(error as Error).message}`);
  }
  const list = Array.isArray(parsed) ? parsed : (parsed as { measurements?: unknown } | null)?.measurements;
  if (!Array.isArray(list)) return fail(name, 'there is no list "measurements"');
  if (list.length > MAX_MEASUREMENTS) fail(name, `it has more than ${MAX_MEASUREMENTS} measurements`);
  return list.map((each, index) => {
    const place = `${name}, measurement ${index + 1}`;
    if (typeof each !== 'object' || each === null) return fail(place, 'it is no object');
    return checked(each as Record<string, unknown>, place);
  });
}

function fromCsv(text: string, name: string): CaseMeasurement[] {
  const lines = text.split(/\r?\n/);
  const header = (lines[0] ?? '').split(/[,;]/).map((each) => each.trim());
  const separator = (lines[0] ?? '').includes(';') ? ';' : ',';
  for (const column of ['kind', 'value', 'sigma']) {
    if (!header.includes(column)) fail(`${name}, line 1`, `the header names no column '${column}'`);
  }
  const unknown = header.find((column) => !(COLUMNS as readonly string[]).includes(column));
  if (unknown !== undefined)
    fail(`${name}, line 1`, `there is no column '${unknown}'; there are ${COLUMNS.join(', ')}`);
  if (lines.length > MAX_MEASUREMENTS) fail(name, `it has more than ${MAX_MEASUREMENTS} lines`);
  const list: CaseMeasurement[] = [];
  lines.forEach((line, index) => {
    if (index === 0 || line.trim() === '' || line.startsWith('#')) return;
    const place = `${name}, line ${index + 1}`;
    const cells = line.split(separator);
    if (cells.length !== header.length) fail(place, `it has ${cells.length} columns instead of ${header.length}`);
    const row: Record<string, unknown> = {};
    header.forEach((column, at) => {
      const cell = cells[at]!.trim();
      if (cell === '') return;
      row[column] = column === 'kind' || column === 'name' ? cell : Number(cell);
    });
    list.push(checked(row, place));
  });
  return list;
}

function checked(row: Record<string, unknown>, place: string): CaseMeasurement {
  const kind = row.kind as MeasurementKind;
  if (!MEASUREMENT_KINDS.includes(kind)) {
    fail(place, `its kind is ${JSON.stringify(row.kind)}; there are ${MEASUREMENT_KINDS.join(', ')}`);
  }
  const number = (column: string): number => {
    const value = row[column];
    if (typeof value !== 'number' || !Number.isFinite(value)) fail(place, `'${column}' is no number`);
    return value as number;
  };
  const sigma = number('sigma');
  if (!(sigma > 0 && Number.isFinite(1 / (sigma * sigma)))) fail(place, `a standard deviation cannot be ${sigma}`);
  const name = typeof row.name === 'string' && row.name !== '' ? { name: row.name } : {};
  const shared = { kind, value: number('value'), sigma, ...name };
  if (AT_BUS.includes(kind)) return { ...shared, bus: number('bus') };
  const circuit = row.circuit === undefined || row.circuit === null ? {} : { circuit: number('circuit') };
  return { ...shared, from: number('from'), to: number('to'), ...circuit };
}
