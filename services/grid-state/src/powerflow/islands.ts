/**
 * A grid of tables as islands: which buses hang together, and the case of each island for its solver. Buses joined without
 * impedance are one bus there. What depends on the topology alone is worked out once, values are filled in for every solution.
 */
import { BUS_TYPE, type BusTable, busTable, type ResponseTable, selectRows } from './case.ts';
import type { StepControl } from './control/steps.ts';
import type { ControlledCase } from './island-solver.ts';
import { UnionFind } from './union-find.ts';
import { joinBuses } from './zero-impedance.ts';

export interface GridIsland {
  /** Buses of the grid, ascending. */
  readonly members: Int32Array;
  /** Branches of the grid, by row of the case; those out of service and without impedance are in no case. */
  readonly rows: Int32Array;
  /** Buses of the case. */
  readonly size: number;
}

export interface GridIslands {
  /** In the order of their first bus. */
  readonly islands: readonly GridIsland[];
  /** Bus of the grid → island, and bus of its case. */
  readonly island: Int32Array;
  readonly place: Int32Array;
  /** Branch of the grid → row of its island's case, or -1. */
  readonly row: Int32Array;
  /** Branches without impedance that join buses. */
  readonly joining: Int32Array;
}

export function gridIslands({ buses, branches, outOfService }: ControlledCase): GridIslands {
  const busCount = buses.type.length;
  const joined = joinBuses(busCount, branches, outOfService);
  const live = joined.kept.filter((row) => outOfService?.[row] !== 1);
  const sets = new UnionFind(busCount);
  for (const list of [live, joined.joining]) {
    for (const row of list) sets.union(branches.from[row]!, branches.to[row]!);
  }
  const { of: island, count } = sets.number();
  const sizes = new Int32Array(count);
  const placeOfJoined = new Int32Array(joined.count).fill(-1);
  const place = joined.of.map((own, bus) => {
    if (placeOfJoined[own] === -1) {
      placeOfJoined[own] = sizes[island[bus]!]!;
      sizes[island[bus]!] = placeOfJoined[own]! + 1;
    }
    return placeOfJoined[own]!;
  });
  const members = grouped(island, count);
  const rows = grouped(
    live.map((row) => island[branches.from[row]!]!),
    count,
  );
  const row = new Int32Array(branches.from.length).fill(-1);
  return {
    islands: members.map((own, index) => ({
      members: own,
      rows: rows[index]!.map((k, at) => {
        row[live[k]!] = at;
        return live[k]!;
      }),
      size: sizes[index]!,
    })),
    island,
    place,
    row,
    joining: joined.joining,
  };
}

/** The case of one island, and where its machines and step controls stand in those of the grid. */
export interface IslandCase {
  readonly case: ControlledCase;
  readonly machines: Int32Array;
  readonly steps: Int32Array;
}

/** Copies: what is written to one side is not seen on the other. */
export const islandCases = (grid: ControlledCase, all: GridIslands): IslandCase[] =>
  casesOf(grid, all, new Uint8Array(all.islands.length).fill(1)) as IslandCase[];

/** Likewise, of islands in which a bus holds the angle; nothing for the others, of which a grid of open switches has many. */
export function heldIslandCases(grid: ControlledCase, all: GridIslands): (IslandCase | undefined)[] {
  const held = new Uint8Array(all.islands.length);
  grid.buses.type.forEach((type, bus) => {
    if (type === BUS_TYPE.slack) held[all.island[bus]!] = 1;
  });
  return casesOf(grid, all, held);
}

