/** What single outages do to a network, in kV, A and MW: equipment is lost, and busbars with what hangs at them. */
import { EnerchainError, type Mrid } from '@enerchain/model';
import { type GridOutage, gridContingencies } from './contingency/grid-contingencies.ts';
import type { Violation } from './contingency/limit-check.ts';
import {
  type LostInjection,
  noLimits,
  type OperatingLimits,
  OUTAGE_KINDS,
  type OutageKind,
} from './contingency/outage.ts';
import { type BrokenLimit, type ContingencyReport, type OutageReport, reportsOf } from './contingency/report.ts';
import type { RunOptions } from './contingency/run.ts';
import { type PowerFlowResult, startFrom } from './power-flow.ts';
import { voltagePower } from './powerflow/case.ts';
import { type GridSolution, GridSolver } from './powerflow/grid-solver.ts';
import { currentLimit, voltageBands } from './results/limits.ts';
import { BASE_MVA } from './topology/branch-parameters.ts';
import { busbarZone } from './topology/busbar-zone.ts';
import { responseTerms } from './topology/load-response.ts';
import type { Network } from './topology/network.ts';
import { type Injections, type NetworkCase, networkCase } from './topology/network-case.ts';

export interface NetworkContingencyOptions extends RunOptions {
  /** Voltages to start from. */
  readonly start?: PowerFlowResult;
  /** Equipment lost together, by mRID or name: lines, transformers, machines, busbars … */
  readonly groups?: readonly { readonly name: string; readonly equipment: readonly string[] }[];
  /** What is lost by itself. Default: all. */
  readonly kinds?: readonly OutageKind[];
  readonly reactiveLimits?: boolean;
  /** Share of the nominal voltage where the model has no limits (EN 50160: 0.9 to 1.1). */
  readonly band?: { readonly low: number; readonly high: number };
}

export interface LostEquipment {
  /** mRID; of a group its name. */
  readonly equipment: string;
  readonly name: string;
  /** Class in the model, or 'group'. */
  readonly class: string;
}

export type NetworkOutageReport = OutageReport<LostEquipment>;

/**
 * Limits in A and kV, with the mRID of the line or transformer, of the busbar, or where there is none of the node.
 * Lines and transformers count as one, whatever they are made of.
 */
export interface NetworkContingencies extends ContingencyReport<LostEquipment> {
  /** Energised islands that had no solution: nothing is said about them. */
  readonly unsolved: number;
  readonly notes: readonly string[];
}

interface Listed {
  readonly lost: LostEquipment;
  readonly outage: GridOutage;
}

const kindOf = (of: string): OutageKind => (of === 'BusbarSection' ? 'bus' : BRANCHES.has(of) ? 'branch' : 'generator');
const BRANCHES = new Set(['ACLineSegment', 'PowerTransformer', 'SeriesCompensator', 'EquivalentBranch']);

const EN_50160 = { low: 0.9, high: 1.1 };

/**
 * An energised island without a solution is counted and left out.
 * @throws EnerchainError `contingencies.group` (caller); never for a state of the grid
 */
