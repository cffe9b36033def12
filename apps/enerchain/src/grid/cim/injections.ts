/** Loads, machines, converters and equivalents: what has one terminal and a power. */
import type { ConductingEquipment, Mrid } from '@enerchain/model';
import type { Controls } from './control.ts';
import { DirectCurrent } from './direct-current.ts';
import type { Nodes } from './nodes.ts';
import type { Solution } from './solution.ts';
import type { CimSource } from './source.ts';

type OfClass<C extends ConductingEquipment['class']> = Extract<ConductingEquipment, { class: C }>;
type Machine = OfClass<'SynchronousMachine'>;
export interface Head {
  readonly mRID: Mrid;
  readonly name: string;
  readonly container?: Mrid;
  readonly inService?: boolean;
}

const UNITS = [
  'GeneratingUnit',
  'HydroGeneratingUnit',
  'NuclearGeneratingUnit',
  'SolarGeneratingUnit',
  'ThermalGeneratingUnit',
  'WindGeneratingUnit',
] as const satisfies Machine['unit'][];
const PLANTS = ['PhotoVoltaicUnit', 'PowerElectronicsWindUnit', 'BatteryUnit'] as const;

export class Injections {
  readonly #source: CimSource;
  readonly #nodes: Nodes;
  readonly #controls: Controls;
  readonly #solution: Solution | undefined;
  readonly #curves: Map<number, number[]>;
  readonly #machinesOfUnit: Map<number, number[]>;
  readonly #directCurrent: DirectCurrent;

