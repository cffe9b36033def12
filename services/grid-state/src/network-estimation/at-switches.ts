/**
 * Powers and currents measured at a switch, as bay units have them: what flows through it flows into whatever hangs alone
 * behind it, a line or a consumer, and is taken as measured there.
 */
import type { Mrid } from '@enerchain/model';
import type { CompiledGrid } from '../topology/compiled-grid.ts';
import type { Topology } from '../topology/topology.ts';
import type { MeasurementEstimate, NetworkEstimate, TerminalMeasurement } from './network-estimate.ts';

/** The terminal into which the same power flows, or, with -1, out of which it does. */
interface Behind {
  readonly terminal: Mrid;
  readonly sign: 1 | -1;
}

const singlesAt = new WeakMap<CompiledGrid, ReadonlyMap<number, readonly Mrid[]>>();

export class SwitchMeasurements {
  /** In the order given; those at switches at what is behind them, where something is alone there. */
  readonly measurements: readonly TerminalMeasurement[];
  readonly #given: readonly TerminalMeasurement[];
  readonly #moved = new Map<number, Behind>();
  readonly #equipment = new Map<Mrid, Mrid>();

  constructor(topology: Topology, given: readonly TerminalMeasurement[]) {
    const switchAt = switchTerminals(topology.grid);
    this.#given = given;
    this.measurements = given.map((measurement, k) => {
      const at = switchAt.get(measurement.terminal);
      if (!at || measurement.kind === 'voltage' || measurement.kind === 'angle') return measurement;
      const behind = whatIsBehind(topology, at.row, at.end);
      if (!behind) return measurement;
      this.#moved.set(k, behind);
      this.#equipment.set(measurement.terminal, topology.grid.switches[at.row]!.equipment.mRID);
      const { terminal, sign } = behind;
      const value = measurement.kind === 'current' ? measurement.value : sign * measurement.value;
      return { ...measurement, terminal, value };
    });
  }

  /** The estimate as whoever measured sees it: at the switch, in the direction of the switch. */
  back(estimate: NetworkEstimate): NetworkEstimate {
    if (this.#moved.size === 0) return estimate;
    const against = new Set<Mrid>();
    for (const [k, { sign }] of this.#moved) {
      const { kind, point } = this.#given[k]!;
      if (sign < 0 && kind !== 'current') against.add(point);
    }
    return {
      ...estimate,
      measurements: estimate.measurements.map((each, k) => (this.#moved.has(k) ? this.#back(each, k) : each)),
      badData: estimate.badData.map((each) =>
        against.has(each.points[0] ?? '') ? { ...each, error: -each.error } : each,
      ),
    };
  }

  #back(found: MeasurementEstimate, k: number): MeasurementEstimate {
    const { terminal, value, kind } = this.#given[k]!;
    const sign = kind === 'current' ? 1 : this.#moved.get(k)!.sign;
    const turned = (number: number | null): number | null => (number === null ? null : sign * number);
    return {
      ...found,
      terminal,
      value,
      equipment: this.#equipment.get(terminal),
      estimated: turned(found.estimated),
      residual: turned(found.residual),
      normalizedResidual: turned(found.normalizedResidual),
    };
  }
}

const terminalsOf = new WeakMap<CompiledGrid, ReadonlyMap<Mrid, { readonly row: number; readonly end: 0 | 1 }>>();

function switchTerminals(grid: CompiledGrid): ReadonlyMap<Mrid, { readonly row: number; readonly end: 0 | 1 }> {
  let known = terminalsOf.get(grid);
  if (!known) {
    known = new Map(
      grid.switches.flatMap(({ equipment: { terminals } }, row) =>
        terminals.map(({ mRID }, end) => [mRID, { row, end: end as 0 | 1 }] as const),
      ),
    );
    terminalsOf.set(grid, known);
  }
  return known;
}

/** Through the switch, and where it branches there, the other way: what comes in at this end comes from there. */
function whatIsBehind(topology: Topology, row: number, end: 0 | 1): Behind | undefined {
  if (topology.closed[row] !== 1) return undefined;
  const { from, to } = topology.grid.switches[row]!;
  const [near, far] = end === 0 ? [from, to] : [to, from];
  const through = alone(topology, far, row);
  if (through !== undefined) return { terminal: through, sign: 1 };
  const before = alone(topology, near, row);
  return before === undefined ? undefined : { terminal: before, sign: -1 };
}

/** The terminal that all that comes to a node flows into; undefined where it may go several ways. @param by the switch it comes by */
function alone({ grid, closed }: Topology, start: number, by: number): Mrid | undefined {
  const singles = singlesOf(grid);
  let [node, came] = [start, by];
  for (let steps = 0; steps <= grid.switches.length; steps++) {
    const own = singles.get(node) ?? [];
    const branches = grid.branchesAt.list.subarray(grid.branchesAt.start[node]!, grid.branchesAt.start[node + 1]!);
    const switches = grid.switchesAt.list
      .subarray(grid.switchesAt.start[node]!, grid.switchesAt.start[node + 1]!)
      .filter((row) => row !== came && closed[row] === 1);
    if (own.length + branches.length + switches.length !== 1) return undefined;
    if (own.length === 1) return own[0];
    if (branches.length === 1) {
      const { from, fromTerminal, toTerminal } = grid.branches[branches[0]!]!;
      return from === node ? fromTerminal : toTerminal;
    }
    came = switches[0]!;
    const { from, to } = grid.switches[came]!;
    node = from === node ? to : from;
  }
  return undefined;
}

function singlesOf(grid: CompiledGrid): ReadonlyMap<number, readonly Mrid[]> {
  let known = singlesAt.get(grid);
  if (!known) {
    const found = new Map<number, Mrid[]>();
    for (const { equipment, node } of grid.singles) {
      found.set(node, [...(found.get(node) ?? []), equipment.terminals[0]!.mRID]);
    }
    known = found;
    singlesAt.set(grid, known);
  }
  return known;
}