export async function networkContingencies(
  network: Network,
  injections: Injections = {},
  options: NetworkContingencyOptions = {},
): Promise<NetworkContingencies> {
  const { start, groups = [], kinds = OUTAGE_KINDS, band = EN_50160, reactiveLimits = true, ...rest } = options;
  const tables = networkCase(network, injections);
  if (start) startFrom(network, tables, start);
  const solver = new GridSolver(tables.case);
  const solution = solver.solve(tables.case, { reactiveLimits });
  const list = new OutageList(network, injections, tables, solution);
  const listed = [...list.everySingle(kinds), ...groups.map(({ name, equipment }) => list.group(name, equipment))];
  const limits = limitsOf(network, band);
  const summary = await gridContingencies(
    { grid: tables.case, islands: solver.islands, solution },
    limits,
    listed.map(({ outage }) => outage),
    { ...rest, reactiveLimits, load: loadsOf(network, injections, solution) },
  );
  const left = new Set(summary.left.filter(({ reason }) => reason === 'noImpedance').map(({ outage }) => outage));
  return {
    outages: listed.length - summary.left.length,
    ...reportsOf(summary, {
      baseMVA: BASE_MVA,
      outage: (index) => listed[index]!.lost,
      failure: ({ message, bus }) => `${placeOf(network, bus).name}: ${message}`,
      limit: (violation) => brokenLimit(network, violation),
    }),
    loadings: loadingsOf(network, summary.loadings, listed),
    unsolved: solution.islands.filter((island) => island && !island.converged).length,
    notes: [
      ...tables.notes,
      ...(left.size > 0
        ? [`${left.size} outages of lines without impedance, which join buses, were not calculated`]
        : []),
    ],
  };
}

/** What may be lost, as outages of the tables. */
class OutageList {
  readonly #network: Network;
  readonly #injections: Injections;
  readonly #tables: NetworkCase;
  readonly #solution: GridSolution;
  /** Rows of each branch equipment. */
  readonly #rows: ReadonlyMap<Mrid, number[]>;
  readonly #busbars: ReadonlyMap<number, Mrid>;

