/** Point lists: a CSV file or the inline list of an endpoint, row by row into points and bindings. */
import { derivedMrid, isControl, type Limit, type Mrid, type Point, type PointKind } from '@enerchain/model';
import type { ProtocolSpec } from '../protocol.ts';
import { parseCsv } from './csv.ts';
import {
  type FieldSpec,
  type FieldValue,
  fieldsByColumn,
  LIMIT_KINDS,
  MRID_PATTERN,
  POINT_FIELDS,
  readField,
} from './fields.ts';
import type { FindingList } from './findings.ts';
import type { BoundPoint } from './site.ts';

/** One row of either form: values by field name, and how to say where a field stands. */
export interface RawRow {
  readonly file: string;
  line(field?: string): number | undefined;
  path(field?: string): string | undefined;
  readonly values: ReadonlyMap<FieldSpec, unknown>;
}

export interface ListContext {
  readonly siteId: string;
  readonly endpointId: string;
  readonly protocol: ProtocolSpec;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly findings: FindingList;
}

/** @returns the rows of a CSV point list; what is wrong with the header or the form goes to `findings` */
export function rowsOfCsv(file: string, text: string, protocol: ProtocolSpec, findings: FindingList): RawRow[] {
  const table = parseCsv(text);
  for (const problem of table.problems) findings.error(file, problem.line, undefined, problem.message);
  if (table.header.length === 0) return [];
  const known = fieldsByColumn([...protocol.pointFields, ...POINT_FIELDS]);
  const columns = table.header.map((name, index) => {
    const field = known.get(name.toLowerCase().replace(/[\s_-]/g, ''));
    if (!field && name !== '') {
      findings.error(
        file,
        table.headerLine,
        name,
        `is not a column of a ${protocol.name} point list; expected some of ${[...protocol.pointFields, ...POINT_FIELDS].map((f) => f.name).join(', ')}`,
      );
    }
    if (
      field &&
      table.header.slice(0, index).some((earlier) => known.get(earlier.toLowerCase().replace(/[\s_-]/g, '')) === field)
    ) {
      findings.error(file, table.headerLine, name, 'stands twice in the header; expected each column once');
    }
    return field;
  });
  return table.rows.map((row) => {
    if (row.cells.length > columns.length && row.cells.slice(columns.length).some((cell) => cell.trim() !== '')) {
      findings.error(
        file,
        row.line,
        undefined,
        `has ${row.cells.length} fields; expected ${columns.length} as in the header, separated by '${table.separator}'`,
      );
    }
    const values = new Map<FieldSpec, unknown>();
    columns.forEach((field, index) => {
      if (field) values.set(field, row.cells[index]);
    });
    return { file, line: () => row.line, path: (field) => field, values };
  });
}

/** Turns rows into bound points; rows with errors are left out and named in the findings. */
export function bindRows(rows: readonly RawRow[], context: ListContext): Omit<BoundPoint, 'slot'>[] {
  const bound: (Omit<BoundPoint, 'slot'> & { row: RawRow; feedback: string | undefined })[] = [];
  const byAddress = new Map<string, RawRow>();
  for (const row of rows) {
    const one = bindRow(row, context);
    if (!one) continue;
    const earlier = byAddress.get(one.binding.address);
    if (earlier) {
      context.findings.error(
        row.file,
        row.line(),
        row.path(),
        `address '${one.binding.address}' is bound twice on endpoint '${context.endpointId}'; first in ${place(earlier)}`,
      );
      continue;
    }
    byAddress.set(one.binding.address, row);
    bound.push(one);
  }
  const byName = new Map(bound.map((one) => [one.point.name, one.point.mRID]));
  return bound.map(({ row, feedback, ...one }) => {
    if (feedback === undefined) return one;
    const mRID = MRID_PATTERN.test(feedback.toLowerCase()) ? feedback.toLowerCase() : byName.get(feedback);
    if (!mRID) {
      context.findings.error(
        row.file,
        row.line('feedback'),
        row.path('feedback'),
        `'${feedback}' is not a point of this list; expected an mRID or the name of a point of the same endpoint`,
      );
      return one;
    }
    return { ...one, point: { ...one.point, feedback: mRID } };
  });
}

function place(row: RawRow): string {
  const line = row.line();
  return line === undefined ? row.file : `${row.file}:${line}`;
}

