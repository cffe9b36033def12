/**
 * The columns of a point list as data: one row per column, used alike for a CSV cell and for a key of an inline point
 * in the site file. Columns of a protocol's address are declared by its connector and appended to these.
 */
import { type Limit, POINT_KINDS } from '@enerchain/model';

export type FieldValue = string | number | boolean;

export interface FieldSpec {
  readonly name: string;
  /** Other spellings under which the column arrives; compared without case, blanks, `_` and `-`. */
  readonly aliases?: readonly string[];
  readonly type: 'text' | 'number' | 'integer' | 'boolean' | 'mrid' | 'choice';
  readonly choices?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: RegExp;
  readonly maxLength?: number;
  /** False for a column of a protocol that is no part of the address. */
  readonly ofAddress?: false;
  /** One sentence for the person who fills in the list. */
  readonly about: string;
}

/** A UUID in lower case, as `Mrid` of the model wants it. */
export const MRID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const LIMIT_KINDS = ['highHigh', 'high', 'low', 'lowLow'] as const satisfies readonly Limit['kind'][];

/** Columns every protocol has. */
export const POINT_FIELDS: readonly FieldSpec[] = [
  { name: 'name', type: 'text', maxLength: 200, about: 'name of the point, unique for people' },
  {
    name: 'kind',
    type: 'choice',
    choices: POINT_KINDS,
    about: 'what it is; derived from the address type when absent',
  },
  { name: 'cdc', type: 'text', pattern: /^[A-Z]{2,4}$/, about: 'IEC 61850-7-3 common data class, for example MV' },
  { name: 'measurementType', type: 'text', maxLength: 64, about: 'CIM measurementType' },
  {
    name: 'phases',
    type: 'choice',
    choices: ['ABC', 'A', 'B', 'C', 'AB', 'BC', 'CA', 'N', 'ABCN'],
    about: 'CIM phases',
  },
  { name: 'unit', aliases: ['unitSymbol'], type: 'text', maxLength: 16, about: 'CIM UnitSymbol: W, V, A, Hz …' },
  {
    name: 'multiplier',
    aliases: ['unitMultiplier'],
    type: 'choice',
    choices: ['n', 'micro', 'm', 'none', 'k', 'M', 'G'],
    about: 'CIM UnitMultiplier',
  },
  { name: 'k', type: 'number', about: 'value = raw · k + d; k is not 0' },
  { name: 'd', type: 'number', about: 'value = raw · k + d' },
  { name: 'equipment', type: 'mrid', about: 'mRID of the equipment it belongs to' },
  { name: 'terminal', type: 'mrid', about: 'mRID of the terminal it belongs to' },
  { name: 'mrid', type: 'mrid', about: 'mRID of the point; derived from site, endpoint and address when absent' },
  { name: 'positiveFlowIn', type: 'boolean', about: 'a positive value flows from the terminal into the equipment' },
  { name: 'normal', aliases: ['normalValue'], type: 'number', about: 'normal value of a discrete' },
  {
    name: 'alarmPriority',
    type: 'integer',
    minimum: 1,
    maximum: 4,
    about: 'ISA-18.2 priority of its alarms, 1 highest',
  },
  { name: 'highHigh', type: 'number', about: 'limit' },
  { name: 'high', type: 'number', about: 'limit' },
  { name: 'low', type: 'number', about: 'limit' },
  { name: 'lowLow', type: 'number', about: 'limit' },
  { name: 'hysteresis', type: 'number', minimum: 0, about: 'how far a value must come back behind its limit' },
  { name: 'consequence', type: 'text', maxLength: 500, about: 'ISA-18.2: what happens if nobody acts' },
  { name: 'action', type: 'text', maxLength: 500, about: 'ISA-18.2: what the operator can do' },
  { name: 'ctlModel', type: 'choice', choices: ['direct', 'sbo'], about: 'control: direct or select before operate' },
  { name: 'feedback', type: 'text', maxLength: 200, about: 'mRID or name of the point that shows the result' },
  { name: 'min', aliases: ['minimum'], type: 'number', about: 'smallest value a set-point accepts' },
  { name: 'max', aliases: ['maximum'], type: 'number', about: 'largest value a set-point accepts' },
  { name: 'staleAfter', type: 'number', minimum: 0, about: 'seconds without an observation until it is old' },
  {
    name: 'aliases',
    aliases: ['valueAliases'],
    type: 'text',
    pattern: /^\s*-?\d+\s*=[^|]*(\|\s*-?\d+\s*=[^|]*)*$/,
    about: 'words for numbers, 0=open|1=closed',
  },
  { name: 'objectReference', type: 'text', maxLength: 255, about: 'IEC 61850 LD/LN.DO' },
  {
    name: 'equipmentPath',
    type: 'text',
    maxLength: 500,
    about: 'names from the substation down to the equipment as SCL has them, S1/110 kV/Q01/QA1',
  },
  { name: 'description', type: 'text', maxLength: 1000, about: 'free text' },
];

