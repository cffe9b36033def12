/** The power flow of a grid read from a case file: island by island, answered in the numbers of the file. */
import { BUS_TYPE } from '../powerflow/case.ts';
import type { Machine } from '../powerflow/control/machine.ts';
import { type GridSolution, GridSolver } from '../powerflow/grid-solver.ts';
import type { ControlledCase, FailedAttempt, IslandOptions } from '../powerflow/island-solver.ts';
import type { GridIslands } from '../powerflow/islands.ts';
import type { NewtonFailure } from '../powerflow/newton.ts';
import type { CaseGrid } from './matpower.ts';

/** Generators, taps and the distributed slack act when asked; see IslandOptions. */
export type CaseOptions = IslandOptions;

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
  readonly id?: number;
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
  /** Voltages that led here: those in the file or, when these led nowhere, set-points and 1 pu, linear angles, or the linear network. */
  readonly start: 'file' | 'flat' | 'dc' | 'linear';
  /** What was tried before, in vain. */
  readonly failedAttempts: readonly FailedAttempt[];
  readonly failure?: { readonly kind: NewtonFailure['kind']; readonly bus: number; readonly message: string };
  /** Where it does not add up, worst first, pu. Empty when converged. */
  readonly largestMismatches: readonly { readonly bus: number; readonly p: number; readonly q: number }[];
  /** Buses whose generators are at a reactive limit. */
  readonly atLimit: readonly number[];
  /** Step controls that moved, by their place in `CaseGrid.steps`, and to which setting. */
  readonly moved: readonly { readonly step: number; readonly position: number }[];
  /** What a distributed slack took off the reference, pu. */
  readonly distributed: number;
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

const DEGREES = 180 / Math.PI;

/** Solves one grid as often as asked; order of elimination and workspaces are kept. */
export class CaseSolver {
  readonly grid: CaseGrid;
  readonly #case: ControlledCase;
  readonly #solver: GridSolver;
  /** Islands with the most buses first, and the buses that hold their angle. */
  readonly #order: readonly { readonly island: number; readonly references: readonly number[] }[];
  readonly #notes: string[];

