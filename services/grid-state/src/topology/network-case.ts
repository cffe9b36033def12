/**
 * The kernel's tables of a whole network in one state: what is drawn, brought in and held, in per unit. Buses are those of
 * the topology, branches those of `CompiledGrid.branches`.
 */
import {
  type Mrid,
  type RegulatingControl,
  type ShuntCompensator,
  shuntAdmittance,
  type TapChanger,
  tapChangersOf,
} from '@enerchain/model';
import { BUS_TYPE, branchTable, busTable, type ResponseTable, responseTable } from '../powerflow/case.ts';
import type { Machine } from '../powerflow/control/machine.ts';
import type { BranchSetting, StepControl } from '../powerflow/control/steps.ts';
import type { ControlledCase } from '../powerflow/island-solver.ts';
import { BASE_MVA, branchSetting, type StepOf } from './branch-parameters.ts';
import type { OneNode, Single } from './compiled-grid.ts';
import { type ResponseTerm, responseTerms } from './load-response.ts';
import type { Network } from './network.ts';
import { isStiff, referenceRank } from './sources.ts';

/** MW and Mvar in CIM's load sign convention: positive flows from the node into the equipment. */
export interface Power {
  readonly p: number;
  readonly q: number;
}

/** What is drawn, fed in and held. Equipment that is not named stands as the model says. */
export interface Injections {
  /** Consumer, machine, converter … mRID → power. What is measured answers no more to voltage. */
  readonly powers?: ReadonlyMap<Mrid, Power>;
  /** External network injection mRID → voltage held, kV. */
  readonly voltages?: ReadonlyMap<Mrid, number>;
}

export interface NetworkCase {
  readonly case: ControlledCase;
  /** Equipment of each machine of the case. */
  readonly machines: readonly OneNode<Single>[];
  /** What each step control of the case moves; `low` is the step, or the number of sections, of its first setting. */
  readonly steps: readonly { readonly mRID: Mrid; readonly equipment: Mrid; readonly low: number }[];
  /** What was understood otherwise than one might think, a sentence each. */
  readonly notes: readonly string[];
}

/** A tap changer or shunt with more is none. */
const MAX_POSITIONS = 2_000;

/** Modes of control that are calculated. */
const QUANTITIES = { voltage: 'voltage', activePower: 'activePower', reactivePower: 'reactivePower' } as const;

/** @param withSteps whether tap changers and shunts that hold something come with all their settings */
export function networkCase(network: Network, injections: Injections = {}, withSteps = false): NetworkCase {
  return new Builder(network, injections).build(withSteps);
}

class Builder {
  readonly #network: Network;
  readonly #injections: Injections;
  readonly #buses;
  readonly #branches;
  readonly #responses: (ResponseTerm & { readonly bus: number })[] = [];
  readonly #machines: Machine[] = [];
  readonly #equipment: OneNode<Single>[] = [];
  readonly #notes: string[] = [];
  /** Positions that are known by the mRID of the transformer. */
  readonly #firstTaps: ReadonlyMap<TapChanger, number>;

  constructor(network: Network, injections: Injections) {
    this.#network = network;
    this.#injections = injections;
    this.#buses = busTable(network.topology.busCount);
    this.#branches = branchTable(network.topology.grid.branches.length);
    this.#firstTaps = firstTaps(network);
  }

