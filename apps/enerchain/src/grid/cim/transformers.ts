/** Transformers with their ends and tap changers. */
import type { ConductingEquipment, TapChanger } from '@enerchain/model';
import type { Controls } from './control.ts';
import type { CimSource } from './source.ts';

type Transformer = Extract<ConductingEquipment, { class: 'PowerTransformer' }>;
type Common = Omit<Extract<TapChanger, { class: 'PhaseTapChangerLinear' }>, 'class' | 'stepPhaseShiftIncrement'>;
type RatioChanger = Extract<TapChanger, { class?: 'RatioTapChanger' }>;
type Point = Extract<TapChanger, { class: 'PhaseTapChangerTabular' }>['table'][number];

const MAX_POINTS = 1_000;
const MAX_STEP = 1_000;

/**
 * Files write the magnetising admittance of the whole transformer at one end. It lies between the windings, so every end
 * gets its share, referred to its own voltage; published solutions have it so.
 */
function spreadMagnetising(ends: Transformer['ends']): void {
  const written = ends.filter(({ g, b }) => g !== 0 || b !== 0);
  if (written.length !== 1) return;
  const { g, b, ratedU } = written[0]!;
  for (const end of ends) {
    const share = (ratedU / end.ratedU) ** 2 / ends.length;
    end.g = g * share;
    end.b = b * share;
  }
}

export class Transformers {
  readonly #source: CimSource;
  readonly #controls: Controls;
  readonly #ends: Map<number, number[]>;
  readonly #ratioChangers: Map<number, number[]>;
  readonly #phaseChangers: Map<number, number[]>;
  readonly #ratioPoints: Map<number, number[]>;
  readonly #phasePoints: Map<number, number[]>;
  /** Step that the solution (SV) has. */
  readonly #solved = new Map<number, number>();

