/**
 * The power flow of one island with all that acts in it: Newton's method inside, voltage control, distributed slack, tap
 * changers and shunts around it, and what is tried, in this order, when there is no solution.
 */
import { type BranchTable, BUS_TYPE, type BusTable, columnsOf, type PowerFlowCase, selectRows } from './case.ts';
import type { Machine } from './control/machine.ts';
import { distributeSlack, type SlackState } from './control/slack.ts';
import { moveSteps, type StepControl, type StepState, stepState } from './control/steps.ts';
import { holdVoltages, type MachineState, type VoltageGroup, voltageGroups } from './control/voltage.ts';
import { type NewtonOptions, type NewtonSolution, NewtonSolver } from './newton.ts';
import { dcStart, flatStart, linearStart } from './start.ts';

/** A case whose tables are complete without its controls: what a machine is given, and where a tap stands, is in them. */
export interface ControlledCase extends PowerFlowCase {
  readonly machines?: readonly Machine[];
  readonly steps?: readonly StepControl[];
}

export interface IslandOptions extends Omit<NewtonOptions, 'damped'> {
  /** Machines that reach a limit stay there until the voltage has come back; never those of the reference. Default: false. */
  readonly reactiveLimits?: boolean;
  /** Tap changers and shunt sections move. Default: false. */
  readonly stepControls?: boolean;
  /** What is missing is made up by all machines with a share in it, not by the reference alone. Default: false. */
  readonly distributedSlack?: boolean;
  /** Whether to try other ways when the first leads nowhere. Default: true. */
  readonly fallbacks?: boolean;
  /** Voltages that the first attempt begins with. Default: those of the bus table. */
  readonly firstStart?: Start;
}

/** Voltages that an attempt began with. */
export type Start = 'given' | 'flat' | 'dc' | 'linear';

/** One way of finding a solution. */
export interface Attempt {
  readonly start: Start;
  /** Steps cut where the mismatch would grow. */
  readonly damped: boolean;
  /** Factor on the reactive limits; Infinity: none. */
  readonly widenedLimits: number;
  readonly stepControls: boolean;
}

export interface FailedAttempt extends Attempt {
  readonly iterations: number;
  readonly maxMismatch: number;
  readonly message: string;
}

export interface IslandSolution extends NewtonSolution {
  /** The attempt that the numbers come from: the one that worked, or the one that came nearest. */
  readonly attempt: Attempt;
  readonly failed: readonly FailedAttempt[];
  /** How often the grid was solved until nothing acted any more. */
  readonly rounds: number;
  /** False where it was stopped before: something still wanted to act. */
  readonly settled: boolean;
  /** What a solution that was found is short of, a sentence each. */
  readonly shortcomings: readonly string[];
  /** The tables that this is the plain solution of: limits reached, taps moved, power distributed. */
  readonly case: PowerFlowCase;
  readonly machines: MachineState;
  /** Index into the settings of each step control. */
  readonly positions: Int32Array;
  readonly slack: SlackState;
}

const MAX_ROUNDS = 60;

const STARTS: Record<Start, (newton: NewtonSolver, input: PowerFlowCase) => BusTable | undefined> = {
  given: (_, { buses }) => buses,
  flat: (_, input) => flatStart(input),
  dc: dcStart,
  linear: linearStart,
};

export class IslandSolver {
  readonly newton: NewtonSolver;
  readonly #from: Int32Array;
  readonly #to: Int32Array;

  /** @throws RangeError when a branch ends at no bus */
  constructor(busCount: number, from: Int32Array, to: Int32Array) {
    this.newton = new NewtonSolver(busCount, from, to);
    this.#from = from.slice();
    this.#to = to.slice();
  }

