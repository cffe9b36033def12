/** What is missing at the reference, made up by all who take part in it. */
import { BUS_TYPE, type BusTable } from '../case.ts';
import type { NewtonSolution } from '../newton.ts';
import { divide, type Machine } from './machine.ts';
import type { MachineState } from './voltage.ts';

/** pu that may stay at the reference. */
const NEGLIGIBLE = 1e-7;

export interface SlackState {
  /** pu that the participants bring in more than they were given. */
  distributed: number;
  /** pu left at the reference although it should not be: all participants are at a limit, or there are none. */
  left: number;
}

/** Writes to the buses and to `state`. @returns whether the grid has to be solved again */
export function distributeSlack(
  machines: readonly Machine[],
  buses: BusTable,
  state: MachineState,
  solution: NewtonSolution,
  slack: SlackState,
): boolean {
  const references = Array.from(buses.type.keys()).filter((bus) => buses.type[bus] === BUS_TYPE.slack);
  let missing = 0;
  for (const bus of references) missing += solution.p[bus]! - solution.pGiven[bus]!;
  slack.left = missing;
  if (Math.abs(missing) <= NEGLIGIBLE) return false;
  const members = Array.from(machines.keys()).filter((index) => machines[index]!.participation > 0);
  // Always from what they were given: the outcome does not depend on the way.
  const parts = divide(
    slack.distributed + missing,
    members.map((index) => machines[index]!.participation),
    members.map((index) => Math.min(0, machines[index]!.pMin - machines[index]!.p)),
    members.map((index) => Math.max(0, machines[index]!.pMax - machines[index]!.p)),
  );
  let moved = 0;
  members.forEach((index, k) => {
    const { bus, p } = machines[index]!;
    const more = p + parts[k]! - state.p[index]!;
    buses.p[bus] = buses.p[bus]! + more;
    state.p[index] = p + parts[k]!;
    moved += more;
  });
  slack.distributed += moved;
  slack.left = missing - moved;
  return Math.abs(moved) > NEGLIGIBLE;
}