  build(withSteps: boolean): NetworkCase {
    const { grid, busOfNode } = this.#network.topology;
    const table = this.#branches;
    const [r21, x21] = [new Float64Array(table.from.length).fill(Number.NaN), new Float64Array(table.from.length)];
    let asymmetric = false;
    grid.branches.forEach((branch, row) => {
      table.from[row] = busOfNode[branch.from]!;
      table.to[row] = busOfNode[branch.to]!;
      const setting = branchSetting(grid, branch, this.#stepOf);
      for (const column of ['r', 'x', 'gFrom', 'bFrom', 'gTo', 'bTo', 'ratio', 'shift'] as const) {
        table[column][row] = setting[column];
      }
      if (!('r21' in setting)) return;
      asymmetric = true;
      r21[row] = setting.r21;
      x21[row] = setting.x21;
    });
    const references = this.#references();
    for (const single of grid.singles) this.#add(single, references.has(single.equipment.mRID));
    const steps = withSteps ? this.#steps() : [];
    return {
      case: {
        buses: this.#buses,
        branches: asymmetric ? { ...table, r21, x21 } : table,
        responses: this.#responseTable(),
        machines: this.#machines,
        steps: steps.map(({ control }) => control),
      },
      machines: this.#equipment,
      steps,
      notes: this.#notes,
    };
  }

  readonly #stepOf: StepOf = (changer) => this.#network.state.taps?.get(changer.mRID) ?? this.#firstTaps.get(changer);

  /** Who holds the angle, in every island that has a source. */
  #references(): Set<Mrid> {
    const { grid, busOfNode, islandOfBus } = this.#network.topology;
    const references = new Set<Mrid>();
    const best = new Map<number, { mRID: Mrid; rank: number }>();
    const stiff = new Set<number>();
    for (const { equipment, node } of grid.singles) {
      const island = islandOfBus[busOfNode[node]!]!;
      if (isStiff(equipment)) {
        references.add(equipment.mRID);
        stiff.add(island);
      }
      const rank = referenceRank(equipment);
      if (rank > (best.get(island)?.rank ?? 0)) best.set(island, { mRID: equipment.mRID, rank });
    }
    for (const [island, { mRID }] of best) if (!stiff.has(island)) references.add(mRID);
    return references;
  }

