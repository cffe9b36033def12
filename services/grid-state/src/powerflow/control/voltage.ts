/**
 * Who holds which voltage, and how far: reactive limits in both directions, several machines that hold one bus together, a
 * bus that is held from elsewhere, and the slope of var compensators.
 *
 * The held bus is a pv bus. What the solution brings in there beyond what is given is what its machines have to bring in
 * more: those at the bus do so at once, those elsewhere are given it, and the next solution shows how much of it arrives.
 */
import { BUS_TYPE, type BusTable } from '../case.ts';
import type { NewtonSolution } from '../newton.ts';
import { divide, type Machine, reactiveLimits } from './machine.ts';

/** pu of reactive power that counts as no difference. */
const NEGLIGIBLE = 1e-7;
/** pu of voltage by which a bus at its limit must have passed its target before its machines hold it again. */
const HYSTERESIS = 1e-5;
/** After so many changes between holding and limit a bus stays at its limit: two that wake each other up. Odd. */
const MAX_FLIPS = 7;
/** Change of reactive power per change of voltage (pu) that the first step along a slope assumes. */
const ASSUMED_STIFFNESS = 10;

/** All machines that hold one bus. */
export interface VoltageGroup {
  readonly bus: number;
  readonly target: number;
  readonly slope: number;
  /** Indices into the machines. */
  readonly members: readonly number[];
  /** Whether one of them stands elsewhere. */
  readonly remote: boolean;
  /** A reference bus elsewhere that has a member: its own voltage is moved until the bus has what it should. -1: none. */
  readonly reference: number;
  /** 1: all at their upper limit, -1: at their lower one, and the bus goes where it will; 0: held. */
  state: 1 | 0 | -1;
  flips: number;
  /** What is held now: the target with its slope, or the voltage of the reference elsewhere. */
  held: number;
  /** Last attempt, for the secant. */
  previous?: { readonly held: number; readonly error: number };
  /** What was given to machines elsewhere last time, what was missing then, and how much of it arrives per unit. */
  moved: number;
  missing: number;
  arrives: number;
}

/** Present powers of the machines. */
export interface MachineState {
  readonly p: Float64Array;
  readonly q: Float64Array;
  /** 1: at its upper reactive limit, -1: at its lower one. */
  readonly limit: Int8Array;
}

/**
 * Makes the held buses pv. A bus that is a reference stays so, and those that would hold it from elsewhere give their q; where
 * a reference holds another bus, the others that hold it give theirs.
 */
export function voltageGroups(machines: readonly Machine[], buses: BusTable): VoltageGroup[] {
  const members = new Map<number, number[]>();
  machines.forEach((machine, index) => {
    if (machine.holds < 0) return;
    if (buses.type[machine.holds] === BUS_TYPE.slack && machine.bus !== machine.holds) return;
    const list = members.get(machine.holds);
    if (list) list.push(index);
    else members.set(machine.holds, [index]);
  });
  return Array.from(members, ([bus, list]) => {
    const first = machines[list[0]!]!;
    const reference =
      list.map((index) => machines[index]!.bus).find((at) => at !== bus && buses.type[at] === BUS_TYPE.slack) ?? -1;
    if (reference < 0 && buses.type[bus] !== BUS_TYPE.slack) {
      buses.type[bus] = BUS_TYPE.pv;
      buses.vm[bus] = first.target;
    }
    return {
      bus,
      target: first.target,
      slope: list.reduce((most, index) => Math.max(most, machines[index]!.slope ?? 0), 0),
      members: list,
      remote: list.some((index) => machines[index]!.bus !== bus),
      reference,
      state: 0,
      flips: 0,
      held: reference < 0 ? first.target : buses.vm[reference]!,
      moved: 0,
      missing: 0,
      arrives: 1,
    };
  });
}

/**
 * One round of voltage control at a solution. Writes to the buses and to `state`.
 * @param widened factor on the reactive limits; Infinity: none
 * @returns whether the grid has to be solved again
 */
