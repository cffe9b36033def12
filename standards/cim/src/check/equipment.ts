/** Electrical sense of single objects: impedances, ratings, terminals, limits, tap positions. */
import type { Severity } from '../findings.ts';
import type { CimModel } from '../model.ts';
import { place } from './place.ts';

export function checkEquipment(model: CimModel): void {
  const { store, schema, findings } = model;
  const objects = (ancestor: string): number[] => schema.family(ancestor).flatMap((name) => store.ofClass(name));
  const say = (severity: Severity, code: string, object: number, text: string, property?: string): void => {
    const statement = property === undefined ? undefined : store.statement(object, property);
    findings.add({ severity, code: `grid.${code}`, text, ...place(model, object, statement) });
  };
  const name = (object: number): string => store.text(object, 'IdentifiedObject.name') ?? store.key(object);

  for (const line of objects('ACLineSegment')) {
    const r = store.number(line, 'ACLineSegment.r');
    const x = store.number(line, 'ACLineSegment.x');
    if (x !== undefined && x < 0) {
      say('warning', 'negative-reactance', line, `the line ${name(line)} has x = ${x} Ω`, 'ACLineSegment.x');
    }
    if (r !== undefined && r < 0) {
      say('warning', 'negative-resistance', line, `the line ${name(line)} has r = ${r} Ω`, 'ACLineSegment.r');
    }
    if (r === 0 && x === 0) {
      say(
        'warning',
        'zero-impedance',
        line,
        `the line ${name(line)} has no impedance: it joins its ends`,
        'ACLineSegment.x',
      );
    }
    const length = store.number(line, 'Conductor.length');
    if (length !== undefined && length <= 0) {
      say('warning', 'zero-length', line, `the line ${name(line)} is ${length} km long`, 'Conductor.length');
    }
  }

  for (const base of objects('BaseVoltage')) {
    const voltage = store.number(base, 'BaseVoltage.nominalVoltage');
    if (voltage !== undefined && voltage <= 0) {
      say('error', 'voltage', base, `a nominal voltage of ${voltage} kV`, 'BaseVoltage.nominalVoltage');
    }
  }

  checkTransformers(model, objects('PowerTransformerEnd'), objects('PowerTransformer'), say, name);
  checkTaps(model, objects('TapChanger'), say, name);
  checkTerminals(model, say, name);

  for (const [ancestor, low, high] of RANGES) {
    for (const object of objects(ancestor)) {
      const from = store.number(object, low);
      const to = store.number(object, high);
      if (from === undefined || to === undefined || from <= to) continue;
      say('error', 'limits', object, `${low} = ${from} lies above ${high} = ${to}`, low);
    }
  }
  for (const limit of objects('OperationalLimit')) {
    for (const property of LIMITS) {
      const value = store.number(limit, property);
      if (value === undefined || value > 0) continue;
      say('warning', 'limits', limit, `the limit ${name(limit)} is ${value}: nothing may flow`, property);
    }
  }
}

type Say = (severity: Severity, code: string, object: number, text: string, property?: string) => void;
type Name = (object: number) => string;

const RANGES: readonly (readonly [ancestor: string, low: string, high: string])[] = [
  ['GeneratingUnit', 'GeneratingUnit.minOperatingP', 'GeneratingUnit.maxOperatingP'],
  ['SynchronousMachine', 'SynchronousMachine.minQ', 'SynchronousMachine.maxQ'],
  ['ExternalNetworkInjection', 'ExternalNetworkInjection.minP', 'ExternalNetworkInjection.maxP'],
  ['ExternalNetworkInjection', 'ExternalNetworkInjection.minQ', 'ExternalNetworkInjection.maxQ'],
  ['EquivalentInjection', 'EquivalentInjection.minP', 'EquivalentInjection.maxP'],
  ['EquivalentInjection', 'EquivalentInjection.minQ', 'EquivalentInjection.maxQ'],
];
const LIMITS = [
  'CurrentLimit.normalValue',
  'CurrentLimit.value',
  'ApparentPowerLimit.normalValue',
  'VoltageLimit.normalValue',
];

