/** The power flow of a grid of tables, island by island; one that fails takes no other with it. */
import { allBranchFlows } from './branch-flows.ts';
import { BUS_TYPE, columnsOf, voltagePower } from './case.ts';
import type { Machine } from './control/machine.ts';
import { type ControlledCase, type IslandOptions, type IslandSolution, IslandSolver } from './island-solver.ts';
import { type GridIslands, gridIslands, IslandCases } from './islands.ts';
import { balancingFlows } from './zero-impedance.ts';

/** pu and radians, in the numbers of the grid; NaN where there is no solution. */
export interface GridSolution {
  /** Per island: nothing where no bus holds the angle. */
  readonly islands: readonly (IslandSolution | undefined)[];
  /** Per bus. `p` and `q` are what is brought in, without shunts. */
  readonly vm: Float64Array;
  readonly va: Float64Array;
  readonly p: Float64Array;
  readonly q: Float64Array;
  /** Per branch, from the bus into the branch; 0 when out of service, and where there is no voltage. */
  readonly pFrom: Float64Array;
  readonly qFrom: Float64Array;
  readonly pTo: Float64Array;
  readonly qTo: Float64Array;
  /** Per machine; `limit` 1: at its upper reactive limit, -1: at its lower one. */
  readonly machineP: Float64Array;
  readonly machineQ: Float64Array;
  readonly machineLimit: Int8Array;
  /** Per step control, an index into its settings. */
  readonly positions: Int32Array;
}

/** The columns alone. */
export type GridColumns = Omit<GridSolution, 'islands'>;

/** The state of a grid and how it was come by, whoever says so. */
export interface GridState extends GridColumns {
  readonly islands: readonly (
    | (Pick<
        IslandSolution,
        'converged' | 'iterations' | 'maxMismatch' | 'failure' | 'worst' | 'attempt' | 'failed' | 'slack'
      > &
        Partial<Pick<IslandSolution, 'shortcomings'>>)
    | undefined
  )[];
}

/** Nothing known yet. */
export function unknownState(busCount: number, branchCount: number, machines: number): Omit<GridColumns, 'positions'> {
  const column = columnsOf(4 * busCount + 4 * branchCount + 2 * machines);
  const unknown = (count: number): Float64Array => column(count).fill(Number.NaN);
  return {
    vm: unknown(busCount),
    va: unknown(busCount),
    p: unknown(busCount),
    q: unknown(busCount),
    pFrom: column(branchCount),
    qFrom: column(branchCount),
    pTo: column(branchCount),
    qTo: column(branchCount),
    machineP: unknown(machines),
    machineQ: unknown(machines),
    machineLimit: new Int8Array(machines),
  };
}

/** Solves any values of one topology. Order of elimination and workspaces are kept per island: its tables are overwritten by the next call. */
export class GridSolver {
  readonly islands: GridIslands;
  readonly #cases: IslandCases;
  readonly #solvers: (IslandSolver | undefined)[];
  readonly #known: readonly IslandSolver[];

  /**
   * @param grid of the topology; its values do not matter
   * @param like a solver of another topology: what is known of islands that both have is taken over
   */
  constructor(grid: ControlledCase, like?: GridSolver) {
    this.islands = gridIslands(grid);
    this.#cases = new IslandCases(this.islands);
    this.#solvers = new Array(this.islands.islands.length).fill(undefined);
    this.#known = like ? like.#solvers.filter((solver) => solver !== undefined) : [];
  }

