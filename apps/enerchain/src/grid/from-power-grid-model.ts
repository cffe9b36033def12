/**
 * An input of power-grid-model as tables of the power-flow kernel, with that library's own meaning of its components
 * (user manual, "Components"), in pu of 1 MVA and the rated voltages of the nodes. Beside the nodes there are buses of our
 * own under the ids of components, which no node has: the stiff voltage behind a source, the middle of a three-winding
 * transformer, the open end of a branch.
 */
import type { PgmComponent, PgmInput } from '@enerchain/cim';
import {
  type BranchSetting,
  BUS_TYPE,
  branchTable,
  busTable,
  type CaseBranch,
  type CaseGrid,
  type Machine,
  responseTable,
  type StepControl,
} from '@enerchain/grid-state';
import { EnerchainError } from '@enerchain/model';
import {
  branch3Settings,
  genericSetting,
  LINK,
  lineSetting,
  type Setting,
  sourceImpedance,
  transformerSetting,
} from './pgm/branches.ts';
import { flag, num, numOr, sum } from './pgm/values.ts';

/** VA of 1 pu. */
const BASE = 1e6;

export interface PgmOptions {
  /** Hz. Default: 50. */
  readonly frequency?: number;
}

/** @throws EnerchainError `case.unsupported` for components that have no balanced power flow here, `case.voltage`, `case.impedance` */
export function caseOfPowerGridModel(name: string, input: PgmInput, options: PgmOptions = {}): CaseGrid {
  return new Builder(name, input, options.frequency ?? 50).build();
}

interface Bus {
  readonly id: number;
  type: number;
  p: number;
  q: number;
  vm: number;
  va: number;
  gs: number;
  bs: number;
}
interface Row {
  readonly from: number;
  readonly to: number;
  readonly setting: Setting;
}

class Builder {
  readonly #name: string;
  readonly #input: PgmInput;
  readonly #frequency: number;
  readonly #buses: Bus[] = [];
  /** V, of each node's bus. */
  readonly #rated: number[] = [];
  readonly #bus = new Map<number, number>();
  readonly #rows: Row[] = [];
  readonly #branches: CaseBranch[] = [];
  readonly #internal = new Set<number>();
  readonly #responses: { bus: number; p: number; q: number; exponent: number }[] = [];
  readonly #machines: Machine[] = [];
  readonly #steps: StepControl[] = [];
  readonly #notes: string[] = [];
  /** Row of a transformer that is connected at both ends. */
  readonly #rowOf = new Map<number, number>();
  readonly #load: { p: number[]; q: number[] } = { p: [], q: [] };

  constructor(name: string, input: PgmInput, frequency: number) {
    this.#name = name;
    this.#input = input;
    this.#frequency = frequency;
  }

  build(): CaseGrid {
    const unbalanced = ['asym_line'].filter((type) => this.#of(type).length > 0);
    if (unbalanced.length > 0) {
      const say = `components of type ${unbalanced.join(', ')} have no balanced power flow`;
      throw new EnerchainError('unsupported', 'case.unsupported', say);
    }
    for (const node of this.#of('node')) {
      const rated = num(node, 'u_rated');
      if (!(rated > 0)) throw new EnerchainError('peer', 'case.voltage', `node ${node.id} is rated at ${rated} V`);
      this.#bus.set(node.id, this.#addBus(node.id, rated));
    }
    this.#lines();
    this.#transformers();
    for (const source of this.#of('source')) this.#source(source);
    for (const shunt of this.#of('shunt')) this.#shunt(shunt);
    this.#loadsAndGenerators();
    this.#regulators();
    this.#startAngles();
    return this.#grid();
  }

  #of(type: string): readonly PgmComponent[] {
    return this.#input.components.get(type) ?? [];
  }

  #addBus(id: number, rated: number): number {
    this.#rated.push(rated);
    this.#load.p.push(0);
    this.#load.q.push(0);
    return this.#buses.push({ id, type: BUS_TYPE.pq, p: 0, q: 0, vm: 1, va: 0, gs: 0, bs: 0 }) - 1;
  }

  #ownBus(id: number, rated: number): number {
    this.#internal.add(id);
    return this.#addBus(id, rated);
  }