function casesOf(
  grid: ControlledCase,
  { islands, island, place, row, joining }: GridIslands,
  wanted: Uint8Array,
): (IslandCase | undefined)[] {
  const { branches, responses, machines = [], steps = [] } = grid;
  const count = islands.length;
  const buses = joinedBuses(grid, islands, wanted, island, place);
  // The shunts of a branch without impedance stand at its buses.
  for (const k of joining) {
    const [f, t] = [branches.from[k]!, branches.to[k]!];
    const own = buses[island[f]!];
    if (!own) continue;
    const { gs, bs } = own;
    gs[place[f]!] = gs[place[f]!]! + branches.gFrom[k]! + branches.gTo[k]!;
    bs[place[t]!] = bs[place[t]!]! + branches.bFrom[k]! + branches.bTo[k]!;
  }
  const machinesOf = grouped(
    Int32Array.from(machines, (machine) => island[machine.bus]!),
    count,
  );
  const busOf = ({ actuator }: StepControl): number =>
    actuator.kind === 'branch' ? branches.from[actuator.row]! : actuator.bus;
  const stepsOf = grouped(
    Int32Array.from(steps, (step) => island[busOf(step)]!),
    count,
  );
  const responsesOf = responses
    ? grouped(
        responses.bus.map((bus) => island[bus]!),
        count,
      )
    : [];
  return islands.map(({ rows }, index) => {
    const own = buses[index];
    if (!own) return undefined;
    const table = selectRows(branches, rows);
    for (let k = 0; k < rows.length; k++) {
      table.from[k] = place[table.from[k]!]!;
      table.to[k] = place[table.to[k]!]!;
    }
    return {
      case: {
        buses: own,
        branches: table,
        ...(responses ? { responses: placedResponses(responses, responsesOf[index]!, place) } : {}),
        machines: Array.from(machinesOf[index]!, (m) => {
          const machine = machines[m]!;
          const here = machine.holds >= 0 && island[machine.holds] === index;
          return { ...machine, bus: place[machine.bus]!, holds: here ? place[machine.holds]! : -1 };
        }),
        steps: Array.from(stepsOf[index]!, (s) => placedStep(steps[s]!, place, row)),
      },
      machines: machinesOf[index]!,
      steps: stepsOf[index]!,
    };
  });
}

/** Positions by the group that stands at them. */
function grouped(groups: Int32Array, count: number): Int32Array[] {
  const sizes = new Int32Array(count);
  for (const group of groups) sizes[group] = sizes[group]! + 1;
  const lists = Array.from(sizes, (size) => new Int32Array(size));
  const next = new Int32Array(count);
  groups.forEach((group, index) => {
    lists[group]![next[group]!] = index;
    next[group] = next[group]! + 1;
  });
  return lists;
}

/** Of buses that are joined the powers add up, and the one that holds the angle or a voltage decides. */
function joinedBuses(
  { buses }: ControlledCase,
  islands: readonly GridIsland[],
  wanted: Uint8Array,
  island: Int32Array,
  place: Int32Array,
): (BusTable | undefined)[] {
  const tables = islands.map(({ size }, index) => (wanted[index] === 1 ? busTable(size) : undefined));
  const taken = islands.map(({ size }, index) => new Uint8Array(wanted[index] === 1 ? size : 0));
  for (let bus = 0; bus < place.length; bus++) {
    const table = tables[island[bus]!];
    if (!table) continue;
    const at = place[bus]!;
    table.p[at] = table.p[at]! + buses.p[bus]!;
    table.q[at] = table.q[at]! + buses.q[bus]!;
    table.gs[at] = table.gs[at]! + buses.gs[bus]!;
    table.bs[at] = table.bs[at]! + buses.bs[bus]!;
    if (taken[island[bus]!]![at] === 1 && buses.type[bus]! <= table.type[at]!) continue;
    taken[island[bus]!]![at] = 1;
    table.type[at] = buses.type[bus]!;
    table.vm[at] = buses.vm[bus]!;
    table.va[at] = buses.va[bus]!;
  }
  return tables;
}

function placedResponses(responses: ResponseTable, rows: Int32Array, place: Int32Array): ResponseTable {
  const table = selectRows(responses, rows);
  for (let k = 0; k < rows.length; k++) table.bus[k] = place[table.bus[k]!]!;
  return table;
}

function placedStep(step: StepControl, place: Int32Array, row: Int32Array): StepControl {
  const { actuator, bus, branch } = step;
  return {
    ...step,
    actuator:
      actuator.kind === 'branch'
        ? { ...actuator, row: row[actuator.row]! }
        : { ...actuator, bus: place[actuator.bus]! },
    ...(bus === undefined ? {} : { bus: place[bus]! }),
    ...(branch === undefined ? {} : { branch: row[branch]! }),
  };
}