  #add(single: OneNode<Single>, reference: boolean): void {
    const { equipment, node } = single;
    const bus = this.#network.topology.busOfNode[node]!;
    const known = this.#injections.powers?.get(equipment.mRID);
    switch (equipment.class) {
      case 'EnergyConsumer':
        if (known || !equipment.loadResponse) this.#draw(bus, known ?? equipment);
        else this.#responses.push(...responseTerms(equipment).map((term) => ({ bus, ...term })));
        return;
      case 'AsynchronousMachine':
        this.#draw(bus, known ?? equipment);
        return;
      case 'LinearShuntCompensator':
      case 'NonlinearShuntCompensator':
        this.#shunt(bus, node, shuntAdmittance(equipment));
        return;
      case 'EquivalentShunt':
        this.#shunt(bus, node, equipment);
        return;
      case 'StaticVarCompensator':
        this.#machine(single, known ?? { p: 0, q: equipment.q }, reference);
        return;
      case 'PowerElectronicsConnection':
        this.#machine(single, known ?? { p: equipment.p ?? 0, q: equipment.q ?? 0 }, reference);
        return;
      case 'ExternalNetworkInjection':
        this.#machine(single, known ?? { p: equipment.p ?? 0, q: equipment.q ?? 0 }, reference);
        return;
      default:
        this.#machine(single, known ?? equipment, reference);
    }
  }

  #draw(bus: number, { p, q }: Power): void {
    this.#buses.p[bus] = this.#buses.p[bus]! - p / BASE_MVA;
    this.#buses.q[bus] = this.#buses.q[bus]! - q / BASE_MVA;
  }

  #shunt(bus: number, node: number, { g, b }: { g: number; b: number }): void {
    const base = this.#network.topology.grid.baseVoltage[node]! ** 2 / BASE_MVA;
    this.#buses.gs[bus] = this.#buses.gs[bus]! + g * base;
    this.#buses.bs[bus] = this.#buses.bs[bus]! + b * base;
  }

  #responseTable(): ResponseTable {
    const table = responseTable(this.#responses.length);
    this.#responses.forEach((row, k) => {
      table.bus[k] = row.bus;
      table.p[k] = -row.p / BASE_MVA;
      table.q[k] = -row.q / BASE_MVA;
      table.pExponent[k] = row.pExponent;
      table.qExponent[k] = row.qExponent;
    });
    return table;
  }

  /** Something that may hold a voltage, or the angle. @param drawn what it takes, MW and Mvar */
  #machine(single: OneNode<Single>, drawn: Power, reference: boolean): void {
    const { equipment, node } = single;
    const { busOfNode, grid } = this.#network.topology;
    const bus = busOfNode[node]!;
    this.#draw(bus, drawn);
    const held = this.#held(equipment, node) ?? (reference ? this.#ownVoltage(equipment, node) : undefined);
    const base = grid.baseVoltage[node]! ** 2 / BASE_MVA;
    const p = -drawn.p / BASE_MVA;
    const range = equipment as { readonly minP?: number; readonly maxP?: number };
    this.#equipment.push(single);
    this.#machines.push({
      bus,
      p,
      q: -drawn.q / BASE_MVA,
      ...reactiveRange(equipment, base),
      holds: held?.bus ?? -1,
      target: held?.target ?? 1,
      ...slopeOf(equipment, grid.baseVoltage[node]!),
      weight: weightOf(equipment),
      reference,
      participation: 'normalPF' in equipment ? (equipment.normalPF ?? 0) : 0,
      pMin: Math.min(p, (range.minP ?? Number.NEGATIVE_INFINITY) / BASE_MVA),
      pMax: Math.max(p, (range.maxP ?? Number.POSITIVE_INFINITY) / BASE_MVA),
    });
    if (reference) {
      const voltage = held?.bus === bus ? held.target : this.#ownVoltage(equipment, node).target;
      this.#buses.type[bus] = BUS_TYPE.slack;
      this.#buses.vm[bus] = voltage;
    } else if (held && this.#buses.type[held.bus] === BUS_TYPE.pq) {
      this.#buses.type[held.bus] = BUS_TYPE.pv;
      this.#buses.vm[held.bus] = held.target;
    }
  }

  /** The bus whose voltage it holds, and how high, pu; nothing where it gives reactive power. */
  #held(equipment: Single, node: number): { bus: number; target: number } | undefined {
    const { grid, busOfNode } = this.#network.topology;
    const own = (kV: number) => ({ bus: busOfNode[node]!, target: kV / grid.baseVoltage[node]! });
    if (isStiff(equipment)) return this.#ownVoltage(equipment, node);
    if (equipment.class === 'EquivalentInjection') {
      return equipment.regulationStatus && equipment.regulationTarget ? own(equipment.regulationTarget) : undefined;
    }
    if (equipment.class === 'VsConverter') return equipment.targetUpcc ? own(equipment.targetUpcc) : undefined;
    const control = this.#controlOf(equipment);
    if (!control) return undefined;
    if (control.mode !== 'voltage') {
      this.#notes.push(
        `${equipment.class} '${equipment.name}' is to hold its ${control.mode}: it gives the power it is given`,
      );
      return undefined;
    }
    const at = grid.nodeOfTerminal.get(control.terminal);
    if (at === undefined || !(control.targetValue > 0)) {
      this.#notes.push(`'${control.name}' holds ${control.targetValue} kV at no known place: it does not act`);
      return undefined;
    }
    return { bus: busOfNode[at]!, target: control.targetValue / grid.baseVoltage[at]! };
  }

  /** What a reference holds at its own terminal. */
  #ownVoltage(equipment: Single, node: number): { bus: number; target: number } {
    const { grid, busOfNode } = this.#network.topology;
    const kV =
      equipment.class === 'ExternalNetworkInjection'
        ? (this.#injections.voltages?.get(equipment.mRID) ?? equipment.voltage)
        : grid.baseVoltage[node]!;
    return { bus: busOfNode[node]!, target: kV / grid.baseVoltage[node]! };
  }

  #controlOf(regulating: { readonly regulatingControl?: Mrid; readonly controlEnabled?: boolean } | object) {
    if (!('regulatingControl' in regulating) || !('controlEnabled' in regulating)) return undefined;
    const { regulatingControl, controlEnabled } = regulating as { regulatingControl?: Mrid; controlEnabled?: boolean };
    const control = controlEnabled ? this.#network.topology.grid.controls.get(regulatingControl ?? '') : undefined;
    return control?.enabled ? control : undefined;
  }

  #steps(): { mRID: Mrid; equipment: Mrid; low: number; control: StepControl }[] {
    const { grid, busOfNode } = this.#network.topology;
    const found: { mRID: Mrid; equipment: Mrid; low: number; control: StepControl }[] = [];
    grid.branches.forEach((branch, row) => {
      const { equipment, winding } = branch;
      if (equipment.class !== 'PowerTransformer') return;
      for (const changer of tapChangersOf(equipment)) {
        if (changer.ltcFlag === false || (winding !== undefined && changer.end !== winding)) continue;
        const who = `tap changer of '${equipment.name}'`;
        const now = this.#stepOf(changer) ?? changer.step ?? changer.normalStep;
        const held = this.#quantity(this.#controlOf(changer), who);
        if (!held || !this.#movable(who, changer.lowStep, changer.highStep, now)) continue;
        const steps = Array.from({ length: changer.highStep - changer.lowStep + 1 }, (_, k) => changer.lowStep + k);
        const settings = steps.map(
          (step): BranchSetting =>
            branchSetting(grid, branch, (other) => (other === changer ? step : this.#stepOf(other))),
        );
        const position = Math.min(settings.length - 1, Math.max(0, Math.round(now) - changer.lowStep));
        for (const column of ['r', 'x', 'gFrom', 'bFrom', 'gTo', 'bTo', 'ratio', 'shift'] as const) {
          this.#branches[column][row] = settings[position]![column];
        }
        found.push({
          mRID: changer.mRID,
          equipment: equipment.mRID,
          low: changer.lowStep,
          control: { actuator: { kind: 'branch', row, settings }, position, ...held },
        });
      }
    });
    for (const { equipment, node } of grid.singles) {
      if (equipment.class !== 'LinearShuntCompensator' && equipment.class !== 'NonlinearShuntCompensator') continue;
      const who = `shunt '${equipment.name}'`;
      const now = equipment.sections ?? equipment.normalSections;
      const held = this.#quantity(this.#controlOf(equipment), who);
      if (!held || !this.#movable(who, 0, equipment.maximumSections, now)) continue;
      const bus = busOfNode[node]!;
      const base = grid.baseVoltage[node]! ** 2 / BASE_MVA;
      const settings = Array.from({ length: equipment.maximumSections + 1 }, (_, sections) => {
        const { g, b } = shuntAdmittance(equipment, sections);
        return { gs: g * base, bs: b * base };
      });
      const position = Math.min(settings.length - 1, Math.max(0, Math.round(now)));
      // Broken sections are rounded before they are switched.
      this.#shunt(bus, node, difference(equipment, position, now));
      found.push({
        mRID: equipment.mRID,
        equipment: equipment.mRID,
        low: 0,
        control: { actuator: { kind: 'shunt', bus, settings }, position, ...held },
      });
    }
    return found;
  }

  /** Whether there are positions to move between. */
  #movable(who: string, low: number, high: number, now: number): boolean {
    if (Number.isInteger(high - low) && low <= high && high - low < MAX_POSITIONS && Number.isFinite(now)) return true;
    this.#notes.push(`the ${who} stands at ${now} between ${low} and ${high}, which are no positions: it stays`);
    return false;
  }

  /** What a control in steps holds, pu. */
  #quantity(
    control: RegulatingControl | undefined,
    who: string,
  ): Omit<StepControl, 'actuator' | 'position'> | undefined {
    if (!control) return undefined;
    const { grid, busOfNode } = this.#network.topology;
    const quantity = QUANTITIES[control.mode as keyof typeof QUANTITIES];
    const at = grid.nodeOfTerminal.get(control.terminal);
    if (!quantity || at === undefined) {
      this.#notes.push(
        `the ${who} is to hold ${control.mode} at ${quantity ? 'no known place' : 'its place'}: it stays`,
      );
      return undefined;
    }
    const deadband = control.discrete ? (control.targetDeadband ?? 0) : 0;
    if (quantity === 'voltage') {
      const kV = grid.baseVoltage[at]!;
      return { quantity, bus: busOfNode[at]!, target: control.targetValue / kV, deadband: deadband / kV };
    }
    const branch = grid.branches.findIndex(
      ({ fromTerminal, toTerminal }) => fromTerminal === control.terminal || toTerminal === control.terminal,
    );
    if (branch < 0) {
      this.#notes.push(`the ${who} is to hold the flow into something that is no line or transformer: it stays`);
      return undefined;
    }
    const end = grid.branches[branch]!.fromTerminal === control.terminal ? 'from' : 'to';
    return { quantity, branch, end, target: control.targetValue / BASE_MVA, deadband: deadband / BASE_MVA };
  }
}

