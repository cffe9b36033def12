/**
 * What moves in steps: tap changers for voltage, active or reactive power, and sections of shunts. How much a step does is
 * found out, not assumed: what the step changes at the present voltages, and through the Jacobian what the grid makes of it.
 */
import {
  type BranchTable,
  BUS_TYPE,
  type BusTable,
  branchAdmittances,
  branchFlow,
  type PowerFlowCase,
} from '../case.ts';
import type { NewtonSolution, NewtonSolver } from '../newton.ts';

/** What a branch is at one position of its tap changers. */
export type BranchSetting = { readonly [Column in (typeof BRANCH_COLUMNS)[number]]: number };
const BRANCH_COLUMNS = ['r', 'x', 'gFrom', 'bFrom', 'gTo', 'bTo', 'ratio', 'shift'] as const;

export type Actuator =
  | { readonly kind: 'branch'; readonly row: number; readonly settings: readonly BranchSetting[] }
  | {
      readonly kind: 'shunt';
      readonly bus: number;
      readonly settings: readonly { readonly gs: number; readonly bs: number }[];
    };

export interface StepControl {
  readonly actuator: Actuator;
  /** Index into the settings. What the tables say is this setting. */
  readonly position: number;
  readonly quantity: 'voltage' | 'activePower' | 'reactivePower';
  /** The bus whose voltage, or the branch at whose end the flow into it, is held. */
  readonly bus?: number;
  readonly branch?: number;
  readonly end?: 'from' | 'to';
  /** pu. */
  readonly target: number;
  /** pu, whole width: nothing moves within target ± half of it. */
  readonly deadband: number;
}

export interface StepState {
  readonly position: Int32Array;
  /** Direction of the last move, and how often it has turned round. */
  readonly direction: Int8Array;
  readonly turns: Uint8Array;
}

/** One that has turned round so often stays: it hunts between two positions. */
const MAX_TURNS = 2;
const SWEEPS = 3;
/** pu per step; less is none: a machine holds the voltage, or the two are not connected. */
const NO_EFFECT = 1e-9;

export const stepState = (controls: readonly StepControl[]): StepState => ({
  position: Int32Array.from(controls, ({ position }) => position),
  direction: new Int8Array(controls.length),
  turns: new Uint8Array(controls.length),
});

/**
 * Moves whatever is outside its deadband and can be brought nearer. Writes to the tables and to `state`.
 * @param solver holds the solution @returns whether the grid has to be solved again
 */
export function moveSteps(
  controls: readonly StepControl[],
  state: StepState,
  input: PowerFlowCase,
  solver: NewtonSolver,
  solution: NewtonSolution,
): boolean {
  const errors = controls.map(
    (control) => control.target - quantity(control, input.branches, solution.vm, solution.va),
  );
  const outside = controls.map((control, c) => Math.abs(errors[c]!) > control.deadband / 2 + 1e-9);
  if (!outside.includes(true) || !solver.linearise()) return false;
  const effects = controls.map((_, c) =>
    outside[c] && state.turns[c]! < MAX_TURNS ? effectOfStep(controls, c, state, input, solver, solution) : undefined,
  );
  const moves = new Int32Array(controls.length);
  const groups = groupsOf(controls, effects);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const members of groups) {
      const reach = members.reduce((sum, c) => sum + Math.abs(effects[c]![c]!), 0);
      const error = errors[members[0]!]!;
      const count = Math.round(Math.abs(error) / reach);
      for (const c of members) {
        const last = controls[c]!.actuator.settings.length - 1;
        const now = state.position[c]! + moves[c]!;
        const to = Math.min(last, Math.max(0, now + count * Math.sign(error) * Math.sign(effects[c]![c]!)));
        if (to === now) continue;
        moves[c] = moves[c]! + to - now;
        controls.forEach((_, o) => {
          errors[o] = errors[o]! - (to - now) * effects[c]![o]!;
        });
      }
    }
  }
  let changed = false;
  moves.forEach((move, c) => {
    if (move === 0) return;
    const direction = Math.sign(move);
    if (state.direction[c] === -direction) state.turns[c] = state.turns[c]! + 1;
    state.direction[c] = direction;
    setPosition(controls[c]!, state.position[c]!, state.position[c]! + move, input.buses, input.branches);
    state.position[c] = state.position[c]! + move;
    changed = true;
  });
  return changed;
}

/** Those that hold the same thing and can do something about it act together, each by the same number of steps. */
function groupsOf(
  controls: readonly StepControl[],
  effects: readonly (Float64Array | undefined)[],
): readonly (readonly number[])[] {
  const groups = new Map<string, number[]>();
  controls.forEach(({ quantity: what, bus, branch, end }, c) => {
    const effect = effects[c];
    if (!effect || !(Math.abs(effect[c]!) > NO_EFFECT)) return;
    const key = `${what} ${bus} ${branch} ${end}`;
    const group = groups.get(key);
    if (group) group.push(c);
    else groups.set(key, [c]);
  });
  return Array.from(groups.values());
}

