/** The power flow of a grid read from a case file: island by island, answered in the numbers of the file. */
import {
  type BranchTable,
  BUS_TYPE,
  type BusTable,
  branchAdmittances,
  branchTable,
  busTable,
} from '../powerflow/case.ts';
import { type NewtonFailure, type NewtonOptions, type NewtonSolution, NewtonSolver } from '../powerflow/newton.ts';
import { UnionFind } from '../topology/union-find.ts';
import type { CaseGrid } from './matpower.ts';

export interface CaseOptions extends NewtonOptions {
  /**
   * Generators that would have to bring in more or less reactive power than they can are held at their limit and no
   * longer hold the voltage; never those of the reference. Once held, held (as MATPOWER's `enforce_q_lims` 1). Default: false.
   */
  readonly reactiveLimits?: boolean;
}

/** Powers in pu of `baseMVA` into the grid, angles in degrees. All null in an island without solution or reference. */
export interface CaseBusResult {
  /** Its number in the file. */
  readonly id: number;
  readonly vm: number | null;
  readonly va: number | null;
  readonly p: number | null;
  readonly q: number | null;
}

/** Powers in pu from the bus into the branch: 0 when out of service or without voltage, null without solution. */
export interface CaseBranchResult {
  readonly from: number;
  readonly to: number;
  readonly inService: boolean;
  readonly pFrom: number | null;
  readonly qFrom: number | null;
  readonly pTo: number | null;
  readonly qTo: number | null;
  /** % of its rating, of the end that carries more; null without a rating or solution. */
  readonly loading: number | null;
}

export interface CaseIslandResult {
  readonly buses: number;
  /** Numbers of the buses that hold the angle; none: there is no voltage here, and nothing to solve. */
  readonly references: readonly number[];
  readonly converged: boolean;
  readonly iterations: number;
  /** pu. */
  readonly maxMismatch: number;
  /** Voltages that led here: those in the file or, when these led nowhere, set-points and 1 pu. */
  readonly start: 'file' | 'flat';
  readonly failure?: { readonly kind: NewtonFailure['kind']; readonly bus: number; readonly message: string };
  /** Where it does not add up, worst first, pu. Empty when converged. */
  readonly largestMismatches: readonly { readonly bus: number; readonly p: number; readonly q: number }[];
  /** Buses whose generators are at a reactive limit. */
  readonly atLimit: readonly number[];
}

export interface CaseResult {
  /** Every island with a reference is solved, and there is one. */
  readonly converged: boolean;
  /** The most that any island needed. */
  readonly iterations: number;
  /** The largest of all islands, pu; NaN where an island could not even be begun. */
  readonly maxMismatch: number;
  /** MVA. */
  readonly baseMVA: number;
  /** The largest first. */
  readonly islands: readonly CaseIslandResult[];
  /** In the order of the file, like `branches`. */
  readonly buses: readonly CaseBusResult[];
  readonly branches: readonly CaseBranchResult[];
  readonly notes: readonly string[];
}

interface Island {
  /** Buses of the grid. */
  readonly members: Int32Array;
  readonly references: readonly number[];
  readonly buses: BusTable;
  readonly branches: BranchTable;
  /** None without a reference. */
  readonly solver?: NewtonSolver;
}

const DEGREES = 180 / Math.PI;
const MAX_LIMIT_ROUNDS = 50;

/** Solves one grid as often as asked; order of elimination and workspaces are kept. */
export class CaseSolver {
  readonly grid: CaseGrid;
  readonly #islands: readonly Island[];
  readonly #notes: string[];

  constructor(grid: CaseGrid) {
    this.grid = grid;
    this.#notes = [...grid.notes];
    this.#islands = this.#split().sort((a, b) => b.members.length - a.members.length);
  }

