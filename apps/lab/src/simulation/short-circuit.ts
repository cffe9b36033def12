/**
 * Three-phase short circuits: what flows while one stands. As protection engineers reckon it (IEC 60909-0): an equivalent
 * voltage source, loads and converters left out, transformers at their rated ratio. Pure.
 */
import type { ConductingEquipment, GridModel, Mrid } from '@enerchain/model';

/** Where conductors touch: a node, or within the equipment at a terminal. */
export interface FaultLocation {
  /** Of a node; or of a terminal of a line, a transformer, or something that hangs at one node. */
  readonly node?: Mrid;
  readonly terminal?: Mrid;
  /** Share of the way from the terminal to the other end of a line, 0 to 1; default the middle. */
  readonly distance?: number;
}

export interface Phasor {
  readonly re: number;
  readonly im: number;
}

/** What stands while there are short circuits. What no source reaches is dead, and has zeros. */
export interface ShortCircuit {
  /** Line-to-line, kV, by connectivity node that a fault reaches; others keep what the power flow says. */
  readonly voltages: ReadonlyMap<Mrid, number>;
  /** Into the equipment at a terminal: A, MW, Mvar. */
  readonly flows: ReadonlyMap<Mrid, FaultFlow>;
}

export interface FaultFlow {
  readonly p: number;
  readonly q: number;
  readonly i: number;
  /** A, with its angle to the source's voltage. */
  readonly current: Phasor;
}

/** MVA. */
const BASE = 100;
/** R/X of the grid above (IEC 60909-0 § 6.2, over 35 kV). */
const SOURCE_R_TO_X = 0.1;

interface Branch {
  readonly from: number;
  readonly to: number;
  readonly admittance: Phasor;
  readonly terminals: readonly [Mrid | undefined, Mrid | undefined];
}

type Source = Extract<ConductingEquipment, { class: 'ExternalNetworkInjection' }>;