function checkTransformers(
  { store }: CimModel,
  ends: readonly number[],
  transformers: readonly number[],
  say: Say,
  name: Name,
): void {
  const ofTransformer = new Map<number, number[]>();
  for (const end of ends) {
    const rated = store.number(end, 'PowerTransformerEnd.ratedU');
    if (rated !== undefined && rated <= 0) {
      say('error', 'voltage', end, `an end rated ${rated} kV`, 'PowerTransformerEnd.ratedU');
    }
    const transformer = store.reference(end, 'PowerTransformerEnd.PowerTransformer');
    if (transformer === undefined) continue;
    const list = ofTransformer.get(transformer);
    if (list) list.push(end);
    else ofTransformer.set(transformer, [end]);
  }
  for (const transformer of transformers) {
    const own = ofTransformer.get(transformer) ?? [];
    if (own.length < 2) {
      say('error', 'transformer-ends', transformer, `the transformer ${name(transformer)} has ${own.length} ends`);
      continue;
    }
    // Of three windings one may well be negative in the star; of two the sum is the short-circuit reactance.
    const [first, second] = own;
    if (own.length === 2) {
      const x1 = store.number(first!, 'PowerTransformerEnd.x') ?? 0;
      const x2 = store.number(second!, 'PowerTransformerEnd.x') ?? 0;
      const u1 = store.number(first!, 'PowerTransformerEnd.ratedU') ?? 1;
      const u2 = store.number(second!, 'PowerTransformerEnd.ratedU') ?? 1;
      const x = x1 + x2 * (u1 / u2) ** 2;
      if (x < 0)
        say('warning', 'negative-reactance', transformer, `the transformer ${name(transformer)} has x = ${x} Ω`);
      if (x === 0)
        say('warning', 'zero-impedance', transformer, `the transformer ${name(transformer)} has no reactance`);
    }
    const numbers = own.map((end) => store.text(end, 'TransformerEnd.endNumber'));
    if (new Set(numbers).size < numbers.length) {
      say('error', 'transformer-ends', transformer, `two ends of ${name(transformer)} have the same number`);
    }
  }
}

function checkTaps({ store }: CimModel, changers: readonly number[], say: Say, name: Name): void {
  const solved = new Map<number, number>();
  for (const step of store.ofClass('SvTapStep')) {
    const changer = store.reference(step, 'SvTapStep.TapChanger');
    const position = store.number(step, 'SvTapStep.position');
    if (changer !== undefined && position !== undefined) solved.set(changer, position);
  }
  for (const changer of changers) {
    const low = store.number(changer, 'TapChanger.lowStep');
    const high = store.number(changer, 'TapChanger.highStep');
    if (low === undefined || high === undefined) continue;
    if (low > high) {
      say(
        'error',
        'tap-range',
        changer,
        `the lowest step ${low} of ${name(changer)} lies above the highest ${high}`,
        'TapChanger.lowStep',
      );
      continue;
    }
    const step = store.number(changer, 'TapChanger.step');
    const sv = solved.get(changer);
    const positions: readonly (readonly [what: string, position: number | undefined, property?: string])[] = [
      ['neutral step', store.number(changer, 'TapChanger.neutralStep'), 'TapChanger.neutralStep'],
      ['normal step', store.number(changer, 'TapChanger.normalStep'), 'TapChanger.normalStep'],
      ['step', step, 'TapChanger.step'],
      ['solved position', sv],
    ];
    for (const [what, position, property] of positions) {
      if (position === undefined || (position >= low && position <= high)) continue;
      say(
        'error',
        'tap-position',
        changer,
        `the ${what} ${position} of ${name(changer)} is outside ${low} … ${high}`,
        property,
      );
    }
    const fixed = store.boolean(changer, 'TapChanger.controlEnabled') === false;
    if (fixed && step !== undefined && sv !== undefined && Math.abs(step - sv) > 0.5) {
      const text = `${name(changer)} stands at ${step} and does not regulate, yet the solution has it at ${sv}`;
      say('warning', 'tap-contradiction', changer, text, 'TapChanger.step');
    }
  }
}

/** Terminals an object of each class has (IEC 61970-301). */
const TERMINALS: readonly (readonly [ancestor: string, terminals: number])[] = [
  ['ACLineSegment', 2],
  ['SeriesCompensator', 2],
  ['EquivalentBranch', 2],
  ['Switch', 2],
  ['EnergyConnection', 1],
  ['ShuntCompensator', 1],
  ['BusbarSection', 1],
  ['EquivalentInjection', 1],
];

function checkTerminals({ store, schema }: CimModel, say: Say, name: Name): void {
  const terminals = new Map<number, number[]>();
  for (const terminal of store.ofClass('Terminal')) {
    const equipment = store.reference(terminal, 'Terminal.ConductingEquipment');
    if (equipment === undefined) continue;
    const list = terminals.get(equipment);
    if (list) list.push(terminal);
    else terminals.set(equipment, [terminal]);
  }
  for (const [ancestor, wanted] of TERMINALS) {
    for (const className of schema.family(ancestor)) {
      // An earthing switch has one terminal on the grid and the earth at the other.
      if (className === 'GroundDisconnector') continue;
      for (const object of store.ofClass(className)) {
        const own = terminals.get(object)?.length ?? 0;
        if (own === wanted) continue;
        say('error', 'terminals', object, `${className} ${name(object)} has ${own} terminals instead of ${wanted}`);
      }
    }
  }
  for (const [equipment, own] of terminals) {
    const numbers = own.flatMap((terminal) => store.text(terminal, 'ACDCTerminal.sequenceNumber') ?? []);
    if (new Set(numbers).size < numbers.length) {
      say('error', 'terminals', equipment, `two terminals of ${name(equipment)} have the same sequence number`);
    }
  }
}