  /** Never throws for a state of the grid. */
  solve(options: CaseOptions = {}): CaseResult {
    const { grid } = this;
    const count = grid.ids.length;
    const [vm, va, p, q] = [0, 1, 2, 3].map(() => new Float64Array(count).fill(Number.NaN)) as Four;
    const dead = new Uint8Array(count);
    const islands = this.#islands.map((island) => {
      const { members, solver } = island;
      if (!solver) {
        for (const bus of members) dead[bus] = 1;
        return withoutReference(members.length);
      }
      const { solution, start, atLimit } = this.#solveIsland(island, solver, options);
      const id = (bus: number): number => grid.ids[members[bus]!]!;
      if (solution.converged) {
        members.forEach((bus, i) => {
          vm[bus] = solution.vm[i]!;
          va[bus] = solution.va[i]!;
          p[bus] = solution.p[i]!;
          q[bus] = solution.q[i]!;
        });
      }
      const { failure } = solution;
      return {
        buses: members.length,
        references: island.references,
        converged: solution.converged,
        iterations: solution.iterations,
        maxMismatch: solution.maxMismatch,
        start,
        ...(failure ? { failure: { ...failure, bus: id(failure.bus) } } : {}),
        largestMismatches: solution.worst
          .filter((row) => row.p !== 0 || row.q !== 0)
          .map((row) => ({ ...row, bus: id(row.bus) })),
        atLimit: atLimit.map(id),
      };
    });
    const supplied = islands.filter(({ references }) => references.length > 0);
    return {
      converged: supplied.length > 0 && supplied.every(({ converged }) => converged),
      iterations: supplied.reduce((most, { iterations }) => Math.max(most, iterations), 0),
      maxMismatch: supplied.reduce((most, { maxMismatch }) => Math.max(most, maxMismatch), 0),
      baseMVA: grid.baseMVA,
      islands,
      buses: grid.ids.map((id, i) => ({
        id,
        vm: orNull(vm[i]!),
        va: orNull(va[i]! * DEGREES),
        p: orNull(p[i]!),
        q: orNull(q[i]!),
      })),
      branches: this.#flows(vm, va, dead),
      notes: this.#notes,
    };
  }

  #split(): Island[] {
    const { ids, case: all } = this.grid;
    const { from, to } = all.branches;
    const sets = new UnionFind(ids.length);
    for (let k = 0; k < from.length; k++) sets.union(from[k]!, to[k]!);
    const { of, count } = sets.number();
    const members: number[][] = Array.from({ length: count }, () => []);
    const rows: number[][] = Array.from({ length: count }, () => []);
    const place = new Int32Array(ids.length);
    for (let i = 0; i < ids.length; i++) place[i] = members[of[i]!]!.push(i) - 1;
    for (let k = 0; k < from.length; k++) rows[of[from[k]!]!]!.push(k);
    return members.map((own, island) => {
      const buses = busTable(own.length);
      own.forEach((bus, i) => {
        for (const column of Object.keys(buses) as (keyof BusTable)[]) buses[column][i] = all.buses[column][bus]!;
      });
      const branches = branchTable(rows[island]!.length);
      rows[island]!.forEach((row, k) => {
        for (const column of Object.keys(branches) as (keyof BranchTable)[]) {
          branches[column][k] = all.branches[column][row]!;
        }
        branches.from[k] = place[from[row]!]!;
        branches.to[k] = place[to[row]!]!;
      });
      if (!buses.type.includes(BUS_TYPE.slack)) {
        const promoted = buses.type.indexOf(BUS_TYPE.pv);
        if (promoted >= 0) {
          buses.type[promoted] = BUS_TYPE.slack;
          const id = ids[own[promoted]!];
          this.#notes.push(
            `no bus of an island of ${own.length} is its reference: the first with a generator, ${id}, is taken`,
          );
        }
      }
      const references = own.filter((_, i) => buses.type[i] === BUS_TYPE.slack).map((bus) => ids[bus]!);
      const solver = references.length > 0 ? new NewtonSolver(own.length, branches.from, branches.to) : undefined;
      return { members: Int32Array.from(own), references, buses, branches, ...(solver ? { solver } : {}) };
    });
  }

  #solveIsland(
    island: Island,
    solver: NewtonSolver,
    options: CaseOptions,
  ): { solution: NewtonSolution; start: 'file' | 'flat'; atLimit: number[] } {
    const { branches, members } = island;
    const buses: BusTable = { ...island.buses, type: island.buses.type.slice(), q: island.buses.q.slice() };
    const atLimit: number[] = [];
    let start: 'file' | 'flat' = 'file';
    for (let round = 0; ; round++) {
      let solution = solver.solve({ buses, branches }, options);
      if (!solution.converged && solution.failure?.kind !== 'invalidInput') {
        const flat = solver.solve({ buses: flatStart(buses, branches), branches }, options);
        start = 'flat';
        solution = flat;
      } else start = 'file';
      if (!solution.converged || !options.reactiveLimits || round === MAX_LIMIT_ROUNDS) {
        return { solution, start, atLimit };
      }
      const held = atLimit.length;
      for (let i = 0; i < members.length; i++) {
        if (buses.type[i] !== BUS_TYPE.pv) continue;
        const [low, high] = [this.grid.qMin[members[i]!]!, this.grid.qMax[members[i]!]!];
        const limit = solution.q[i]! > high ? high : solution.q[i]! < low ? low : undefined;
        if (limit === undefined) continue;
        buses.type[i] = BUS_TYPE.pq;
        buses.q[i] = limit;
        atLimit.push(i);
      }
      if (atLimit.length === held) return { solution, start, atLimit };
    }
  }

  #flows(vm: Float64Array, va: Float64Array, dead: Uint8Array): CaseBranchResult[] {
    const { case: all, branches, baseMVA } = this.grid;
    const y = new Float64Array(8);
    const nothing = { pFrom: 0, qFrom: 0, pTo: 0, qTo: 0 };
    return branches.map(({ from, to, row, rating }) => {
      const ends = { from, to, inService: row >= 0 };
      const [f, t] = row < 0 ? [-1, -1] : [all.branches.from[row]!, all.branches.to[row]!];
      if (row < 0 || dead[f] === 1) return { ...ends, ...nothing, loading: rating > 0 ? 0 : null };
      if (Number.isNaN(vm[f]!)) return { ...ends, pFrom: null, qFrom: null, pTo: null, qTo: null, loading: null };
      branchAdmittances(all.branches, row, y);
      const angle = va[f]! - va[t]!;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      const [ff, tt, product] = [vm[f]! ** 2, vm[t]! ** 2, vm[f]! * vm[t]!];
      // S_f = V_f·conj(yff·V_f + yft·V_t), S_t likewise.
      const pFrom = ff * y[0]! + product * (y[2]! * cos + y[3]! * sin);
      const qFrom = -ff * y[1]! + product * (y[2]! * sin - y[3]! * cos);
      const pTo = tt * y[6]! + product * (y[4]! * cos - y[5]! * sin);
      const qTo = -tt * y[7]! - product * (y[4]! * sin + y[5]! * cos);
      const most = Math.max(Math.hypot(pFrom, qFrom), Math.hypot(pTo, qTo)) * baseMVA;
      return { ...ends, pFrom, qFrom, pTo, qTo, loading: rating > 0 ? (100 * most) / rating : null };
    });
  }
}