/** @param closed of every switch @param sourceVoltage kV @returns undefined when no fault is fed */
export function shortCircuit(
  model: GridModel,
  closed: (mRID: Mrid) => boolean,
  faults: readonly FaultLocation[],
  sourceVoltage: (source: Source) => number,
): ShortCircuit | undefined {
  const buses = new Buses(model, closed);
  const branches: Branch[] = [];
  const sources: { bus: number; terminal: Mrid; admittance: Phasor; voltage: number }[] = [];
  /** Buses that are held at zero, with the terminal through which the fault is fed where it lies inside something. */
  const shorted = new Map<number, Set<Mrid>>();
  const short = (bus: number, terminal?: Mrid): void => {
    const set = shorted.get(bus) ?? new Set<Mrid>();
    if (terminal !== undefined) set.add(terminal);
    shorted.set(bus, set);
  };
  const within = (equipment: ConductingEquipment): FaultLocation | undefined =>
    faults.find(({ terminal }) => equipment.terminals.some(({ mRID }) => mRID === terminal));
  for (const { node } of faults) if (node !== undefined) short(buses.of(node));

  for (const equipment of model.equipment) {
    const inner = within(equipment);
    switch (equipment.class) {
      case 'ACLineSegment':
      case 'PowerTransformer': {
        const [from, to] = equipment.terminals;
        if (!from || !to) break;
        const z =
          equipment.class === 'ACLineSegment' ? buses.impedance(equipment, from) : transformerImpedance(equipment);
        const ends = [buses.of(from.connectivityNode), buses.of(to.connectivityNode)] as const;
        if (!inner) {
          branches.push({ from: ends[0], to: ends[1], admittance: inverse(z), terminals: [from.mRID, to.mRID] });
          break;
        }
        const share = Math.min(0.999, Math.max(0.001, inner.distance ?? 0.5));
        const near = inner.terminal === from.mRID ? share : 1 - share;
        const middle = buses.add();
        short(middle);
        branches.push(
          { from: ends[0], to: middle, admittance: inverse(scaled(z, near)), terminals: [from.mRID, undefined] },
          { from: ends[1], to: middle, admittance: inverse(scaled(z, 1 - near)), terminals: [to.mRID, undefined] },
        );
        break;
      }
      case 'ExternalNetworkInjection': {
        const x = BASE / (equipment.maxS ?? 1e6);
        const { mRID, connectivityNode } = equipment.terminals[0]!;
        sources.push({
          bus: buses.of(connectivityNode),
          terminal: mRID,
          admittance: inverse({ re: x * SOURCE_R_TO_X, im: x }),
          voltage: sourceVoltage(equipment) / buses.nominal[buses.of(connectivityNode)]!,
        });
        break;
      }
      case 'GroundDisconnector':
        if (closed(equipment.mRID))
          short(buses.of(equipment.terminals[0]!.connectivityNode), equipment.terminals[0]!.mRID);
        break;
      default:
        if (inner && equipment.terminals.length === 1)
          short(buses.of(equipment.terminals[0]!.connectivityNode), equipment.terminals[0]!.mRID);
    }
  }
  if (shorted.size === 0) return undefined;

  const reached = reachable(buses.count, branches, sources);
  if (![...shorted.keys()].some((bus) => reached[bus])) return undefined;
  const v = solve(buses.count, branches, sources, (bus) => !reached[bus] || shorted.has(bus));

  const flows = new Map<Mrid, FaultFlow>();
  const into = new Map<number, Phasor>();
  const put = (bus: number, terminal: Mrid | undefined, current: Phasor): void => {
    const kV = buses.nominal[bus]!;
    const s = times(v[bus]!, conjugate(current));
    if (terminal !== undefined) {
      const amperes = scaled(current, (BASE * 1000) / (Math.sqrt(3) * kV));
      flows.set(terminal, {
        p: s.re * BASE,
        q: s.im * BASE,
        i: Math.hypot(amperes.re, amperes.im),
        current: amperes,
      });
    }
    // What leaves the bus by this way.
    into.set(bus, minus(into.get(bus) ?? ZERO, current));
  };
  for (const { from, to, admittance, terminals } of branches) {
    const current = times(admittance, minus(v[from]!, v[to]!));
    put(from, terminals[0], current);
    if (terminals[1] !== undefined) put(to, terminals[1], scaled(current, -1));
    else into.set(to, plus(into.get(to) ?? ZERO, current));
  }
  for (const { bus, terminal, admittance, voltage } of sources) {
    put(bus, terminal, times(admittance, minus(v[bus]!, { re: voltage, im: 0 })));
  }
  for (const [bus, terminals] of shorted) for (const terminal of terminals) put(bus, terminal, into.get(bus) ?? ZERO);

  const voltages = new Map<Mrid, number>();
  for (const { mRID } of model.connectivityNodes) {
    const bus = buses.of(mRID);
    if (reached[bus]) voltages.set(mRID, Math.hypot(v[bus]!.re, v[bus]!.im) * buses.nominal[bus]!);
  }
  return { voltages, flows };
}

/** Nodes joined by closed switches. */
class Buses {
  /** kV of each bus. */
  readonly nominal: number[] = [];
  readonly #ofNode = new Map<Mrid, number>();