function bindRow(
  row: RawRow,
  context: ListContext,
): (Omit<BoundPoint, 'slot'> & { row: RawRow; feedback: string | undefined }) | undefined {
  const { findings, protocol } = context;
  let failed = false;
  const problem = (field: string, message: string): void => {
    failed = true;
    findings.error(row.file, row.line(field), row.path(field), message);
  };
  const values = new Map<string, FieldValue>();
  for (const [field, raw] of row.values) {
    const read = readField(field, raw);
    if ('problem' in read) problem(field.name, read.problem);
    else if (read.value !== undefined) values.set(field.name, read.value);
  }
  const addressed = protocol.address(values, context.settings, problem);
  if (!addressed) {
    if (!failed) problem(protocol.pointFields[0]?.name ?? 'address', 'the address is incomplete');
    return undefined;
  }
  const kind = (values.get('kind') ?? addressed.kind) as PointKind | undefined;
  if (!kind) {
    problem('kind', 'is missing and cannot be derived from the address; expected one of the kinds of a point');
    return undefined;
  }
  if (isControl({ kind }) !== (addressed.access === 'control')) {
    problem(
      'kind',
      `'${kind}' does not fit the address '${addressed.address}', which is ${addressed.access === 'control' ? 'a control' : 'monitored'}; expected ${addressed.access === 'control' ? 'command or setpoint' : 'analog, discrete, accumulator or string'}`,
    );
  }
  const k = (values.get('k') as number | undefined) ?? 1;
  const d = (values.get('d') as number | undefined) ?? 0;
  if (k === 0) problem('k', 'is 0; expected another number, because a set-point must be converted back');
  const [minimum, maximum] = [values.get('min'), values.get('max')];
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    problem('min', `${minimum} is larger than max ${maximum}`);
  }
  if (failed) return undefined;
  const mRID =
    (values.get('mrid') as string | undefined) ?? derivedMrid(context.siteId, context.endpointId, addressed.address);
  const point = pointOf(mRID, kind, values, addressed);
  const scaled = k !== 1 || d !== 0;
  return {
    row,
    feedback: values.get('feedback') as string | undefined,
    point,
    binding: {
      point: mRID,
      endpoint: context.endpointId,
      address: addressed.address,
      access: addressed.access,
      ...(scaled ? { scaling: { k, d } } : {}),
    },
    k,
    d,
    target: addressed.target,
    origin: place(row),
  };
}

function pointOf(
  mRID: Mrid,
  kind: PointKind,
  values: ReadonlyMap<string, FieldValue>,
  addressed: { address: string; cdc?: string },
): Point {
  const priority = values.get('alarmPriority') as number | undefined;
  const limits: Limit[] = [];
  for (const limitKind of LIMIT_KINDS) {
    const value = values.get(limitKind) as number | undefined;
    if (value === undefined) continue;
    limits.push({
      kind: limitKind,
      value,
      // The outer limit is one step more urgent than the inner one.
      priority: limitKind === 'highHigh' || limitKind === 'lowLow' ? Math.max(1, (priority ?? 2) - 1) : (priority ?? 2),
      ...optional('hysteresis', values.get('hysteresis') as number | undefined),
      ...optional('consequence', values.get('consequence') as string | undefined),
      ...optional('action', values.get('action') as string | undefined),
    });
  }
  // Of a discrete they are the point's own; of others they belong to the limits.
  const ofState = kind === 'discrete' && limits.length === 0;
  return {
    mRID,
    name: (values.get('name') as string | undefined) ?? addressed.address,
    kind,
    ...optional('description', values.get('description') as string | undefined),
    ...optional('cdc', (values.get('cdc') as string | undefined) ?? addressed.cdc),
    ...optional('measurementType', values.get('measurementType') as string | undefined),
    ...optional('phases', values.get('phases') as Point['phases']),
    ...optional('unitSymbol', values.get('unit') as string | undefined),
    ...optional('unitMultiplier', values.get('multiplier') as Point['unitMultiplier']),
    ...optional('terminal', values.get('terminal') as string | undefined),
    ...optional('equipment', values.get('equipment') as string | undefined),
    ...optional('positiveFlowIn', values.get('positiveFlowIn') as boolean | undefined),
    ...(limits.length > 0 ? { limits } : {}),
    ...optional('normalValue', values.get('normal') as number | undefined),
    ...optional('alarmPriority', priority),
    ...optional('consequence', ofState ? (values.get('consequence') as string | undefined) : undefined),
    ...optional('action', ofState ? (values.get('action') as string | undefined) : undefined),
    ...optional('valueAliases', aliasesOf(values.get('aliases') as string | undefined)),
    ...optional('objectReference', values.get('objectReference') as string | undefined),
    ...optional('equipmentPath', values.get('equipmentPath') as string | undefined),
    ...(isControl({ kind }) ? { ctlModel: (values.get('ctlModel') as Point['ctlModel']) ?? 'direct' } : {}),
    ...optional('minimum', values.get('min') as number | undefined),
    ...optional('maximum', values.get('max') as number | undefined),
    ...optional('staleAfter', values.get('staleAfter') as number | undefined),
  } as Point;
}

function aliasesOf(text: string | undefined): Record<string, string> | undefined {
  if (text === undefined) return undefined;
  return Object.fromEntries(
    text.split('|').map((pair) => {
      const at = pair.indexOf('=');
      return [String(Number(pair.slice(0, at))), pair.slice(at + 1).trim()];
    }),
  );
}

function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}