function firstTaps({ topology, state: { taps } }: Network): Map<TapChanger, number> {
  const found = new Map<TapChanger, number>();
  if (!taps || taps.size === 0) return found;
  for (const { equipment } of topology.grid.branches) {
    if (equipment.class !== 'PowerTransformer') continue;
    const [first] = tapChangersOf(equipment);
    const step = taps.get(equipment.mRID);
    if (first && step !== undefined) found.set(first, step);
  }
  return found;
}

function difference(shunt: ShuntCompensator, to: number, from: number): { g: number; b: number } {
  const [after, before] = [shuntAdmittance(shunt, to), shuntAdmittance(shunt, from)];
  return { g: after.g - before.g, b: after.b - before.b };
}

function reactiveRange(
  equipment: Single,
  base: number,
): Pick<Machine, 'qMin' | 'qMax'> & Partial<Pick<Machine, 'curve' | 'susceptance'>> {
  if (equipment.class === 'StaticVarCompensator') {
    const { capacitiveRating, inductiveRating } = equipment;
    return {
      susceptance: true,
      qMin: inductiveRating ? base / inductiveRating : Number.NEGATIVE_INFINITY,
      qMax: capacitiveRating ? base / capacitiveRating : Number.POSITIVE_INFINITY,
    };
  }
  const { minQ, maxQ } = equipment as { minQ?: number; maxQ?: number };
  const range = {
    qMin: minQ === undefined ? Number.NEGATIVE_INFINITY : minQ / BASE_MVA,
    qMax: maxQ === undefined ? Number.POSITIVE_INFINITY : maxQ / BASE_MVA,
  };
  if (equipment.class !== 'SynchronousMachine' || !equipment.reactiveCapabilityCurve) return range;
  const curve = equipment.reactiveCapabilityCurve.map((point) => ({
    p: point.p / BASE_MVA,
    qMin: point.minQ / BASE_MVA,
    qMax: point.maxQ / BASE_MVA,
  }));
  return { ...range, curve };
}

const slopeOf = (equipment: Single, kV: number): { slope?: number } =>
  equipment.class === 'StaticVarCompensator' && equipment.slope ? { slope: (equipment.slope * BASE_MVA) / kV } : {};

/** Share of the reactive power of several: as the file says, else by what each can bring in. */
function weightOf(equipment: Single): number {
  if (equipment.class === 'SynchronousMachine' && equipment.qPercent) return equipment.qPercent;
  const { minQ, maxQ } = equipment as { minQ?: number; maxQ?: number };
  return minQ !== undefined && maxQ !== undefined && maxQ > minQ ? maxQ - minQ : 1;
}