  constructor(model: GridModel, closed: (mRID: Mrid) => boolean) {
    const kV = new Map(model.voltageLevels.map(({ mRID, nominalVoltage }) => [mRID, nominalVoltage]));
    const beside = new Map<Mrid, Mrid[]>();
    for (const equipment of model.equipment) {
      const [one, two] = equipment.terminals.map(({ connectivityNode }) => connectivityNode);
      if (!('normalOpen' in equipment) || one === undefined || two === undefined || !closed(equipment.mRID)) continue;
      beside.set(one, [...(beside.get(one) ?? []), two]);
      beside.set(two, [...(beside.get(two) ?? []), one]);
    }
    for (const { mRID, voltageLevel } of model.connectivityNodes) {
      if (this.#ofNode.has(mRID)) continue;
      const bus = this.nominal.push(kV.get(voltageLevel ?? '') ?? 1) - 1;
      const waiting = [mRID];
      for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
        if (this.#ofNode.has(node)) continue;
        this.#ofNode.set(node, bus);
        waiting.push(...(beside.get(node) ?? []));
      }
    }
  }

  get count(): number {
    return this.nominal.length;
  }

  of(node: Mrid): number {
    return this.#ofNode.get(node) ?? 0;
  }

  /** One more, for a place within a branch. */
  add(): number {
    return this.nominal.push(1) - 1;
  }

  /** Per unit. */
  impedance({ r, x }: { readonly r: number; readonly x: number }, at: { readonly connectivityNode: Mrid }): Phasor {
    const base = this.nominal[this.of(at.connectivityNode)]! ** 2 / BASE;
    return { re: r / base, im: x / base };
  }
}

function transformerImpedance({ ends }: Extract<ConductingEquipment, { class: 'PowerTransformer' }>): Phasor {
  const parts = ends.map(({ r, x, ratedU }) => scaled({ re: r, im: x }, BASE / ratedU ** 2));
  return parts.reduce(plus, ZERO);
}

function reachable(
  count: number,
  branches: readonly Branch[],
  sources: readonly { readonly bus: number }[],
): readonly boolean[] {
  const reached = new Array<boolean>(count).fill(false);
  const waiting = sources.map(({ bus }) => bus);
  for (let bus = waiting.pop(); bus !== undefined; bus = waiting.pop()) {
    if (reached[bus]) continue;
    reached[bus] = true;
    for (const { from, to } of branches) {
      if (from === bus) waiting.push(to);
      else if (to === bus) waiting.push(from);
    }
  }
  return reached;
}

/** Voltages per unit, with those of `held` at zero: Gaussian elimination with pivots, small as these grids are. */
function solve(
  count: number,
  branches: readonly Branch[],
  sources: readonly { readonly bus: number; readonly admittance: Phasor; readonly voltage: number }[],
  held: (bus: number) => boolean,
): Phasor[] {
  const rows: Phasor[][] = Array.from({ length: count }, () => new Array<Phasor>(count + 1).fill(ZERO));
  const add = (row: number, column: number, value: Phasor): void => {
    rows[row]![column] = plus(rows[row]![column]!, value);
  };
  for (const { from, to, admittance } of branches) {
    add(from, from, admittance);
    add(to, to, admittance);
    add(from, to, scaled(admittance, -1));
    add(to, from, scaled(admittance, -1));
  }
  for (const { bus, admittance, voltage } of sources) {
    add(bus, bus, admittance);
    add(bus, count, scaled(admittance, voltage));
  }
  for (let bus = 0; bus < count; bus++) {
    if (!held(bus)) continue;
    rows[bus]!.fill(ZERO);
    rows[bus]![bus] = { re: 1, im: 0 };
  }
  for (let column = 0; column < count; column++) {
    let pivot = column;
    for (let row = column + 1; row < count; row++)
      if (size(rows[row]![column]!) > size(rows[pivot]![column]!)) pivot = row;
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    const one = inverse(rows[column]![column]!);
    for (let row = 0; row < count; row++) {
      const factor = times(rows[row]![column]!, one);
      if (row === column || size(factor) === 0) continue;
      for (let at = column; at <= count; at++)
        rows[row]![at] = minus(rows[row]![at]!, times(factor, rows[column]![at]!));
    }
  }
  return rows.map((row, bus) => times(row[count]!, inverse(row[bus]!)));
}

const ZERO: Phasor = { re: 0, im: 0 };
const plus = (a: Phasor, b: Phasor): Phasor => ({ re: a.re + b.re, im: a.im + b.im });
const minus = (a: Phasor, b: Phasor): Phasor => ({ re: a.re - b.re, im: a.im - b.im });
const times = (a: Phasor, b: Phasor): Phasor => ({ re: a.re * b.re - a.im * b.im, im: a.re * b.im + a.im * b.re });
const scaled = (a: Phasor, by: number): Phasor => ({ re: a.re * by, im: a.im * by });
const conjugate = ({ re, im }: Phasor): Phasor => ({ re, im: -im });
const size = ({ re, im }: Phasor): number => re * re + im * im;
const inverse = (a: Phasor): Phasor => scaled(conjugate(a), 1 / size(a));