  constructor(grid: CaseGrid) {
    this.grid = grid;
    this.#notes = [...grid.notes];
    const buses = { ...grid.case.buses, type: grid.case.buses.type.slice() };
    this.#solver = new GridSolver({ ...grid.case, buses });
    const { islands } = this.#solver.islands;
    this.#order = Array.from(islands.keys())
      .sort((a, b) => islands[b]!.members.length - islands[a]!.members.length)
      .map((island) => ({ island, references: this.#referencesOf(islands[island]!.members, buses.type) }));
    const complete = { ...grid, case: { ...grid.case, buses } };
    this.#case = { ...complete.case, machines: grid.machines ?? machinesOf(complete), steps: grid.steps ?? [] };
  }

  /** Numbers of the buses that hold the angle; an island with none gets its first generator, where there is one. */
  #referencesOf(members: Int32Array, type: Uint8Array): number[] {
    const { ids } = this.grid;
    const references = Array.from(members).filter((bus) => type[bus] === BUS_TYPE.slack);
    const promoted = references.length === 0 ? members.find((bus) => type[bus] === BUS_TYPE.pv) : undefined;
    if (promoted !== undefined) {
      type[promoted] = BUS_TYPE.slack;
      references.push(promoted);
      this.#notes.push(
        `no bus of an island of ${members.length} is its reference: the first with a generator, ${ids[promoted]}, is taken`,
      );
    }
    return references.map((bus) => ids[bus]!);
  }

  /** The tables that are solved, complete with machines and controls. */
  get tables(): ControlledCase {
    return this.#case;
  }

  get islands(): GridIslands {
    return this.#solver.islands;
  }

  /** Never throws for a state of the grid. */
  solve(options: CaseOptions = {}): CaseResult {
    return this.report(this.solveTables(options));
  }

  /** In the numbers of `tables`; overwritten by the next call. */
  solveTables(options: CaseOptions = {}): GridSolution {
    return this.#solver.solve(this.#case, options);
  }

  /** In the numbers of the file. @param solution of `solveTables` */
  report(solution: GridSolution): CaseResult {
    const { grid } = this;
    const islands = this.#order.map(({ island, references }) => this.#islandResult(island, references, solution));
    const supplied = islands.filter(({ references }) => references.length > 0);
    const { vm, va, p, q } = solution;
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
      branches: this.#branches(solution),
      notes: [...this.#notes, ...solution.islands.flatMap((own) => own?.shortcomings ?? [])],
    };
  }

  #islandResult(island: number, references: readonly number[], grid: GridSolution): CaseIslandResult {
    const { members } = this.#solver.islands.islands[island]!;
    const solution = grid.islands[island];
    if (!solution) return withoutReference(members.length);
    const { failure, attempt } = solution;
    const { machines = [], steps = [] } = this.#case;
    const { island: islandOf } = this.#solver.islands;
    const atLimit = machines.filter(({ bus }, m) => islandOf[bus] === island && grid.machineLimit[m] !== 0);
    return {
      buses: members.length,
      references,
      converged: solution.converged,
      iterations: solution.iterations,
      maxMismatch: solution.maxMismatch,
      start: attempt.start === 'given' ? 'file' : attempt.start,
      failedAttempts: solution.failed,
      ...(failure ? { failure: { ...failure, bus: this.#idAt(island, failure.bus) } } : {}),
      largestMismatches: solution.worst
        .filter((row) => row.p !== 0 || row.q !== 0)
        .map((row) => ({ ...row, bus: this.#idAt(island, row.bus) })),
      atLimit: [...new Set(atLimit.map(({ bus }) => this.grid.ids[bus]!))],
      moved: steps.flatMap(({ position, actuator }, step) => {
        const bus = actuator.kind === 'branch' ? this.grid.case.branches.from[actuator.row]! : actuator.bus;
        const to = grid.positions[step]!;
        return islandOf[bus] === island && to !== position ? [{ step, position: to }] : [];
      }),
      distributed: solution.slack.distributed,
    };
  }

  /** Number in the file of a bus of an island's case: of several that are joined the one that holds something. */
  #idAt(island: number, at: number): number {
    const { islands, place } = this.#solver.islands;
    const all = Array.from(islands[island]!.members).filter((bus) => place[bus] === at);
    return this.grid.ids[all.find((bus) => this.#case.buses.type[bus] !== BUS_TYPE.pq) ?? all[0]!]!;
  }

  #branches({ pFrom, qFrom, pTo, qTo }: GridSolution): CaseBranchResult[] {
    const { branches, baseMVA } = this.grid;
    return branches.map(({ id, from, to, row, rating }) => {
      const inService = row >= 0;
      const pf = inService ? pFrom[row]! : 0;
      const qf = inService ? qFrom[row]! : 0;
      const pt = inService ? pTo[row]! : 0;
      const qt = inService ? qTo[row]! : 0;
      const most = Math.sqrt(Math.max(pf * pf + qf * qf, pt * pt + qt * qt)) * baseMVA;
      const result = {
        from,
        to,
        inService,
        pFrom: orNull(pf),
        qFrom: orNull(qf),
        pTo: orNull(pt),
        qTo: orNull(qt),
        loading: rating > 0 ? orNull((100 * most) / rating) : null,
      };
      return id === undefined ? result : { id, ...result };
    });
  }
}

/**
 * One for each bus that holds a voltage: what the file says of the bus as a whole, with the load there. In what a distributed
 * slack has to make up its generators share by the most that they can bring in.
 */
function machinesOf({ ids, case: { buses }, qMin, qMax, generators = [] }: CaseGrid): Machine[] {
  const { type, p, q, vm } = buses;
  const index = new Map(ids.map((id, bus) => [id, bus]));
  const [now, most] = [new Float64Array(ids.length), new Float64Array(ids.length)];
  for (const generator of generators) {
    const bus = index.get(generator.bus)!;
    now[bus] = now[bus]! + generator.p;
    most[bus] = most[bus]! + Math.max(0, generator.pMax);
  }
  const holding = Array.from(type.keys()).filter((bus) => type[bus] !== BUS_TYPE.pq);
  return holding.map((bus) => ({
    bus,
    p: p[bus]!,
    q: q[bus]!,
    qMin: qMin[bus]!,
    qMax: qMax[bus]!,
    holds: bus,
    target: vm[bus]!,
    weight: 1,
    reference: type[bus] === BUS_TYPE.slack,
    participation: most[bus]!,
    pMin: p[bus]! - Math.max(0, now[bus]!),
    pMax: p[bus]! + Math.max(0, most[bus]! - now[bus]!),
  }));
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

const withoutReference = (buses: number): CaseIslandResult => ({
  buses,
  references: [],
  converged: false,
  iterations: 0,
  maxMismatch: 0,
  start: 'file',
  failedAttempts: [],
  largestMismatches: [],
  atLimit: [],
  moved: [],
  distributed: 0,
});