  /** Whether a case has the topology that the solver was made for. */
  fits(busCount: number, { from, to }: BranchTable): boolean {
    return (
      busCount === this.newton.pattern.size &&
      from.length === this.#from.length &&
      from.every((bus, row) => bus === this.#from[row] && to[row] === this.#to[row])
    );
  }

  /** Leaves its input as it is. Results are overwritten by the next call, like those of NewtonSolver. */
  solve(input: ControlledCase, options: IslandOptions = {}): IslandSolution {
    const failed: FailedAttempt[] = [];
    let nearest: { solution: Omit<IslandSolution, 'failed' | 'shortcomings'>; failure: FailedAttempt } | undefined;
    let acted = false;
    for (const attempt of attempts(input, options)) {
      // Taking controls away helps only where they had done something.
      if (attempt.needsAction && !acted) continue;
      const run = new Run(this.newton, input, options, attempt.attempt);
      const solution = run.solve();
      if (!solution) continue;
      if (solution.converged) return { ...solution, failed, shortcomings: shortcomingsOf(solution, failed) };
      acted ||= run.acted;
      const failure = {
        ...attempt.attempt,
        iterations: solution.iterations,
        maxMismatch: solution.maxMismatch,
        message: solution.failure?.message ?? '',
      };
      failed.push(failure);
      if (!nearest || solution.maxMismatch < nearest.solution.maxMismatch) nearest = { solution, failure };
      const kind = solution.failure?.kind;
      if (kind === 'invalidInput' || kind === 'noReference') break;
    }
    const { solution, failure } = nearest!;
    return { ...solution, failed: failed.filter((each) => each !== failure), shortcomings: [] };
  }
}

/** @returns a sentence each; nothing where the solution is what was asked for */
function shortcomingsOf(
  { attempt, settled }: Pick<IslandSolution, 'attempt' | 'settled'>,
  failed: readonly FailedAttempt[],
): string[] {
  const { widenedLimits, stepControls } = attempt;
  const found: string[] = [];
  if (failed.some((each) => each.widenedLimits < widenedLimits)) {
    const wider = Number.isFinite(widenedLimits) ? `${widenedLimits} times as wide` : 'given up';
    found.push(`there is no solution within the reactive limits: they are ${wider}`);
  }
  if (!stepControls && failed.some((each) => each.stepControls)) {
    found.push('tap changers and shunts that should move stay: with them there is no solution');
  }
  if (!settled) found.push(`controls still wanted to act after ${MAX_ROUNDS} rounds`);
  return found;
}

/** What is tried, in this order. */
function attempts(
  input: ControlledCase,
  options: IslandOptions,
): readonly { readonly attempt: Attempt; readonly needsAction?: boolean }[] {
  const widenedLimits = options.reactiveLimits ? 1 : Number.POSITIVE_INFINITY;
  const stepControls = (options.stepControls ?? false) && (input.steps?.length ?? 0) > 0;
  const all: Attempt = { start: options.firstStart ?? 'given', damped: false, widenedLimits, stepControls };
  const none = { widenedLimits: Number.POSITIVE_INFINITY, stepControls: false };
  if (options.fallbacks === false) return [{ attempt: all }];
  return [
    { attempt: all },
    { attempt: { ...all, start: 'flat' } },
    { attempt: { ...all, start: 'dc' } },
    { attempt: { ...all, start: 'linear' } },
    ...(stepControls ? [{ attempt: { ...all, stepControls: false }, needsAction: true }] : []),
    ...(options.reactiveLimits
      ? [1.5, 3, Number.POSITIVE_INFINITY].map((widened) => ({
          attempt: { ...all, stepControls: false, widenedLimits: widened },
          needsAction: true,
        }))
      : []),
    { attempt: { ...all, damped: true } },
    { attempt: { ...all, start: 'flat', damped: true } },
    { attempt: { ...all, start: 'linear', damped: true } },
    { attempt: { ...all, ...none, start: 'flat', damped: true }, needsAction: true },
  ];
}

/** One attempt: the working copies of everything that controls move. */
class Run {
  readonly #newton: NewtonSolver;
  readonly #attempt: Attempt;
  readonly #options: IslandOptions;
  readonly #machines: readonly Machine[];
  readonly #steps: readonly StepControl[];
  readonly #groups: VoltageGroup[];
  readonly #state: MachineState;
  readonly #stepState: StepState;
  readonly #slack: SlackState = { distributed: 0, left: 0 };
  #case: PowerFlowCase;
  readonly #startable: boolean;
  /** Whether a control had changed something before it failed. */
  acted = false;