  #solverFor(index: number, { buses, branches }: ControlledCase): IslandSolver {
    const own = this.#solvers[index] ?? this.#known.find((solver) => solver.fits(buses.type.length, branches));
    const solver = own ?? new IslandSolver(buses.type.length, branches.from, branches.to);
    this.#solvers[index] = solver;
    return solver;
  }

  /** @param grid of the topology that the solver was made for */
  solve(grid: ControlledCase, options: IslandOptions = {}): GridSolution {
    const { machines = [], steps = [] } = grid;
    const [busCount, branchCount] = [grid.buses.type.length, grid.branches.from.length];
    const result = {
      ...unknownState(busCount, branchCount, machines.length),
      positions: Int32Array.from(steps, ({ position }) => position),
    };
    const islands = this.#cases.held(grid).map((own, index) => {
      if (!own) return undefined;
      const solution = this.#solverFor(index, own.case).solve(own.case, options);
      own.steps.forEach((step, s) => {
        result.positions[step] = solution.positions[s]!;
      });
      if (solution.converged) {
        this.#buses(grid, index, solution, own.machines, result);
      }
      this.#branches(index, solution, result);
      return solution;
    });
    joinedFlows(grid, this.islands, islands, result);
    return { islands, ...result };
  }

  #buses(
    { buses, responses, machines = [] }: ControlledCase,
    index: number,
    solution: IslandSolution,
    own: Int32Array,
    result: GridColumns,
  ): void {
    const { vm, va, p, q, machineP, machineQ, machineLimit } = result;
    const { islands, island, place } = this.islands;
    const { members, size } = islands[index]!;
    for (const bus of members) {
      vm[bus] = solution.vm[place[bus]!]!;
      va[bus] = solution.va[place[bus]!]!;
      p[bus] = buses.p[bus]!;
      q[bus] = buses.q[bus]!;
    }
    if (responses) {
      responses.bus.forEach((bus, k) => {
        if (island[bus] !== index) return;
        p[bus] = p[bus]! + responses.p[k]! * voltagePower(vm[bus]!, responses.pExponent[k]!);
        q[bus] = q[bus]! + responses.q[k]! * voltagePower(vm[bus]!, responses.qExponent[k]!);
      });
    }
    // What is left over at the reference, and by rounding where a voltage is held, comes from those who hold it: its
    // machines, or without any its buses.
    const [sharingP, sharingQ] = [new Int32Array(size), new Int32Array(size)];
    const { type } = solution.case.buses;
    for (const m of own) {
      const machine = machines[m]!;
      const at = place[machine.bus]!;
      if (type[at] === BUS_TYPE.slack && machine.reference) sharingP[at] = sharingP[at]! + 1;
      if (type[at] !== BUS_TYPE.pq && this.#holdsOwn(machine)) sharingQ[at] = sharingQ[at]! + 1;
    }
    own.forEach((m, k) => {
      const machine = machines[m]!;
      const at = place[machine.bus]!;
      let [moreP, moreQ] = [solution.machines.p[k]!, solution.machines.q[k]!];
      if (type[at] === BUS_TYPE.slack && machine.reference) {
        moreP += (solution.p[at]! - solution.pGiven[at]!) / sharingP[at]!;
      }
      if (type[at] !== BUS_TYPE.pq && this.#holdsOwn(machine)) {
        moreQ += (solution.q[at]! - solution.qGiven[at]!) / sharingQ[at]!;
      }
      machineP[m] = moreP;
      machineQ[m] = moreQ;
      machineLimit[m] = solution.machines.limit[k]!;
      p[machine.bus] = p[machine.bus]! + moreP - machine.p;
      q[machine.bus] = q[machine.bus]! + moreQ - machine.q;
    });
    for (const bus of members) {
      const at = place[bus]!;
      if (buses.type[bus] === BUS_TYPE.pq || type[at] === BUS_TYPE.pq) continue;
      if (type[at] === BUS_TYPE.slack && sharingP[at] === 0) {
        p[bus] = p[bus]! + solution.p[at]! - solution.pGiven[at]!;
        sharingP[at] = -1;
      }
      if (sharingQ[at] === 0) {
        q[bus] = q[bus]! + solution.q[at]! - solution.qGiven[at]!;
        sharingQ[at] = -1;
      }
    }
  }

  #holdsOwn({ bus, holds }: Machine): boolean {
    const { island, place } = this.islands;
    return holds >= 0 && island[holds] === island[bus] && place[holds] === place[bus];
  }

  #branches(index: number, solution: IslandSolution, result: GridColumns): void {
    const { rows } = this.islands.islands[index]!;
    if (solution.converged) {
      const { branchAdmittances } = this.#solvers[index]!.newton;
      allBranchFlows(solution.case.branches, branchAdmittances, solution.e, solution.f, result, 0, rows);
      return;
    }
    const { pFrom, qFrom, pTo, qTo } = result;
    for (const row of rows) for (const column of [pFrom, qFrom, pTo, qTo]) column[row] = Number.NaN;
  }
}