type Four = [Float64Array, Float64Array, Float64Array, Float64Array];

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

const withoutReference = (buses: number): CaseIslandResult => ({
  buses,
  references: [],
  converged: false,
  iterations: 0,
  maxMismatch: 0,
  start: 'file',
  largestMismatches: [],
  atLimit: [],
});

/** Set-points and 1 pu; angles as the references and the phase shifts on the way from them have it. */
function flatStart(buses: BusTable, branches: BranchTable): BusTable {
  const count = buses.type.length;
  const vm = buses.vm.map((value, i) => (buses.type[i] === BUS_TYPE.pq ? 1 : value));
  const va = buses.va.slice();
  const at: number[][] = Array.from({ length: count }, () => []);
  for (let k = 0; k < branches.from.length; k++) {
    at[branches.from[k]!]!.push(k);
    at[branches.to[k]!]!.push(k);
  }
  const reached = buses.type.map((type) => (type === BUS_TYPE.slack ? 1 : 0));
  const queue = Array.from(reached.keys()).filter((i) => reached[i] === 1);
  for (const bus of queue) {
    for (const k of at[bus]!) {
      const forward = branches.from[k] === bus;
      const other = (forward ? branches.to : branches.from)[k]!;
      if (reached[other] === 1) continue;
      reached[other] = 1;
      va[other] = va[bus]! + (forward ? -branches.shift[k]! : branches.shift[k]!);
      queue.push(other);
    }
  }
  return { ...buses, vm, va };
}