  constructor(network: Network, injections: Injections, tables: NetworkCase, solution: GridSolution) {
    this.#network = network;
    this.#injections = injections;
    this.#tables = tables;
    this.#solution = solution;
    const { grid } = network.topology;
    const rows = new Map<Mrid, number[]>();
    grid.branches.forEach(({ equipment }, row) => {
      rows.set(equipment.mRID, [...(rows.get(equipment.mRID) ?? []), row]);
    });
    this.#rows = rows;
    this.#busbars = new Map(
      grid.model.equipment.flatMap((equipment) =>
        equipment.class === 'BusbarSection'
          ? [[grid.nodeOfTerminal.get(equipment.terminals[0]!.mRID)!, equipment.mRID] as const]
          : [],
      ),
    );
  }

  /** Lines, transformers and the like, machines and infeeds, busbars: what has voltage. */
  everySingle(kinds: readonly OutageKind[]): Listed[] {
    const { equipment } = this.#network.topology.grid.model;
    return equipment.flatMap(({ mRID, name, class: kind }) => {
      const outage = this.#of(mRID);
      if (outage && !kinds.includes(kindOf(kind))) return [];
      return outage ? [{ lost: { equipment: mRID, name, class: kind }, outage }] : [];
    });
  }

  /** @throws EnerchainError `contingencies.group` (caller) when the model has no such equipment */
  group(name: string, members: readonly string[]): Listed {
    const { model } = this.#network.topology.grid;
    const parts = members.flatMap((member) => {
      const found =
        model.equipment.find((each) => each.mRID === member) ?? model.equipment.find((each) => each.name === member);
      if (!found) {
        const say = `group '${name}': ${model.name} has no equipment ${member}; no outage was calculated`;
        throw new EnerchainError('caller', 'contingencies.group', say);
      }
      return this.#of(found.mRID) ?? [];
    });
    return {
      lost: { equipment: name, name, class: 'group' },
      outage: {
        branches: [...new Set(parts.flatMap(({ branches = [] }) => branches))],
        buses: [...new Set(parts.flatMap(({ buses = [] }) => buses))],
        injections: parts.flatMap(({ injections = [] }) => injections),
        machines: [...new Set(parts.flatMap(({ machines = [] }) => machines))],
      },
    };
  }

  #of(mRID: Mrid): GridOutage | undefined {
    const { topology } = this.#network;
    const { grid, busOfNode } = topology;
    const live = (bus: number): boolean => !Number.isNaN(this.#solution.vm[bus]!);
    const rows = this.#rows.get(mRID);
    if (rows) return live(busOfNode[grid.branches[rows[0]!]!.from]!) ? { branches: rows } : undefined;
    const machine = this.#tables.machines.findIndex(({ equipment }) => equipment.mRID === mRID);
    if (machine >= 0) {
      return live(this.#tables.case.machines![machine]!.bus) ? { machines: [machine] } : undefined;
    }
    const node = this.#nodeOfBusbar(mRID);
    if (node === undefined || !live(busOfNode[node]!)) return undefined;
    const zone = busbarZone(topology, node, (other) => other !== node && this.#busbars.has(other));
    return zone ? this.#lostNodes(zone) : { buses: [busOfNode[node]!] };
  }

  #nodeOfBusbar(mRID: Mrid): number | undefined {
    for (const [node, busbar] of this.#busbars) if (busbar === mRID) return node;
    return undefined;
  }

  /** Everything that ends at nodes which are lost. What is lost at one end of a line is lost with the line. */
  #lostNodes(nodes: Int32Array): GridOutage {
    const { topology } = this.#network;
    const { grid, busOfNode } = topology;
    const among = new Set(nodes);
    const branches = new Set<number>();
    grid.branches.forEach(({ from, to }, row) => {
      if (among.has(from) || among.has(to)) branches.add(row);
    });
    const injections: LostInjection[] = [];
    const machines: number[] = [];
    for (const { equipment, node } of grid.singles) {
      if (!among.has(node)) continue;
      const machine = this.#tables.machines.findIndex((other) => other.equipment === equipment);
      if (machine >= 0) machines.push(machine);
      else {
        const drawn = drawnBy(equipment, this.#injections, this.#solution.vm[busOfNode[node]!]!);
        if (drawn) injections.push({ bus: busOfNode[node]!, p: -drawn.p / BASE_MVA, q: -drawn.q / BASE_MVA });
      }
    }
    return { branches: [...branches], injections, machines };
  }
}

/** MW and Mvar that a consumer or motor draws; nothing for what is neither. @param vm pu */
function drawnBy(
  equipment: Network['topology']['grid']['singles'][number]['equipment'],
  injections: Injections,
  vm: number,
): { p: number; q: number } | undefined {
  if (equipment.class !== 'EnergyConsumer' && equipment.class !== 'AsynchronousMachine') return undefined;
  const known = injections.powers?.get(equipment.mRID);
  if (known) return known;
  if (equipment.class === 'AsynchronousMachine') return equipment;
  let [p, q] = [0, 0];
  for (const term of responseTerms(equipment)) {
    p += term.p * voltagePower(vm, term.pExponent);
    q += term.q * voltagePower(vm, term.qExponent);
  }
  return { p, q };
}

function loadsOf({ topology }: Network, injections: Injections, { vm }: GridSolution) {
  const [p, q] = [new Float64Array(topology.busCount), new Float64Array(topology.busCount)];
  for (const { equipment, node } of topology.grid.singles) {
    const bus = topology.busOfNode[node]!;
    const drawn = drawnBy(equipment, injections, vm[bus]!);
    if (!drawn) continue;
    p[bus] = p[bus]! + drawn.p / BASE_MVA;
    q[bus] = q[bus]! + drawn.q / BASE_MVA;
  }
  return { p, q };
}

/** A per pu of current at a bus. */
const amperes = ({ grid }: Network['topology'], node: number): number =>
  (BASE_MVA * 1000) / (Math.sqrt(3) * grid.baseVoltage[node]!);

function limitsOf({ topology }: Network, band: { low: number; high: number }): OperatingLimits {
  const { grid, busOfNode, busCount } = topology;
  const { model } = grid;
  const limits = noLimits(busCount, grid.branches.length);
  limits.ofCurrent.fill(1);
  grid.branches.forEach((branch, row) => {
    const { equipment, from, to, winding } = branch;
    const of = (node: number, end: number): number =>
      currentLimit(model, equipment, end, grid.baseVoltage[node]!) / amperes(topology, node);
    limits.from[row] = of(from, winding ?? 0);
    // The star point of three windings is nobody's end.
    if (winding === undefined) limits.to[row] = of(to, 1);
  });
  limits.vMin.fill(band.low);
  limits.vMax.fill(band.high);
  for (let bus = 0; bus < busCount; bus++) {
    if (topology.firstNode[bus]! < grid.nodes.length) continue;
    limits.vMin[bus] = 0;
    limits.vMax[bus] = Number.POSITIVE_INFINITY;
  }
  const told = new Map<number, { low: number; high: number }>();
  for (const [terminal, { low = 0, high = Number.POSITIVE_INFINITY }] of voltageBands(model)) {
    const node = grid.nodeOfTerminal.get(terminal);
    if (node === undefined) continue;
    const bus = busOfNode[node]!;
    const other = told.get(bus) ?? { low: 0, high: Number.POSITIVE_INFINITY };
    const kV = grid.baseVoltage[node]!;
    told.set(bus, { low: Math.max(other.low, low / kV), high: Math.min(other.high, high / kV) });
  }
  for (const [bus, { low, high }] of told) {
    limits.vMin[bus] = low;
    limits.vMax[bus] = high;
  }
  return limits;
}

function brokenLimit(network: Network, { kind, index, value, limit, before }: Violation): BrokenLimit {
  const { topology } = network;
  const { grid } = topology;
  const loading = (100 * value) / limit;
  if (kind !== 'overload') {
    const kV = grid.baseVoltage[topology.firstNode[index]!]!;
    return { ...placeOf(network, index), kind, value: value * kV, limit: limit * kV, loading, before: before * kV };
  }
  const { equipment, from, to, winding } = grid.branches[index]!;
  // Which end it was is told by the limit.
  const atTo =
    winding === undefined &&
    Math.abs(currentLimit(grid.model, equipment, 1, grid.baseVoltage[to]!) / amperes(topology, to) - limit) < 1e-12;
  const unit = amperes(topology, atTo ? to : from);
  const { mRID, name } = equipment;
  return { equipment: mRID, name, kind, value: value * unit, limit: limit * unit, loading, before: before * unit };
}

/** A busbar at the bus, or else its first node. */
function placeOf({ topology }: Network, bus: number): { equipment: Mrid; name: string } {
  const { grid, busOfNode, firstNode } = topology;
  for (const equipment of grid.model.equipment) {
    if (equipment.class !== 'BusbarSection') continue;
    if (busOfNode[grid.nodeOfTerminal.get(equipment.terminals[0]!.mRID)!] === bus) {
      return { equipment: equipment.mRID, name: equipment.name };
    }
  }
  const node = firstNode[bus]!;
  const { mRID, name } =
    node < grid.nodes.length ? grid.model.connectivityNodes[node]! : grid.innerNodes[node - grid.nodes.length]!;
  return { equipment: mRID, name };
}

function loadingsOf(
  { topology }: Network,
  { before, worst, worstOutage }: { before: Float64Array; worst: Float64Array; worstOutage: Int32Array },
  listed: readonly Listed[],
): NetworkContingencies['loadings'] {
  const byEquipment = new Map<Mrid, NetworkContingencies['loadings'][number]>();
  topology.grid.branches.forEach(({ equipment: { mRID, name } }, row) => {
    if (before[row]! + worst[row]! === 0) return;
    const other = byEquipment.get(mRID);
    const known = { before: Math.max(100 * before[row]!, other?.before ?? 0) };
    if (other && other.worst >= 100 * worst[row]!) byEquipment.set(mRID, { ...other, ...known });
    else {
      const outage = listed[worstOutage[row]!]?.lost ?? null;
      byEquipment.set(mRID, { equipment: mRID, name, ...known, worst: 100 * worst[row]!, outage });
    }
  });
  return [...byEquipment.values()].sort((a, b) => b.worst - a.worst);
}