  constructor(newton: NewtonSolver, input: ControlledCase, options: IslandOptions, attempt: Attempt) {
    this.#newton = newton;
    this.#attempt = attempt;
    this.#options = options;
    this.#machines = input.machines ?? [];
    this.#steps = attempt.stepControls ? (input.steps ?? []) : [];
    const { type, p, q, vm, va, gs, bs } = input.buses;
    const shunts = this.#steps.length > 0;
    const column = columnsOf((shunts ? 6 : 4) * type.length);
    const copy = (of: Float64Array): Float64Array => {
      const own = column(of.length);
      own.set(of);
      return own;
    };
    const buses: BusTable = {
      type: type.slice(),
      p: copy(p),
      q: copy(q),
      vm: copy(vm),
      va: copy(va),
      gs: shunts ? copy(gs) : gs,
      bs: shunts ? copy(bs) : bs,
    };
    this.#groups = voltageGroups(this.#machines, buses);
    this.#state = {
      p: Float64Array.from(this.#machines, (machine) => machine.p),
      q: Float64Array.from(this.#machines, (machine) => machine.q),
      limit: new Int8Array(this.#machines.length),
    };
    this.#stepState = stepState(input.steps ?? []);
    const branches =
      this.#steps.length > 0
        ? selectRows(
            input.branches,
            input.branches.from.map((_, row) => row),
          )
        : input.branches;
    const { responses, outOfService } = input;
    this.#case = { buses, branches, ...(responses ? { responses } : {}), ...(outOfService ? { outOfService } : {}) };
    const started = STARTS[attempt.start](newton, this.#case);
    this.#startable = started !== undefined;
    if (started) this.#case = { ...this.#case, buses: started };
  }

  /** Solves until nothing acts any more. @returns nothing when there is no such start */
  solve(): Omit<IslandSolution, 'failed' | 'shortcomings'> | undefined {
    if (!this.#startable) return undefined;
    const { buses } = this.#case;
    const newtonOptions = { ...this.#options, damped: this.#attempt.damped };
    let iterations = 0;
    for (let round = 1; ; round++) {
      const solution = this.#newton.solve(this.#case, newtonOptions);
      iterations += solution.iterations;
      const again = solution.converged && this.#act(solution);
      if (!again || round === MAX_ROUNDS) {
        return {
          ...solution,
          // What was given may have been moved among machines of one bus since.
          ...this.#newton.given(this.#case),
          iterations,
          attempt: this.#attempt,
          rounds: round,
          settled: !again,
          case: this.#case,
          machines: this.#state,
          positions: this.#stepState.position,
          slack: this.#slack,
        };
      }
      this.acted = true;
      for (let i = 0; i < buses.type.length; i++) {
        if (buses.type[i] === BUS_TYPE.pq) buses.vm[i] = solution.vm[i]!;
        if (buses.type[i] !== BUS_TYPE.slack) buses.va[i] = solution.va[i]!;
      }
    }
  }

  /** Lets the controls act on a solution: those that go by numbers first, those that go in steps when these are still. */
  #act(solution: NewtonSolution): boolean {
    const { buses } = this.#case;
    const machines = this.#machines;
    let changed = false;
    if (machines.length > 0) {
      if (this.#options.distributedSlack) {
        changed = distributeSlack(machines, buses, this.#state, solution, this.#slack);
      }
      changed =
        holdVoltages(this.#groups, machines, buses, this.#state, solution, this.#attempt.widenedLimits) || changed;
    }
    if (changed || this.#steps.length === 0) return changed;
    return moveSteps(this.#steps, this.#stepState, this.#case, this.#newton, solution);
  }
}