/** `unit_multiplier`, `Unit Multiplier` and `unitMultiplier` are one name. */
export const normalizeColumn = (name: string): string => name.toLowerCase().replace(/[\s_-]/g, '');

export function fieldsByColumn(fields: readonly FieldSpec[]): Map<string, FieldSpec> {
  const byColumn = new Map<string, FieldSpec>();
  for (const field of fields) {
    for (const name of [field.name, ...(field.aliases ?? [])]) byColumn.set(normalizeColumn(name), field);
  }
  return byColumn;
}

/** @returns the value, or a sentence that says what was expected; an empty text cell is `undefined` */
export function readField(field: FieldSpec, raw: unknown): { value: FieldValue | undefined } | { problem: string } {
  if (raw === undefined || raw === null) return { value: undefined };
  if (typeof raw !== 'string' && typeof raw !== 'number' && typeof raw !== 'boolean') {
    return { problem: `is a ${Array.isArray(raw) ? 'list' : typeof raw}; expected ${expectation(field)}` };
  }
  const text = String(raw).trim();
  if (text === '') return { value: undefined };
  const wrong = { problem: `'${text.slice(0, 60)}' is not valid; expected ${expectation(field)}` };
  switch (field.type) {
    case 'number':
    case 'integer': {
      // A decimal comma is what a German spreadsheet writes; a thousands separator is never guessed.
      const number = /^[+-]?\d+,\d+$/.test(text) ? Number(text.replace(',', '.')) : Number(text);
      if (!Number.isFinite(number)) return wrong;
      if (field.type === 'integer' && !Number.isInteger(number)) return wrong;
      if (
        number < (field.minimum ?? Number.NEGATIVE_INFINITY) ||
        number > (field.maximum ?? Number.POSITIVE_INFINITY)
      ) {
        return wrong;
      }
      return { value: number };
    }
    case 'boolean':
      if (/^(true|yes|ja|1|x)$/i.test(text)) return { value: true };
      return /^(false|no|nein|0)$/i.test(text) ? { value: false } : wrong;
    case 'mrid':
      return MRID_PATTERN.test(text.toLowerCase()) ? { value: text.toLowerCase() } : wrong;
    case 'choice': {
      const exact = field.choices?.find((choice) => choice === text);
      if (exact) return { value: exact };
      const loose = field.choices?.filter((choice) => choice.toLowerCase() === text.toLowerCase()) ?? [];
      return loose.length === 1 ? { value: loose[0] as string } : wrong;
    }
    case 'text':
      if (field.pattern && !field.pattern.test(text)) return wrong;
      if (text.length > (field.maxLength ?? 1000)) {
        return { problem: `has ${text.length} characters; expected at most ${field.maxLength ?? 1000}` };
      }
      return { value: text };
  }
}

function expectation(field: FieldSpec): string {
  switch (field.type) {
    case 'choice':
      return `one of ${field.choices?.join(', ')}`;
    case 'mrid':
      return 'a UUID such as 6ba7b811-9dad-11d1-80b4-00c04fd430c8';
    case 'boolean':
      return 'true or false';
    case 'number':
    case 'integer': {
      const what = field.type === 'integer' ? 'a whole number' : 'a number';
      if (field.minimum !== undefined && field.maximum !== undefined) {
        return `${what} from ${field.minimum} to ${field.maximum}`;
      }
      return field.minimum === undefined ? what : `${what} of at least ${field.minimum}`;
    }
    case 'text':
      return field.pattern ? `a text like ${field.about}` : 'a text';
  }
}