function setPosition(control: StepControl, from: number, to: number, buses: BusTable, branches: BranchTable): void {
  const { actuator } = control;
  if (actuator.kind === 'branch') {
    const setting = actuator.settings[to]!;
    for (const column of BRANCH_COLUMNS) branches[column][actuator.row] = setting[column];
  } else {
    const { bus, settings } = actuator;
    buses.gs[bus] = buses.gs[bus]! + settings[to]!.gs - settings[from]!.gs;
    buses.bs[bus] = buses.bs[bus]! + settings[to]!.bs - settings[from]!.bs;
  }
}

/** What is held, at these voltages. */
function quantity(control: StepControl, branches: BranchTable, vm: Float64Array, va: Float64Array): number {
  if (control.quantity === 'voltage') return vm[control.bus!]!;
  const flow = flowOf(branches, control.branch!, vm, va);
  return flow[(control.end === 'to' ? 2 : 0) + (control.quantity === 'reactivePower' ? 1 : 0)]!;
}

function flowOf(branches: BranchTable, row: number, vm: Float64Array, va: Float64Array): Float64Array {
  const y = new Float64Array(8);
  branchAdmittances(branches, row, y);
  const [f, t] = [branches.from[row]!, branches.to[row]!];
  const flow = new Float64Array(4);
  branchFlow(y, vm[f]!, va[f]!, vm[t]!, va[t]!, flow);
  return flow;
}

/** How much one step up changes each quantity, to first order; towards the lower neighbour at the end of the range. */
function effectOfStep(
  controls: readonly StepControl[],
  c: number,
  state: StepState,
  input: PowerFlowCase,
  solver: NewtonSolver,
  solution: NewtonSolution,
): Float64Array | undefined {
  const { actuator } = controls[c]!;
  const { buses, branches } = input;
  const now = state.position[c]!;
  const sign = now + 1 < actuator.settings.length ? 1 : -1;
  if (now + sign < 0) return undefined;
  const change = new Float64Array(2 * buses.type.length);
  const inject = (bus: number, p: number, q: number): void => {
    if (buses.type[bus] !== BUS_TYPE.slack) change[2 * bus] = change[2 * bus]! + p;
    if (buses.type[bus] === BUS_TYPE.pq) change[2 * bus + 1] = change[2 * bus + 1]! + q;
  };
  const moved: { row: number; branches: BranchTable } = { row: -1, branches };
  if (actuator.kind === 'branch') {
    const single = oneRow(branches, actuator.row, actuator.settings[now + sign]!);
    const [f, t] = [branches.from[actuator.row]!, branches.to[actuator.row]!];
    const before = flowOf(branches, actuator.row, solution.vm, solution.va);
    const after = flowOf(single, 0, solution.vm, solution.va);
    inject(f, before[0]! - after[0]!, before[1]! - after[1]!);
    inject(t, before[2]! - after[2]!, before[3]! - after[3]!);
    moved.row = actuator.row;
    moved.branches = single;
  } else {
    const { bus, settings } = actuator;
    const square = solution.vm[bus]! ** 2;
    inject(
      bus,
      -(settings[now + sign]!.gs - settings[now]!.gs) * square,
      (settings[now + sign]!.bs - settings[now]!.bs) * square,
    );
  }
  solver.respond(change);
  const vm = solution.vm.map((value, i) => value * (1 + change[2 * i + 1]!));
  const va = solution.va.map((value, i) => value + change[2 * i]!);
  return Float64Array.from(controls, (control) => {
    const before = quantity(control, branches, solution.vm, solution.va);
    const own = control.branch !== undefined && control.branch === moved.row;
    const after = own
      ? quantity({ ...control, branch: 0 }, moved.branches, vm, va)
      : quantity(control, branches, vm, va);
    return sign * (after - before);
  });
}

/** The branch alone, at another setting; its ends are still buses of the grid. */
function oneRow(branches: BranchTable, row: number, setting: BranchSetting): BranchTable {
  const column = (value: number): Float64Array => Float64Array.of(value);
  return {
    from: Int32Array.of(branches.from[row]!),
    to: Int32Array.of(branches.to[row]!),
    r: column(setting.r),
    x: column(setting.x),
    gFrom: column(setting.gFrom),
    bFrom: column(setting.bFrom),
    gTo: column(setting.gTo),
    bTo: column(setting.bTo),
    ratio: column(setting.ratio),
    shift: column(setting.shift),
  };
}