  #node(component: PgmComponent, attribute: string): number {
    return this.#bus.get(num(component, attribute))!;
  }

  /** @returns the row; -1 when it is open at both ends */
  #branch(component: PgmComponent, setting: Setting, rating: number): number {
    const [from, to] = [this.#node(component, 'from_node'), this.#node(component, 'to_node')];
    const [fromOn, toOn] = [flag(component, 'from_status'), flag(component, 'to_status')];
    const ends = { id: component.id, from: this.#buses[from]!.id, to: this.#buses[to]!.id, rating };
    if (!fromOn && !toOn) {
      this.#branches.push({ ...ends, row: -1 });
      return -1;
    }
    const row = this.#row(
      fromOn ? from : this.#ownBus(component.id, this.#rated[from]!),
      toOn ? to : this.#ownBus(component.id, this.#rated[to]!),
      setting,
      component,
    );
    this.#branches.push({ ...ends, row });
    return row;
  }

  #row(from: number, to: number, setting: Setting, component: PgmComponent): number {
    const { r, x, ratio } = setting;
    if (!Number.isFinite(r + x + ratio) || !(ratio > 0) || (r === 0 && x === 0 && setting !== LINK)) {
      const say = `${this.#input.typeOf.get(component.id)} ${component.id} has no usable impedance or ratio`;
      throw new EnerchainError('peer', 'case.impedance', say);
    }
    return this.#rows.push({ from, to, setting }) - 1;
  }

  #lines(): void {
    for (const line of this.#of('line')) {
      const rated = this.#rated[this.#node(line, 'from_node')]!;
      const current = numOr(line, 'i_n', 0);
      this.#branch(line, lineSetting(line, rated, this.#frequency), (Math.sqrt(3) * current * rated) / BASE);
    }
    for (const link of this.#of('link')) this.#branch(link, LINK, 0);
    for (const branch of this.#of('generic_branch')) {
      const rated = this.#rated[this.#node(branch, 'to_node')]!;
      this.#branch(branch, genericSetting(branch, rated), numOr(branch, 'sn', 0) / BASE);
    }
  }

  #transformers(): void {
    for (const transformer of this.#of('transformer')) {
      const rated = ['from_node', 'to_node'].map((end) => this.#rated[this.#node(transformer, end)]!) as [
        number,
        number,
      ];
      const row = this.#branch(transformer, transformerSetting(transformer, rated), num(transformer, 'sn') / BASE);
      if (flag(transformer, 'from_status') && flag(transformer, 'to_status')) this.#rowOf.set(transformer.id, row);
    }
    for (const transformer of this.#of('three_winding_transformer')) {
      const nodes = [1, 2, 3].map((side) => this.#node(transformer, `node_${side}`));
      const rated = nodes.map((node) => this.#rated[node]!) as [number, number, number];
      const on = [1, 2, 3].map((side) => flag(transformer, `status_${side}`));
      const middle = on.includes(true) ? this.#ownBus(transformer.id, rated[0]) : -1;
      branch3Settings(transformer, rated).forEach((setting, side) => {
        const [node, rating] = [nodes[side]!, num(transformer, `sn_${side + 1}`) / BASE];
        const ends = { id: transformer.id, from: this.#buses[node]!.id, to: transformer.id, rating };
        this.#branches.push({ ...ends, row: on[side] ? this.#row(node, middle, setting, transformer) : -1 });
      });
      // Without its first side the magnetising admittance of that side still hangs at the middle.
      if (!on[0] && middle >= 0) {
        const { gFrom, bFrom, gTo, bTo, r, x } = branch3Settings(transformer, rated)[0]!;
        const open = seriesTo({ r, x }, { g: gFrom, b: bFrom });
        this.#buses[middle]!.gs += gTo + open.g;
        this.#buses[middle]!.bs += bTo + open.b;
      }
    }
  }

  #source(source: PgmComponent): void {
    if (!flag(source, 'status')) return;
    const node = this.#node(source, 'node');
    const reference = numOr(source, 'u_ref', Number.NaN);
    if (!(reference > 0)) {
      throw new EnerchainError('peer', 'case.voltage', `source ${source.id} is to hold ${reference} pu`);
    }
    const behind = this.#ownBus(source.id, this.#rated[node]!);
    const bus = this.#buses[behind]!;
    bus.type = BUS_TYPE.slack;
    bus.vm = reference;
    bus.va = numOr(source, 'u_ref_angle', 0);
    this.#row(behind, node, sourceImpedance(source), source);
  }

  #shunt(shunt: PgmComponent): void {
    if (!flag(shunt, 'status')) return;
    const node = this.#node(shunt, 'node');
    const square = this.#rated[node]! ** 2 / BASE;
    const bus = this.#buses[node]!;
    bus.gs += num(shunt, 'g1') * square;
    bus.bs += num(shunt, 'b1') * square;
  }

  #loadsAndGenerators(): void {
    for (const [type, sign] of [
      ['sym_load', -1],
      ['asym_load', -1],
      ['sym_gen', 1],
      ['asym_gen', 1],
    ] as const) {
      for (const component of this.#of(type)) {
        if (!flag(component, 'status')) continue;
        const bus = this.#node(component, 'node');
        const p = (sign * sum(component, 'p_specified')) / BASE;
        const q = (sign * sum(component, 'q_specified')) / BASE;
        // 0: constant power, 1: constant impedance, 2: constant current.
        const exponent = [0, 2, 1][num(component, 'type')];
        if (exponent === undefined) {
          throw new EnerchainError('unsupported', 'case.unsupported', `${type} ${component.id} is of no known type`);
        }
        if (exponent === 0) {
          this.#buses[bus]!.p += p;
          this.#buses[bus]!.q += q;
        } else this.#responses.push({ bus, p, q, exponent });
        if (sign < 0) {
          this.#load.p[bus]! -= p;
          this.#load.q[bus]! -= q;
        }
      }
    }
  }

  #regulators(): void {
    for (const regulator of this.#of('voltage_regulator')) {
      if (!flag(regulator, 'status')) continue;
      const id = num(regulator, 'regulated_object');
      const component = this.#of(this.#input.typeOf.get(id)!).find((each) => each.id === id)!;
      if (!flag(component, 'status')) continue;
      const type = this.#input.typeOf.get(id)!;
      if (num(component, 'type') !== 0) {
        const say = `voltage_regulator ${regulator.id}: ${type} ${id} is not of constant power`;
        throw new EnerchainError('unsupported', 'case.unsupported', say);
      }
      const bus = this.#node(component, 'node');
      const sign = type.endsWith('load') ? -1 : 1;
      const limits = [numOr(regulator, 'q_min', Number.NaN), numOr(regulator, 'q_max', Number.NaN)]
        .map((value) => (sign * value) / BASE)
        .sort((a, b) => a - b);
      this.#machines.push({
        bus,
        p: (sign * sum(component, 'p_specified')) / BASE,
        q: (sign * sum(component, 'q_specified')) / BASE,
        qMin: Number.isNaN(limits[0]!) ? Number.NEGATIVE_INFINITY : limits[0]!,
        qMax: Number.isNaN(limits[1]!) ? Number.POSITIVE_INFINITY : limits[1]!,
        holds: bus,
        target: num(regulator, 'u_ref'),
        weight: 1,
        participation: 0,
        pMin: Number.NEGATIVE_INFINITY,
        pMax: Number.POSITIVE_INFINITY,
      });
    }
    for (const regulator of this.#of('transformer_tap_regulator')) {
      if (flag(regulator, 'status')) this.#tapRegulator(regulator);
    }
  }

  #tapRegulator(regulator: PgmComponent): void {
    const id = num(regulator, 'regulated_object');
    const row = this.#rowOf.get(id);
    if (row === undefined) {
      this.#notes.push(
        `transformer_tap_regulator ${regulator.id} moves nothing: its transformer ${id} is of three windings or open`,
      );
      return;
    }
    if (
      numOr(regulator, 'line_drop_compensation_r', 0) !== 0 ||
      numOr(regulator, 'line_drop_compensation_x', 0) !== 0
    ) {
      this.#notes.push(
        `transformer_tap_regulator ${regulator.id} looks at its own terminal: line drops are not compensated`,
      );
    }
    const transformer = this.#of('transformer').find((each) => each.id === id)!;
    const ends = [this.#node(transformer, 'from_node'), this.#node(transformer, 'to_node')] as const;
    const rated = [this.#rated[ends[0]]!, this.#rated[ends[1]]!] as [number, number];
    const [low, high] = [num(transformer, 'tap_min'), num(transformer, 'tap_max')].sort((a, b) => a - b) as [
      number,
      number,
    ];
    const now = numOr(transformer, 'tap_pos', numOr(transformer, 'tap_nom', 0));
    const settings: BranchSetting[] = [];
    for (let tap = low; tap <= high; tap++) settings.push(transformerSetting({ ...transformer, tap_pos: tap }, rated));
    const bus = ends[numOr(regulator, 'control_side', 1) === 0 ? 0 : 1];
    this.#steps.push({
      actuator: { kind: 'branch', row, settings },
      position: Math.min(Math.max(now, low), high) - low,
      quantity: 'voltage',
      bus,
      target: num(regulator, 'u_set') / this.#rated[bus]!,
      deadband: numOr(regulator, 'u_band', 0) / this.#rated[bus]!,
    });
  }

  /** Angles to start from: as the sources and the clocks of the transformers have it. Flat, 150° would be far off. */
  #startAngles(): void {
    const at: number[][] = this.#buses.map(() => []);
    this.#rows.forEach(({ from, to }, row) => {
      at[from]!.push(row);
      at[to]!.push(row);
    });
    const reached = this.#buses.map(({ type }) => type === BUS_TYPE.slack);
    const queue = [...reached.keys()].filter((bus) => reached[bus]);
    for (const bus of queue) {
      for (const row of at[bus]!) {
        const { from, to, setting } = this.#rows[row]!;
        const other = from === bus ? to : from;
        if (reached[other]) continue;
        reached[other] = true;
        this.#buses[other]!.va = this.#buses[bus]!.va + (from === bus ? -setting.shift : setting.shift);
        queue.push(other);
      }
    }
  }

  #grid(): CaseGrid {
    const buses = busTable(this.#buses.length);
    this.#buses.forEach((bus, index) => {
      for (const column of ['type', 'p', 'q', 'vm', 'va', 'gs', 'bs'] as const) buses[column][index] = bus[column];
    });
    const branches = branchTable(this.#rows.length);
    this.#rows.forEach(({ from, to, setting }, row) => {
      branches.from[row] = from;
      branches.to[row] = to;
      for (const [column, value] of Object.entries(setting) as [keyof Setting, number][]) branches[column][row] = value;
    });
    const responses = responseTable(this.#responses.length);
    this.#responses.forEach(({ bus, p, q, exponent }, row) => {
      responses.bus[row] = bus;
      responses.p[row] = p;
      responses.q[row] = q;
      responses.pExponent[row] = exponent;
      responses.qExponent[row] = exponent;
    });
    const unlimited = (value: number): Float64Array => new Float64Array(this.#buses.length).fill(value);
    return {
      name: this.#name,
      baseMVA: BASE / 1e6,
      ids: this.#buses.map(({ id }) => id),
      internal: this.#internal,
      case: { buses, branches, ...(this.#responses.length > 0 ? { responses } : {}) },
      qMin: unlimited(Number.NEGATIVE_INFINITY),
      qMax: unlimited(Number.POSITIVE_INFINITY),
      branches: this.#branches,
      machines: this.#machines,
      steps: this.#steps,
      load: { p: Float64Array.from(this.#load.p), q: Float64Array.from(this.#load.q) },
      notes: this.#notes,
    };
  }
}

/** An admittance behind an impedance. */
function seriesTo(z: { r: number; x: number }, y: { g: number; b: number }): { g: number; b: number } {
  const square = y.g ** 2 + y.b ** 2;
  if (square === 0) return { g: 0, b: 0 };
  const [r, x] = [z.r + y.g / square, z.x - y.b / square];
  const whole = r * r + x * x;
  return { g: r / whole, b: -x / whole };
}
