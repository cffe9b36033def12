/**
 * Measurements and controls of CIM's Operation profile (OP, IEC 61970-301 packages Meas and SCADA, CGMES 3.0) as points of
 * the platform, and points as OP. OP has no protocol addresses: what comes in still has to be bound.
 */
import { type BuiltHeader, type CimModel, Findings, ModelBuilder, PROFILE_URIS, place, schemaOf } from '@enerchain/cim';
import { type GridModel, type Limit, type Mrid, type Point, uuidV5 } from '@enerchain/model';
import { CimSource } from './cim/source.ts';

const MEASUREMENTS = {
  Analog: 'analog',
  Discrete: 'discrete',
  Accumulator: 'accumulator',
  StringMeasurement: 'string',
} as const;
const CONTROLS = { Command: 'command', RaiseLowerCommand: 'command', SetPoint: 'setpoint' } as const;
const CLASS_OF = {
  analog: 'Analog',
  discrete: 'Discrete',
  accumulator: 'Accumulator',
  string: 'StringMeasurement',
} as const;

/** PhaseCode → phases of the platform; CIM writes the letters in their order. */
const PHASES: Readonly<Record<string, Point['phases']>> = {
  ABC: 'ABC',
  A: 'A',
  B: 'B',
  C: 'C',
  AB: 'AB',
  BC: 'BC',
  AC: 'CA',
  N: 'N',
  ABCN: 'ABCN',
};
const PHASE_CODES = new Map(Object.entries(PHASES).map(([code, phases]) => [phases, code]));
const MULTIPLIERS: ReadonlySet<string> = new Set(['n', 'micro', 'm', 'none', 'k', 'M', 'G']);
const LIMIT_KINDS: readonly Limit['kind'][] = ['highHigh', 'high', 'low', 'lowLow'];
/** IEC 61850-7-3: a command that steps up and down is a binary controlled step. */
const STEP = 'BSC';
/** What OP must say and a point need not. */
const NO_TYPE = 'Unspecified';
const NO_LIMIT = 3.4028235e38;

export interface OpPoints {
  readonly points: readonly Point[];
  /** What did not become a point, or lost something, with its place in the files. */
  readonly findings: Findings;
}