/** Flows through branches without impedance, from what each bus has left for them, into the columns of `result`. */
export function joinedFlows(
  grid: ControlledCase,
  { joining, island }: GridIslands,
  solutions: readonly ({ readonly converged: boolean } | undefined)[],
  result: GridColumns,
): void {
  if (joining.length === 0) return;
  const { branches, outOfService } = grid;
  const { vm, pFrom, qFrom, pTo, qTo } = result;
  const solved = vm.map((value) => (Number.isNaN(value) ? 0 : 1));
  const square = vm.map((value, bus) => (solved[bus] === 1 ? value * value : 0));
  const { gs, bs } = shunts(grid, result.positions);
  const p = result.p.map((value, bus) => (solved[bus] === 1 ? value - gs[bus]! * square[bus]! : 0));
  const q = result.q.map((value, bus) => (solved[bus] === 1 ? value + bs[bus]! * square[bus]! : 0));
  const take = (bus: number, moreP: number, moreQ: number): void => {
    if (solved[bus] === 0) return;
    p[bus] = p[bus]! - moreP;
    q[bus] = q[bus]! - moreQ;
  };
  for (let k = 0; k < branches.from.length; k++) {
    if (outOfService?.[k] === 1) continue;
    take(branches.from[k]!, pFrom[k]!, qFrom[k]!);
    take(branches.to[k]!, pTo[k]!, qTo[k]!);
  }
  for (const k of joining) {
    const [f, t] = [branches.from[k]!, branches.to[k]!];
    pFrom[k] = branches.gFrom[k]! * square[f]!;
    qFrom[k] = -branches.bFrom[k]! * square[f]!;
    pTo[k] = branches.gTo[k]! * square[t]!;
    qTo[k] = -branches.bTo[k]! * square[t]!;
    take(f, pFrom[k]!, qFrom[k]!);
    take(t, pTo[k]!, qTo[k]!);
  }
  const [from, to] = [joining.map((k) => branches.from[k]!), joining.map((k) => branches.to[k]!)];
  const [throughP, throughQ] = [balancingFlows(from, to, p), balancingFlows(from, to, q)];
  joining.forEach((k, at) => {
    const failed = solutions[island[branches.from[k]!]!]?.converged === false;
    pFrom[k] = failed ? Number.NaN : pFrom[k]! + throughP[at]!;
    qFrom[k] = failed ? Number.NaN : qFrom[k]! + throughQ[at]!;
    pTo[k] = failed ? Number.NaN : pTo[k]! - throughP[at]!;
    qTo[k] = failed ? Number.NaN : qTo[k]! - throughQ[at]!;
  });
}

/** Shunts of the buses with the sections that are in now. */
function shunts({ buses, steps = [] }: ControlledCase, positions: Int32Array): { gs: Float64Array; bs: Float64Array } {
  const [gs, bs] = [buses.gs.slice(), buses.bs.slice()];
  steps.forEach(({ actuator, position }, s) => {
    if (actuator.kind !== 'shunt') return;
    const [before, after] = [actuator.settings[position]!, actuator.settings[positions[s]!]!];
    gs[actuator.bus] = gs[actuator.bus]! + after.gs - before.gs;
    bs[actuator.bus] = bs[actuator.bus]! + after.bs - before.bs;
  });
  return { gs, bs };
}