  /** @param solved whether the steps of the solution go before those of the hypothesis */
  constructor(source: CimSource, controls: Controls, solved: boolean) {
    this.#source = source;
    this.#controls = controls;
    const { model, store } = source;
    this.#ends = source.referring(
      ['PowerTransformerEnd'],
      'PowerTransformerEnd.PowerTransformer',
      'TransformerEnd.endNumber',
    );
    this.#ratioChangers = source.referring(['RatioTapChanger'], 'RatioTapChanger.TransformerEnd');
    this.#phaseChangers = source.referring(model.schema.family('PhaseTapChanger'), 'PhaseTapChanger.TransformerEnd');
    this.#ratioPoints = source.referring(
      ['RatioTapChangerTablePoint'],
      'RatioTapChangerTablePoint.RatioTapChangerTable',
      'TapChangerTablePoint.step',
    );
    this.#phasePoints = source.referring(
      ['PhaseTapChangerTablePoint'],
      'PhaseTapChangerTablePoint.PhaseTapChangerTable',
      'TapChangerTablePoint.step',
    );
    if (!solved) return;
    for (const object of store.ofClass('SvTapStep')) {
      const changer = store.reference(object, 'SvTapStep.TapChanger');
      const position = store.number(object, 'SvTapStep.position');
      if (changer !== undefined && position !== undefined) this.#solved.set(changer, position);
    }
  }

  /**
   * Ends, and tap changers that can be used.
   * @param terminals objects of the terminals, by sequence number
   * @returns beside them the terminal of each end; or why the transformer is left out
   */
  parts(
    object: number,
    terminals: readonly number[],
  ): (Pick<Transformer, 'ends' | 'ratioTapChanger' | 'tapChangers'> & { order: number[] }) | string {
    const { store } = this.#source;
    const own = this.#ends.get(object) ?? [];
    if (own.length !== 2 && own.length !== 3) return `it has ${own.length} windings`;
    if (terminals.length !== own.length) return `it has ${own.length} windings and ${terminals.length} terminals`;
    const order = own.map((end, index) => store.reference(end, 'TransformerEnd.Terminal') ?? terminals[index]!);
    if (new Set(order).size !== own.length || order.some((terminal) => !terminals.includes(terminal))) {
      return 'its ends are not at its own terminals, one each';
    }
    const ratedS = own.map((end) => store.number(end, 'PowerTransformerEnd.ratedS'));
    const ends: Transformer['ends'] = [];
    for (const [index, end] of own.entries()) {
      const {
        ratedU,
        r,
        x,
        g = 0,
        b = 0,
      } = this.#source.numbers(end, 'PowerTransformerEnd', 'ratedU', 'r', 'x', 'g', 'b');
      if (ratedU === undefined || r === undefined || x === undefined) return 'ratedU, r or x of an end is missing';
      if (ratedU <= 0) return 'ratedU of an end is not positive';
      const power = ratedS[index] ?? ratedS.find((value) => value !== undefined) ?? 0;
      ends.push({ ratedU, ratedS: power, r, x, g, b: this.#inductive(end, b) });
    }
    const changers = own.flatMap((end, index) => this.#changers(end, index, ends[index]!));
    spreadMagnetising(ends);
    const first = changers.find((changer) => changer.class === 'RatioTapChanger');
    const others = changers.filter((changer) => changer !== first);
    return {
      ends,
      order,
      ...(first?.class === 'RatioTapChanger' ? { ratioTapChanger: first } : {}),
      ...(others.length > 0 ? { tapChangers: others } : {}),
    };
  }

  /** A transformer takes its magnetising current in; a susceptance of the other sign is a slip of the file. */
  #inductive(end: number, b: number): number {
    if (b <= 0) return b;
    const text = `its b of ${b} S would be a capacitor; it is taken as that of the magnetising current, ${-b} S`;
    this.#source.assume(end, text, 'PowerTransformerEnd.b');
    return -b;
  }

  #changers(end: number, index: number, of: Transformer['ends'][number]): TapChanger[] {
    const source = this.#source;
    const found: TapChanger[] = [];
    const seen = new Set<string>();
    for (const object of [...(this.#ratioChangers.get(end) ?? []), ...(this.#phaseChangers.get(end) ?? [])]) {
      const name = source.store.class(object)!;
      const kind = name === 'RatioTapChanger' ? 'ratio' : 'phase';
      if (seen.has(kind)) {
        source.leave(object, `its end has another ${kind} tap changer`);
        continue;
      }
      seen.add(kind);
      const changer = this.#changer(object, name, index);
      if (typeof changer === 'string') source.leave(object, changer);
      else {
        if (changer.class === 'RatioTapChanger' || changer.class === 'PhaseTapChangerTabular') {
          this.#relative(object, changer, of);
        }
        found.push(changer);
      }
    }
    return found;
  }

  #changer(object: number, name: string, end: number): TapChanger | string {
    const source = this.#source;
    const { store } = source;
    const steps = this.#steps(object, end);
    if (typeof steps === 'string') return steps;
    const number = (property: string): number | undefined => store.number(object, property);
    const reactance = (of: string) => {
      const [xMin, xMax] = [number(`${of}.xMin`), number(`${of}.xMax`)];
      return xMin !== undefined && xMax !== undefined && xMin > 0 && xMax >= xMin ? { xMin, xMax } : {};
    };
    switch (name) {
      case 'RatioTapChanger': {
        const increment = number('RatioTapChanger.stepVoltageIncrement');
        const by = store.reference(object, 'RatioTapChanger.RatioTapChangerTable');
        const points = by === undefined ? undefined : this.#table(this.#ratioPoints.get(by) ?? []);
        if (typeof points === 'string' || points === undefined) {
          if (increment === undefined) return points ?? 'the voltage per step is missing';
          if (points !== undefined) source.assume(object, `${points}; it goes by its voltage per step`);
          return { class: name, ...steps, stepVoltageIncrement: increment };
        }
        const table = points.map(({ angle: _, ...point }) => point);
        return { class: name, ...steps, stepVoltageIncrement: increment ?? 0, table };
      }
      case 'PhaseTapChangerLinear': {
        const stepPhaseShiftIncrement = number('PhaseTapChangerLinear.stepPhaseShiftIncrement');
        if (stepPhaseShiftIncrement === undefined) return 'the angle per step is missing';
        return { class: name, ...steps, stepPhaseShiftIncrement, ...reactance(name) };
      }
      case 'PhaseTapChangerSymmetrical':
      case 'PhaseTapChangerAsymmetrical': {
        const voltageStepIncrement = number('PhaseTapChangerNonLinear.voltageStepIncrement');
        if (voltageStepIncrement === undefined) return 'the voltage per step is missing';
        const shared = { ...steps, voltageStepIncrement, ...reactance('PhaseTapChangerNonLinear') };
        if (name === 'PhaseTapChangerSymmetrical') return { class: name, ...shared };
        const windingConnectionAngle = number('PhaseTapChangerAsymmetrical.windingConnectionAngle');
        if (windingConnectionAngle === undefined) return 'the angle at which its winding is connected is missing';
        return { class: name, ...shared, windingConnectionAngle };
      }
      case 'PhaseTapChangerTabular': {
        const by = store.reference(object, 'PhaseTapChangerTabular.PhaseTapChangerTable');
        const points = by === undefined ? 'it has no table' : this.#table(this.#phasePoints.get(by) ?? []);
        if (typeof points === 'string') return points;
        return { class: name, ...steps, table: points };
      }
      default:
        return 'the grid model of the platform has no such tap changer';
    }
  }

  /**
   * Points are to give r, x, g and b as deviations in %. Some files write them as they are: then the point of the neutral
   * step says what the end says.
   */
  #relative(
    object: number,
    { table = [], neutralStep }: Extract<TapChanger, { class: 'PhaseTapChangerTabular' }> | RatioChanger,
    end: Transformer['ends'][number],
  ): void {
    const neutral = table.find(({ step }) => step === neutralStep);
    if (!neutral) return;
    for (const name of ['r', 'x', 'g', 'b'] as const) {
      const whole = end[name];
      if (whole === 0 || Math.abs((neutral[name] ?? 0) / whole - 1) > 1e-3) continue;
      for (const point of table) point[name] = 100 * ((point[name] ?? whole) / whole - 1);
      this.#source.assume(
        object,
        `its table has ${name} at the neutral step as its end has it; it is no deviation in %`,
      );
    }
  }

  #steps(object: number, end: number): Common | string {
    const source = this.#source;
    const { store } = source;
    const of = (name: string): number | undefined => store.number(object, `TapChanger.${name}`);
    const [lowStep, highStep, neutralStep] = [of('lowStep'), of('highStep'), of('neutralStep')];
    if (lowStep === undefined || highStep === undefined || neutralStep === undefined) return 'its steps are missing';
    if (![lowStep, highStep, neutralStep].every(Number.isInteger)) return 'its steps are no whole numbers';
    if (Math.max(-lowStep, highStep) > MAX_STEP) return `it has steps beyond ${MAX_STEP}`;
    if (lowStep > highStep) return `its lowest step, ${lowStep}, is above its highest, ${highStep}`;
    const within = (value: number, name: string): number => {
      const held = Math.min(Math.max(value, lowStep), highStep);
      if (held !== value) {
        source.assume(
          object,
          `its ${name} ${value} is outside ${lowStep} … ${highStep}; ${held} is taken`,
          `TapChanger.${name}`,
        );
      }
      return held;
    };
    const normalStep = Math.round(within(of('normalStep') ?? neutralStep, 'normalStep'));
    const step = this.#solved.get(object) ?? of('step');
    const flag = store.boolean(object, 'TapChanger.ltcFlag');
    return {
      mRID: source.mrid(object),
      end,
      lowStep,
      highStep,
      neutralStep: within(neutralStep, 'neutralStep'),
      normalStep,
      ...(step === undefined ? {} : { step: within(step, 'step') }),
      ...(flag === undefined ? {} : { ltcFlag: flag }),
      ...this.#controls.of(object, 'TapChanger'),
    };
  }

  /** @returns points by rising step; or what is wrong with the table */
  #table(objects: readonly number[]): Point[] | string {
    const { store } = this.#source;
    if (objects.length === 0) return 'its table is empty';
    if (objects.length > MAX_POINTS) return `its table has more than ${MAX_POINTS} points`;
    const points: Point[] = [];
    for (const object of objects) {
      const step = store.number(object, 'TapChangerTablePoint.step');
      const ratio = store.number(object, 'TapChangerTablePoint.ratio') ?? 1;
      if (step === undefined || !Number.isInteger(step)) return 'a point of its table has no step';
      if (points.at(-1)?.step === step) return `its table has two points for step ${step}`;
      if (!(ratio > 0)) return `its table has the ratio ${ratio} at step ${step}`;
      points.push({
        step,
        ratio,
        angle: store.number(object, 'PhaseTapChangerTablePoint.angle') ?? 0,
        ...this.#source.numbers(object, 'TapChangerTablePoint', 'r', 'x', 'g', 'b'),
      });
    }
    return points;
  }
}