/** Never throws for what a file says. */
export function pointsFromCim(model: CimModel): OpPoints {
  const source = new CimSource(model);
  const { store } = model;
  const findings = new Findings();
  const lost = (object: number, code: string, text: string, property?: string): void => {
    const statement = property === undefined ? undefined : store.statement(object, property);
    findings.add({ severity: 'warning', code: `op.${code}`, text, ...place(model, object, statement) });
  };
  const text = (object: number, property: string): string | undefined =>
    store.text(object, property)?.trim() || undefined;
  /** What a reference names, also when the equipment is in an exchange of its own that is not here. */
  const named = (object: number, property: string): Mrid | undefined => {
    const statement = store.statement(object, property);
    if (statement === undefined) return undefined;
    const target = store.target(statement);
    return target === undefined ? source.mridOf(store.value(statement)) : source.mrid(target);
  };
  const aliases = aliasesOf(model);
  const limits = limitsOf(model, lost);
  const points: Point[] = [];

  /** What measurements and controls share; undefined: it cannot be a point, and has been told. */
  const head = (object: number, of: 'Measurement' | 'Control'): Omit<Point, 'kind'> | undefined => {
    const { mRID, name } = source.head(object);
    const type = text(object, of === 'Control' ? 'Control.controlType' : 'Measurement.measurementType');
    const unit = source.kind(object, `${of}.unitSymbol`);
    const multiplier = source.kind(object, `${of}.unitMultiplier`);
    const code = source.kind(object, 'Measurement.phases');
    if (multiplier !== undefined && !MULTIPLIERS.has(multiplier)) {
      lost(
        object,
        'unit',
        `${name} is in ${multiplier}${unit ?? ''}, a multiplier no point has; it is left out`,
        `${of}.unitMultiplier`,
      );
      return undefined;
    }
    const phases = code === undefined || code === 'none' ? undefined : PHASES[code];
    if (code !== undefined && code !== 'none' && phases === undefined) {
      lost(
        object,
        'phases',
        `${name} is of the phases ${code}, which no point has; it is left out`,
        'Measurement.phases',
      );
      return undefined;
    }
    const described = text(object, 'IdentifiedObject.description');
    return {
      mRID,
      name,
      ...optional('description', described?.slice(0, 1_000)),
      ...optional('measurementType', type === NO_TYPE ? undefined : type?.slice(0, 64)),
      ...optional('phases', phases),
      ...optional('unitSymbol', unit === 'none' ? undefined : unit),
      ...optional('unitMultiplier', multiplier === 'none' ? undefined : (multiplier as Point['unitMultiplier'])),
      ...optional('terminal', named(object, 'Measurement.Terminal')),
      ...optional('equipment', named(object, `${of}.PowerSystemResource`)),
    };
  };

  for (const [className, kind] of Object.entries(MEASUREMENTS)) {
    for (const object of store.ofClass(className)) {
      const own = head(object, 'Measurement');
      if (!own) continue;
      const set = store.reference(object, 'Discrete.ValueAliasSet');
      points.push({
        ...own,
        kind,
        ...optional('positiveFlowIn', store.boolean(object, 'Analog.positiveFlowIn')),
        ...optional('valueAliases', set === undefined ? undefined : aliases.get(set)),
        ...optional('limits', limits.get(object)),
      });
    }
  }
  for (const [className, kind] of Object.entries(CONTROLS)) {
    for (const object of store.ofClass(className)) {
      const own = head(object, 'Control');
      if (!own) continue;
      const analog = follow(model, object, 'AnalogControl.AnalogValue', 'AnalogValue.Analog');
      const feedback = analog ?? follow(model, object, 'Command.DiscreteValue', 'DiscreteValue.Discrete');
      const set = store.reference(object, `${className}.ValueAliasSet`);
      const bound = (property: string): number | undefined => {
        const value = store.number(object, property);
        return value === undefined || Math.abs(value) >= NO_LIMIT ? undefined : value;
      };
      points.push({
        ...own,
        kind,
        ...(className === 'RaiseLowerCommand' ? { cdc: STEP } : {}),
        ...optional(
          'normalValue',
          kind === 'setpoint' || className === 'Command' ? store.number(object, `${className}.normalValue`) : undefined,
        ),
        ...optional('valueAliases', set === undefined ? undefined : aliases.get(set)),
        ...optional('minimum', bound('AnalogControl.minValue')),
        ...optional('maximum', bound('AnalogControl.maxValue')),
        ...optional('feedback', feedback === undefined ? undefined : source.mrid(feedback)),
      });
    }
  }
  for (const object of store.ofClass('AccumulatorReset')) {
    lost(object, 'class', `${source.name(object)} resets a counter; the platform has no such command, it is left out`);
  }
  return { points, findings };
}

function follow({ store }: CimModel, object: number, first: string, second: string): number | undefined {
  const value = store.reference(object, first);
  return value === undefined ? undefined : store.reference(value, second);
}

function aliasesOf({ store }: CimModel): Map<number, Record<string, string>> {
  const sets = new Map<number, Record<string, string>>();
  for (const object of store.ofClass('ValueToAlias')) {
    const set = store.reference(object, 'ValueToAlias.ValueAliasSet');
    const value = store.number(object, 'ValueToAlias.value');
    if (set === undefined || value === undefined) continue;
    const own = sets.get(set) ?? {};
    own[String(value)] = store.text(object, 'IdentifiedObject.name') ?? String(value);
    sets.set(set, own);
  }
  return sets;
}

/** Of an Analog; CIM says neither how urgent a limit is nor, but by its name, which side it is on. */
function limitsOf(
  { store }: CimModel,
  lost: (object: number, code: string, text: string) => void,
): Map<number, Limit[]> {
  const limits = new Map<number, Limit[]>();
  for (const object of store.ofClass('AnalogLimit')) {
    const set = store.reference(object, 'AnalogLimit.LimitSet');
    const value = store.number(object, 'AnalogLimit.value');
    if (set === undefined || value === undefined) continue;
    const name = store.text(object, 'IdentifiedObject.name') ?? '';
    const kind = LIMIT_KINDS.find((each) => each.toLowerCase() === name.replaceAll(/[\s_-]|limit/gi, '').toLowerCase());
    if (!kind || store.boolean(set, 'LimitSet.isPercentageLimits')) {
      lost(
        object,
        'limit',
        `the limit '${name}' is not one of ${LIMIT_KINDS.join(', ')} in the unit of its point; it is left out`,
      );
      continue;
    }
    for (const { property, text } of store.values(set)) {
      const analog = property === 'AnalogLimitSet.Measurements' ? store.find(text) : undefined;
      if (analog === undefined) continue;
      const own = limits.get(analog) ?? [];
      if (own.length < 8) own.push({ kind, value, priority: 2 });
      limits.set(analog, own);
    }
  }
  return limits;
}

