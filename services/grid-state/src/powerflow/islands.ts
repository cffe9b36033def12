/**
 * A grid of tables as islands: which buses hang together, and the case of each island for its solver. Buses joined without
 * impedance are one bus there. What depends on the topology alone is worked out once, values are filled in for every solution.
 */
import { type BranchTable, BUS_TYPE, type BusTable, busTable, type ResponseTable, selectRows } from './case.ts';
import type { Machine } from './control/machine.ts';
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
  new IslandCases(all).of(grid, new Uint8Array(all.islands.length).fill(1)) as IslandCase[];

/** The cases of islands again and again, as values change. Keeps its tables: they are overwritten by the next call. */
export class IslandCases {
  readonly #all: GridIslands;
  readonly #tables: (
    | { readonly buses: BusTable; readonly branches: BranchTable; readonly taken: Uint8Array }
    | undefined
  )[];
  #machines: Placed<Machine> | undefined;
  #steps: Placed<StepControl> | undefined;

  constructor(all: GridIslands) {
    this.#all = all;
    this.#tables = new Array(all.islands.length).fill(undefined);
  }

  /** Of islands in which a bus holds the angle; nothing for the others, of which a grid of open switches has many. */
  held(grid: ControlledCase): (IslandCase | undefined)[] {
    const { type } = grid.buses;
    const held = new Uint8Array(this.#all.islands.length);
    for (let bus = 0; bus < type.length; bus++) if (type[bus] === BUS_TYPE.slack) held[this.#all.island[bus]!] = 1;
    return this.of(grid, held);
  }

  /** @param wanted per island: 1 */
  of(grid: ControlledCase, wanted: Uint8Array): (IslandCase | undefined)[] {
    const { islands, island, place } = this.#all;
    const { branches, responses, machines = NONE, steps = NONE } = grid;
    this.#fill(grid, wanted);
    if (this.#machines?.given !== machines) this.#machines = this.#placedMachines(machines);
    if (this.#steps?.given !== steps) this.#steps = this.#placedSteps(steps, branches);
    const [placedMachines, placedSteps] = [this.#machines, this.#steps];
    const responsesOf = responses
      ? grouped(
          responses.bus.map((bus) => island[bus]!),
          islands.length,
        )
      : [];
    return islands.map((_, index) => {
      if (wanted[index] !== 1) return undefined;
      const { buses, branches: table } = this.#tables[index]!;
      return {
        case: {
          buses,
          branches: table,
          ...(responses ? { responses: placedResponses(responses, responsesOf[index]!, place) } : {}),
          machines: placedMachines.placed[index]!,
          steps: placedSteps.placed[index]!,
        },
        machines: placedMachines.of[index]!,
        steps: placedSteps.of[index]!,
      };
    });
  }

  #placedMachines(machines: readonly Machine[]): Placed<Machine> {
    const { islands, island, place } = this.#all;
    const of = grouped(
      Int32Array.from(machines, (machine) => island[machine.bus]!),
      islands.length,
    );
    const placed = of.map((own, index) =>
      Array.from(own, (m) => {
        const machine = machines[m]!;
        const here = machine.holds >= 0 && island[machine.holds] === index;
        return { ...machine, bus: place[machine.bus]!, holds: here ? place[machine.holds]! : -1 };
      }),
    );
    return { given: machines, of, placed };
  }

  #placedSteps(steps: readonly StepControl[], branches: BranchTable): Placed<StepControl> {
    const { islands, island, place, row } = this.#all;
    const busOf = ({ actuator }: StepControl): number =>
      actuator.kind === 'branch' ? branches.from[actuator.row]! : actuator.bus;
    const of = grouped(
      Int32Array.from(steps, (step) => island[busOf(step)]!),
      islands.length,
    );
    return { given: steps, of, placed: of.map((own) => Array.from(own, (s) => placedStep(steps[s]!, place, row))) };
  }

  /** Of buses that are joined the powers add up, and the one that holds the angle or a voltage decides. */
  #fill({ buses, branches }: ControlledCase, wanted: Uint8Array): void {
    const { islands, island, place, joining } = this.#all;
    for (let index = 0; index < islands.length; index++) {
      if (wanted[index] !== 1) continue;
      const { rows, size } = islands[index]!;
      const kept = this.#tables[index];
      const own = selectRows(branches, rows, kept?.branches);
      for (let k = 0; k < rows.length; k++) {
        own.from[k] = place[own.from[k]!]!;
        own.to[k] = place[own.to[k]!]!;
      }
      const table = kept?.buses ?? busTable(size);
      const taken = kept?.taken ?? new Uint8Array(size);
      for (const column of [table.p, table.q, table.gs, table.bs, taken]) column.fill(0);
      this.#tables[index] = { buses: table, branches: own, taken };
    }
    for (let bus = 0; bus < place.length; bus++) {
      const index = island[bus]!;
      if (wanted[index] !== 1) continue;
      const { buses: table, taken } = this.#tables[index]!;
      const at = place[bus]!;
      table.p[at] = table.p[at]! + buses.p[bus]!;
      table.q[at] = table.q[at]! + buses.q[bus]!;
      table.gs[at] = table.gs[at]! + buses.gs[bus]!;
      table.bs[at] = table.bs[at]! + buses.bs[bus]!;
      if (taken[at] === 1 && buses.type[bus]! <= table.type[at]!) continue;
      taken[at] = 1;
      table.type[at] = buses.type[bus]!;
      table.vm[at] = buses.vm[bus]!;
      table.va[at] = buses.va[bus]!;
    }
    // The shunts of a branch without impedance stand at its buses.
    for (const k of joining) {
      const [f, t] = [branches.from[k]!, branches.to[k]!];
      const index = island[f]!;
      if (wanted[index] !== 1) continue;
      const { gs, bs } = this.#tables[index]!.buses;
      gs[place[f]!] = gs[place[f]!]! + branches.gFrom[k]! + branches.gTo[k]!;
      bs[place[t]!] = bs[place[t]!]! + branches.bFrom[k]! + branches.bTo[k]!;
    }
  }
}

/** Machines or step controls by island, in the numbers of its case; of the list that was given last. */
interface Placed<T> {
  readonly given: readonly T[];
  /** Per island: where they stand in the list. */
  readonly of: readonly Int32Array[];
  readonly placed: readonly (readonly T[])[];
}

const NONE: readonly never[] = [];

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