export function holdVoltages(
  groups: readonly VoltageGroup[],
  machines: readonly Machine[],
  buses: BusTable,
  state: MachineState,
  solution: NewtonSolution,
  widened: number,
): boolean {
  let changed = false;
  for (const group of groups) {
    const { bus, members, reference } = group;
    if (reference >= 0) {
      const error = group.target - solution.vm[bus]!;
      if (Math.abs(error) < NEGLIGIBLE) continue;
      follow(group, error, error);
      buses.vm[reference] = group.held;
      changed = true;
      continue;
    }
    const surplus = solution.q[bus]! - solution.qGiven[bus]!;
    const slack = buses.type[bus] === BUS_TYPE.slack;
    const free = slack || widened === Number.POSITIVE_INFINITY;
    if (free && members.length === 1 && !group.remote && group.slope === 0) {
      // What most of them are: one machine at its own bus, for which all that follows comes to this.
      const index = members[0]!;
      const given = state.q[index]!;
      state.q[index] = given + surplus;
      state.limit[index] = 0;
      buses.q[bus] = buses.q[bus]! + (state.q[index]! - given);
      continue;
    }
    const limits = members.map((index) =>
      free
        ? { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }
        : wider(reactiveLimits(machines[index]!, state.p[index]!, solution.vm[machines[index]!.bus]!), widened),
    );
    const low = limits.map((limit) => limit.low);
    const high = limits.map((limit) => limit.high);
    if (group.state !== 0) {
      changed = atLimit(group, machines, buses, state, solution, group.state > 0 ? high : low) || changed;
      continue;
    }
    const given = members.reduce((sum, index) => sum + state.q[index]!, 0);
    if (group.remote && group.moved !== 0) {
      const arrived = (group.missing - surplus) / group.moved;
      if (arrived > 0.1 && arrived < 3) group.arrives = arrived;
    }
    const wanted = given + (group.remote ? surplus / group.arrives : surplus);
    const most = high.reduce((sum, value) => sum + value, 0);
    const least = low.reduce((sum, value) => sum + value, 0);
    if (group.flips < MAX_FLIPS && (wanted > most + NEGLIGIBLE || wanted < least - NEGLIGIBLE)) {
      group.state = wanted > most ? 1 : -1;
      group.flips++;
      buses.type[bus] = BUS_TYPE.pq;
      giveAll(members, group.state > 0 ? high : low, machines, buses, state);
      for (const index of members) state.limit[index] = group.state;
      changed = true;
      continue;
    }
    const weights = members.map((index) => machines[index]!.weight);
    const parts = divide(wanted, weights, low, high);
    const elsewhere = giveAll(members, parts, machines, buses, state, bus);
    members.forEach((index, k) => {
      state.limit[index] = parts[k]! >= high[k]! ? 1 : parts[k]! <= low[k]! ? -1 : 0;
    });
    group.moved = elsewhere.sum;
    group.missing = surplus;
    if (elsewhere.most > NEGLIGIBLE) changed = true;
    if (group.slope > 0 && !slack && followSlope(group, buses, wanted)) changed = true;
  }
  return changed;
}

const wider = ({ low, high }: { low: number; high: number }, factor: number): { low: number; high: number } => {
  const by = ((factor - 1) * (high - low)) / 2;
  return factor === 1 || !Number.isFinite(by) ? { low, high } : { low: low - by, high: high + by };
};

/** Gives machines their reactive power. @returns how much was moved to machines that are not at `bus`, and the largest such move */
function giveAll(
  members: readonly number[],
  parts: readonly number[],
  machines: readonly Machine[],
  buses: BusTable,
  state: MachineState,
  bus = -1,
): { sum: number; most: number } {
  let [sum, most] = [0, 0];
  members.forEach((index, k) => {
    const at = machines[index]!.bus;
    const more = parts[k]! - state.q[index]!;
    buses.q[at] = buses.q[at]! + more;
    state.q[index] = parts[k]!;
    if (at === bus) return;
    sum += more;
    most = Math.max(most, Math.abs(more));
  });
  return { sum, most };
}

/** A bus that has gone beyond its target on the good side is held again; limits that follow P or V are followed. */
function atLimit(
  group: VoltageGroup,
  machines: readonly Machine[],
  buses: BusTable,
  state: MachineState,
  solution: NewtonSolution,
  limit: readonly number[],
): boolean {
  const { bus, members, slope } = group;
  const given = members.reduce((sum, index) => sum + state.q[index]!, 0);
  const beyond = group.state * (solution.vm[bus]! - (group.target - slope * given));
  if (beyond > HYSTERESIS && group.flips < MAX_FLIPS) {
    group.state = 0;
    group.flips++;
    group.moved = 0;
    delete group.previous;
    buses.type[bus] = BUS_TYPE.pv;
    buses.vm[bus] = group.held;
    for (const index of members) state.limit[index] = 0;
    return true;
  }
  return giveAll(members, limit, machines, buses, state).most > NEGLIGIBLE;
}

/** Towards held = target − slope·Q. */
function followSlope(group: VoltageGroup, buses: BusTable, q: number): boolean {
  const error = group.target - group.slope * q - group.held;
  if (Math.abs(error) < NEGLIGIBLE) return false;
  follow(group, error, error / (1 + group.slope * ASSUMED_STIFFNESS));
  buses.vm[group.bus] = group.held;
  return true;
}

/** One step of a secant; the error falls as the held voltage rises. @param first the step when there is nothing to go by */
function follow(group: VoltageGroup, error: number, first: number): void {
  const { previous } = group;
  let step = first;
  if (previous && error !== previous.error) {
    const secant = (-error * (group.held - previous.held)) / (error - previous.error);
    // Another direction, or a leap, is another group's doing.
    if (Math.sign(secant) === Math.sign(error) && Math.abs(secant) <= 4 * Math.abs(error)) step = secant;
  }
  group.previous = { held: group.held, error };
  group.held += step;
}