  /** @param solution when given, the powers of converters in it go before those of the hypothesis */
  constructor(source: CimSource, nodes: Nodes, controls: Controls, solution: Solution | undefined) {
    this.#source = source;
    this.#nodes = nodes;
    this.#controls = controls;
    this.#solution = solution;
    this.#directCurrent = new DirectCurrent(source);
    this.#curves = source.referring(['CurveData'], 'CurveData.Curve', 'CurveData.xvalue');
    this.#machinesOfUnit = source.referring(
      ['SynchronousMachine', 'AsynchronousMachine'],
      'RotatingMachine.GeneratingUnit',
    );
  }

  /** @returns the equipment, why it is left out, or undefined when the class is none of these */
  convert(
    object: number,
    name: string,
    head: Head,
    terminals: OfClass<'EnergyConsumer'>['terminals'],
  ): ConductingEquipment | string | undefined {
    const source = this.#source;
    const { store } = source;
    const one = { ...head, terminals };
    switch (name) {
      case 'EnergyConsumer':
      case 'ConformLoad':
      case 'NonConformLoad':
      case 'StationSupply': {
        const { p, q, pfixed, qfixed } = source.numbers(object, 'EnergyConsumer', 'p', 'q', 'pfixed', 'qfixed');
        return {
          class: 'EnergyConsumer',
          ...one,
          p: p ?? pfixed ?? 0,
          q: q ?? qfixed ?? 0,
          ...this.#loadResponse(object),
        };
      }
      case 'EnergySource': {
        const { activePower: p = 0, reactivePower: q = 0 } = source.numbers(
          object,
          name,
          'activePower',
          'reactivePower',
        );
        return { class: name, ...one, p, q };
      }
      case 'SynchronousMachine':
        return this.#machine(object, one);
      case 'AsynchronousMachine': {
        const { p = 0, q = 0, ratedS } = source.numbers(object, 'RotatingMachine', 'p', 'q', 'ratedS');
        return { class: name, ...one, p, q, ...(ratedS === undefined ? {} : { ratedS }) };
      }
      case 'ExternalNetworkInjection':
        return {
          class: name,
          ...one,
          voltage: this.#voltage(object),
          ...source.numbers(object, name, 'p', 'q', 'minP', 'maxP', 'minQ', 'maxQ'),
          ...this.#priority(object, name),
          ...this.#controls.of(object, 'RegulatingCondEq'),
        };
      case 'EquivalentInjection': {
        const { p = 0, q = 0, regulationTarget } = source.numbers(object, name, 'p', 'q', 'regulationTarget');
        const regulates =
          store.boolean(object, `${name}.regulationStatus`) === true &&
          store.boolean(object, `${name}.regulationCapability`) !== false;
        const holds = regulates && regulationTarget !== undefined && regulationTarget > 0;
        if (regulates && !holds) source.assume(object, 'it is to hold a voltage and has no target; it gives its q');
        return {
          class: name,
          ...one,
          p,
          q,
          ...source.numbers(object, name, 'minP', 'maxP', 'minQ', 'maxQ'),
          ...(holds ? { regulationStatus: true, regulationTarget } : {}),
        };
      }
      case 'CsConverter':
      case 'VsConverter': {
        const { baseS } = source.numbers(object, 'ACDCConverter', 'baseS');
        const { targetUpcc } = source.numbers(object, 'VsConverter', 'targetUpcc');
        const holds = source.kind(object, 'VsConverter.qPccControl') === 'voltagePcc';
        return {
          class: name,
          ...one,
          ...this.#converterPower(object, terminals[0]!.mRID),
          ...(baseS === undefined ? {} : { ratedS: baseS }),
          ...(name === 'VsConverter' && holds && targetUpcc !== undefined && targetUpcc > 0 ? { targetUpcc } : {}),
        };
      }
      case 'PowerElectronicsConnection':
        return this.#connection(object, one);
      default:
        return undefined;
    }
  }

  /** As solved, where that is wanted; else what the hypothesis has, and what it aims at where it has nothing. */
  #converterPower(object: number, terminal: Mrid): { p: number; q: number } {
    const source = this.#source;
    const solved = this.#solution?.flows.get(terminal);
    if (solved) return { p: solved.p, q: solved.q };
    const { p = 0, q = 0, targetPpcc = 0 } = source.numbers(object, 'ACDCConverter', 'p', 'q', 'targetPpcc');
    const { targetQpcc = 0 } = source.numbers(object, 'VsConverter', 'targetQpcc');
    if (p === 0 && targetPpcc === 0 && this.#directCurrent.follows(object)) {
      const other = this.#directCurrent.otherEnd(object);
      const follows = this.#directCurrent.power(object, this.#given(other));
      if (follows !== undefined) {
        source.assume(object, `the files do not say its power; ${follows} MW is what the other end leaves it`);
        return { p: follows, q: q === 0 ? targetQpcc : q };
      }
    }
    if (p === 0 && targetPpcc !== 0) {
      source.assume(object, `the files do not say its power; that of its target, ${targetPpcc} MW, is taken`);
      return { p: targetPpcc, q: q === 0 ? targetQpcc : q };
    }
    if (p === 0 && q === 0) source.assume(object, 'the files do not say its power; it takes none');
    return { p, q: q === 0 ? targetQpcc : q };
  }

  /** MW that a converter is given: as solved, by the hypothesis, or by its target. */
  #given(object: number): number {
    const { p = 0, targetPpcc = 0 } = this.#source.numbers(object, 'ACDCConverter', 'p', 'targetPpcc');
    const [terminal] = this.#nodes.terminals(object);
    const solved = terminal === undefined ? undefined : this.#solution?.flows.get(this.#source.mrid(terminal));
    return solved?.p ?? (p === 0 ? targetPpcc : p);
  }

  #priority(object: number, name: string): { referencePriority?: number } {
    const referencePriority = this.#source.store.number(object, `${name}.referencePriority`);
    return referencePriority !== undefined && Number.isInteger(referencePriority) && referencePriority > 0
      ? { referencePriority }
      : {};
  }

  #machine(object: number, one: Omit<Machine, 'class' | 'p' | 'q'>): Machine {
    const source = this.#source;
    const { store } = source;
    const { p, q = 0, ratedS, ratedU } = source.numbers(object, 'RotatingMachine', 'p', 'q', 'ratedS', 'ratedU');
    const unit = store.reference(object, 'RotatingMachine.GeneratingUnit');
    const unitClass = unit === undefined ? undefined : store.class(unit);
    const kind = UNITS.find((known) => known === unitClass);
    const share = unit === undefined ? 1 : 1 / (this.#machinesOfUnit.get(unit)?.length ?? 1);
    const {
      minOperatingP,
      maxOperatingP,
      initialP = 0,
      normalPF,
    } = unit === undefined
      ? {}
      : source.numbers(unit, 'GeneratingUnit', 'minOperatingP', 'maxOperatingP', 'initialP', 'normalPF');
    const mode = source.kind(object, 'SynchronousMachine.operatingMode');
    const limits = source.numbers(object, 'SynchronousMachine', 'minQ', 'maxQ', 'qPercent');
    if (limits.minQ !== undefined && limits.maxQ !== undefined && limits.minQ > limits.maxQ) {
      source.assume(object, `its minQ ${limits.minQ} is above its maxQ ${limits.maxQ}; it has no limits`);
      delete limits.minQ;
      delete limits.maxQ;
    }
    return {
      class: 'SynchronousMachine',
      ...one,
      p: p ?? -initialP * share,
      q,
      ...(ratedS === undefined ? {} : { ratedS }),
      ...(ratedU === undefined ? {} : { ratedU }),
      ...(minOperatingP === undefined ? {} : { minP: minOperatingP * share }),
      ...(maxOperatingP === undefined ? {} : { maxP: maxOperatingP * share }),
      ...limits,
      ...this.#curve(object),
      ...(normalPF === undefined || normalPF < 0 ? {} : { normalPF: normalPF * share }),
      ...this.#priority(object, 'SynchronousMachine'),
      ...(mode === 'generator' || mode === 'motor' || mode === 'condenser' ? { operatingMode: mode } : {}),
      ...(kind === undefined ? {} : { unit: kind }),
      ...this.#controls.of(object, 'RegulatingCondEq'),
    };
  }

  #curve(object: number): Pick<Machine, 'reactiveCapabilityCurve'> {
    const { store } = this.#source;
    const curve = store.reference(object, 'SynchronousMachine.InitialReactiveCapabilityCurve');
    const points: NonNullable<Machine['reactiveCapabilityCurve']> = [];
    for (const data of curve === undefined ? [] : (this.#curves.get(curve) ?? [])) {
      const {
        xvalue: p,
        y1value: minQ,
        y2value: maxQ,
      } = this.#source.numbers(data, 'CurveData', 'xvalue', 'y1value', 'y2value');
      if (p === undefined || minQ === undefined || maxQ === undefined || minQ > maxQ || points.at(-1)?.p === p) {
        this.#source.assume(object, 'its reactive capability curve has a point that cannot be used; it is left out');
        return {};
      }
      points.push({ p, minQ, maxQ });
    }
    return points.length === 0 || points.length > 1_000 ? {} : { reactiveCapabilityCurve: points };
  }

  /** Shares of the three kinds are of their sum, as IEC 61970-301 wants them. */
  #loadResponse(object: number): Pick<OfClass<'EnergyConsumer'>, 'loadResponse'> {
    const source = this.#source;
    const { store } = source;
    const response = store.reference(object, 'EnergyConsumer.LoadResponse');
    if (response === undefined) return {};
    const of = 'LoadResponseCharacteristic';
    if (store.boolean(response, `${of}.exponentModel`) === true) {
      const exponents = source.numbers(response, of, 'pVoltageExponent', 'qVoltageExponent');
      return { loadResponse: { exponentModel: true, ...exponents } };
    }
    const shares = (letter: 'p' | 'q') => {
      const names = [`${letter}ConstantPower`, `${letter}ConstantCurrent`, `${letter}ConstantImpedance`] as const;
      const values = names.map((name) => store.number(response, `${of}.${name}`) ?? 0);
      const sum = values.reduce((total, value) => total + value, 0);
      if (!(sum > 0) || values.some((value) => value < 0)) return { [names[0]]: 1 };
      return Object.fromEntries(names.map((name, index) => [name, values[index]! / sum]));
    };
    return { loadResponse: { exponentModel: false, ...shares('p'), ...shares('q') } };
  }

  /** kV held at the terminal: the target of a voltage control that looks at the same voltage, else nominal. */
  #voltage(object: number): number {
    const [terminal] = this.#nodes.terminals(object);
    const nominal = this.#nodes.level(this.#nodes.at(terminal!)!).nominalVoltage;
    const control = this.#controls.get(this.#controls.of(object, 'RegulatingCondEq').regulatingControl);
    if (control?.mode !== 'voltage') return nominal;
    // A control may regulate a node of another voltage level; its set-point says nothing here.
    return Math.abs(control.targetValue / nominal - 1) < 0.25 ? control.targetValue : nominal;
  }

  #connection(
    object: number,
    one: Omit<OfClass<'PowerElectronicsConnection'>, 'class' | 'unit' | 'ratedS' | 'maxP' | 'minP'>,
  ): OfClass<'PowerElectronicsConnection'> {
    const source = this.#source;
    const { store } = source;
    const of = 'PowerElectronicsConnection';
    const unit = store.reference(object, `${of}.PowerElectronicsUnit`);
    const unitClass = unit === undefined ? undefined : store.class(unit);
    const kind = PLANTS.find((known) => known === unitClass) ?? 'PowerElectronicsUnit';
    const { maxP, minP } = unit === undefined ? {} : source.numbers(unit, 'PowerElectronicsUnit', 'maxP', 'minP');
    const { ratedS, p, q, minQ, maxQ } = source.numbers(object, of, 'ratedS', 'p', 'q', 'minQ', 'maxQ');
    const most = maxP ?? ratedS ?? Math.abs(p ?? 0);
    const ratedE = unit === undefined ? undefined : store.number(unit, 'BatteryUnit.ratedE');
    return {
      class: of,
      ...one,
      unit: kind,
      ratedS: ratedS ?? most,
      maxP: most,
      minP: minP ?? (kind === 'BatteryUnit' ? -most : 0),
      ...(ratedE === undefined ? {} : { ratedE }),
      ...(p === undefined ? {} : { p }),
      ...(q === undefined ? {} : { q }),
      ...(minQ === undefined ? {} : { minQ }),
      ...(maxQ === undefined ? {} : { maxQ }),
      ...this.#controls.of(object, 'RegulatingCondEq'),
    };
  }
}