const optional = <K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [key in K]?: V });

export interface WrittenOp {
  /** One file, of the profile OP. */
  readonly model: CimModel;
  /** Points that are not in it, and why. */
  readonly leftOut: readonly { readonly point: Mrid; readonly name: string; readonly why: string }[];
}

const NAMESPACE = uuidV5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'enerchain:op');
/** Identifier of what stands beside a point in OP: its value, its words, its limits. */
const beside = (what: string, of: string): string => `_${uuidV5(NAMESPACE, `${what} ${of}`)}`;

/**
 * Points as a file of the Operation profile. OP has no place for quality codes of controls, priorities and texts of limits,
 * cdc, references of IEC 61850 and times after which a value is old: these are not in it.
 * @param grid where a terminal's equipment is looked up, which OP wants named
 */
export function opFromPoints(
  points: readonly Point[],
  header: Omit<BuiltHeader, 'profileUris'>,
  grid?: Pick<GridModel, 'equipment'>,
): WrittenOp {
  const builder = new ModelBuilder();
  builder.file('OP.xml', { ...header, profileUris: [PROFILE_URIS.OP] });
  const owners = new Map(grid?.equipment.flatMap(({ mRID, terminals }) => terminals.map((each) => [each.mRID, mRID])));
  const symbols = unitSymbols();
  const leftOut: { point: Mrid; name: string; why: string }[] = [];
  const byId = new Map(points.map((point) => [point.mRID, point]));
  const written = new Set<Mrid>();
  const values = new Set<Mrid>();
  const aliasSets = new Set<string>();
  const source = beside('source', 'SCADA');

  const words = (aliases: Point['valueAliases']): string | undefined => {
    const entries = Object.entries(aliases ?? {}).sort(([a], [b]) => Number(a) - Number(b));
    if (entries.length === 0) return undefined;
    const key = beside('aliases', JSON.stringify(entries));
    if (aliasSets.has(key)) return key;
    aliasSets.add(key);
    const name = entries
      .map(([, word]) => word)
      .join('/')
      .slice(0, 32);
    builder.object('ValueAliasSet', key, { 'IdentifiedObject.mRID': key.slice(1), 'IdentifiedObject.name': name });
    for (const [value, word] of entries) {
      const own = beside('alias', `${key} ${value}`);
      builder.object('ValueToAlias', own, {
        'IdentifiedObject.mRID': own.slice(1),
        'IdentifiedObject.name': word,
        'ValueToAlias.value': Number(value),
        'ValueToAlias.ValueAliasSet': key,
      });
    }
    return key;
  };
  /** A value of the point that shows what a control has done. */
  const value = (of: Point): string => {
    const key = beside('value', of.mRID);
    if (values.has(of.mRID)) return key;
    if (values.size === 0) {
      builder.object('MeasurementValueSource', source, {
        'IdentifiedObject.mRID': source.slice(1),
        'IdentifiedObject.name': 'SCADA',
      });
    }
    values.add(of.mRID);
    const className = CLASS_OF[of.kind as keyof typeof CLASS_OF];
    builder.object(`${className}Value`, key, {
      'IdentifiedObject.mRID': key.slice(1),
      'IdentifiedObject.name': of.name,
      'MeasurementValue.MeasurementValueSource': source,
      [`${className}Value.${className}`]: `_${of.mRID}`,
    });
    return key;
  };
  const common = (point: Point, of: 'Measurement' | 'Control', equipment: string | undefined) => ({
    'IdentifiedObject.mRID': point.mRID,
    'IdentifiedObject.name': point.name,
    'IdentifiedObject.description': point.description,
    [`${of}.PowerSystemResource`]: equipment,
    [of === 'Control' ? 'Control.controlType' : 'Measurement.measurementType']: point.measurementType ?? NO_TYPE,
    [`${of}.unitSymbol`]: point.unitSymbol ?? 'none',
    [`${of}.unitMultiplier`]: point.unitMultiplier ?? 'none',
  });
  const why = (point: Point): string | undefined => {
    const unit = point.unitSymbol ?? 'none';
    return symbols.has(unit) ? undefined : `${unit} is no UnitSymbol of CIM`;
  };
  const equipmentOf = ({ equipment, terminal }: Point): string | undefined => {
    const owner = equipment ?? (terminal === undefined ? undefined : owners.get(terminal));
    return owner === undefined ? undefined : `_${owner}`;
  };

  for (const point of points) {
    const className = CLASS_OF[point.kind as keyof typeof CLASS_OF];
    if (!className) continue;
    const equipment = equipmentOf(point);
    const wrong =
      equipment === undefined ? 'it belongs to nothing in the grid, and CIM wants that it does' : why(point);
    if (wrong !== undefined) {
      leftOut.push({ point: point.mRID, name: point.name, why: wrong });
      continue;
    }
    const key = `_${point.mRID}`;
    builder.object(className, key, {
      ...common(point, 'Measurement', equipment),
      'Measurement.phases': point.phases === undefined ? undefined : PHASE_CODES.get(point.phases),
      'Measurement.Terminal': point.terminal === undefined ? undefined : `_${point.terminal}`,
      ...(className === 'Analog' ? { 'Analog.positiveFlowIn': point.positiveFlowIn } : {}),
      ...(className === 'Discrete' ? { 'Discrete.ValueAliasSet': words(point.valueAliases) } : {}),
    });
    written.add(point.mRID);
    if (className !== 'Analog' || !point.limits?.length) continue;
    const set = beside('limits', point.mRID);
    builder.object('AnalogLimitSet', set, {
      'IdentifiedObject.mRID': set.slice(1),
      'IdentifiedObject.name': point.name,
      'LimitSet.isPercentageLimits': false,
      'AnalogLimitSet.Measurements': key,
    });
    for (const [index, { kind, value: at }] of point.limits.entries()) {
      const own = beside(`limit ${index}`, point.mRID);
      builder.object('AnalogLimit', own, {
        'IdentifiedObject.mRID': own.slice(1),
        'IdentifiedObject.name': kind,
        'AnalogLimit.value': at,
        'AnalogLimit.LimitSet': set,
      });
    }
  }
  for (const point of points) {
    if (point.kind !== 'command' && point.kind !== 'setpoint') continue;
    const shown = point.feedback === undefined ? undefined : byId.get(point.feedback);
    const wanted = point.kind === 'setpoint' || point.cdc === STEP ? 'analog' : 'discrete';
    const wrong =
      shown?.kind === wanted && written.has(shown.mRID)
        ? why(point)
        : `CIM wants the ${wanted} value it changes, and no such point is its feedback`;
    if (wrong !== undefined) {
      leftOut.push({ point: point.mRID, name: point.name, why: wrong });
      continue;
    }
    const key = `_${point.mRID}`;
    const own = common(point, 'Control', equipmentOf(point));
    const bounds = {
      'AnalogControl.AnalogValue': value(shown!),
      'AnalogControl.minValue': point.minimum ?? -NO_LIMIT,
      'AnalogControl.maxValue': point.maximum ?? NO_LIMIT,
    };
    if (point.kind === 'setpoint') {
      const normal = point.normalValue ?? 0;
      builder.object('SetPoint', key, { ...own, ...bounds, 'SetPoint.normalValue': normal, 'SetPoint.value': normal });
    } else if (point.cdc === STEP) {
      builder.object('RaiseLowerCommand', key, {
        ...own,
        ...bounds,
        'RaiseLowerCommand.ValueAliasSet': words(point.valueAliases),
      });
    } else {
      const normal = point.normalValue ?? 0;
      builder.object('Command', key, {
        ...own,
        'Command.DiscreteValue': value(shown!),
        'Command.ValueAliasSet': words(point.valueAliases),
        'Command.normalValue': normal,
        'Command.value': normal,
      });
    }
  }
  return { model: builder.build(), leftOut };
}

function unitSymbols(): ReadonlySet<string> {
  const type = schemaOf('3.0').property('Measurement.unitSymbol')?.type;
  return type?.kind === 'enumeration' ? type.values : new Set();
}
