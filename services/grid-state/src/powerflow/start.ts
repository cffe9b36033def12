/** Voltages to start an iteration from, when those given lead nowhere. */
import { BUS_TYPE, type BusTable, type PowerFlowCase, voltagePower } from './case.ts';
import type { NewtonSolver } from './newton.ts';

/** Set-points and 1 pu; angles as the references and the phase shifts on the way from them have it. */
export function flatStart({ buses, branches, outOfService }: PowerFlowCase): BusTable {
  const count = buses.type.length;
  const vm = buses.vm.map((value, i) => (buses.type[i] === BUS_TYPE.pq ? 1 : value));
  const va = buses.va.slice();
  const at: number[][] = Array.from({ length: count }, () => []);
  for (let k = 0; k < branches.from.length; k++) {
    if (outOfService?.[k] === 1) continue;
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

/**
 * A flat start with the angles of the linear (DC) power flow. Uses the factorisation of the solver.
 * @returns nothing when there are no such angles
 */
export function dcStart(solver: NewtonSolver, input: PowerFlowCase): BusTable | undefined {
  const { buses, branches, responses, outOfService } = input;
  const { pattern, lu } = solver;
  const blocks = new Float64Array(4 * pattern.column.length);
  const right = new Float64Array(2 * pattern.size);
  const add = (bus: number, entry: number, value: number): void => {
    if (buses.type[bus] !== BUS_TYPE.slack) blocks[4 * entry] = blocks[4 * entry]! + value;
  };
  const inject = (bus: number, power: number): void => {
    if (buses.type[bus] !== BUS_TYPE.slack) right[2 * bus] = right[2 * bus]! + power;
  };
  for (let k = 0; k < branches.from.length; k++) {
    if (outOfService?.[k] === 1) continue;
    const [f, t] = [branches.from[k]!, branches.to[k]!];
    const [r, x] = [branches.r[k]!, branches.x[k]!];
    // A branch that is all resistance carries its power by voltage; as an angle it is worth its impedance.
    const b = 1 / ((Math.abs(x) > Math.abs(r) / 10 ? x : Math.hypot(r, x)) * branches.ratio[k]!);
    const [ff, ft, tf, tt] = pattern.entry.subarray(4 * k, 4 * k + 4) as unknown as [number, number, number, number];
    add(f, ff, b);
    add(f, ft, -b);
    add(t, tf, -b);
    add(t, tt, b);
    inject(f, b * branches.shift[k]!);
    inject(t, -b * branches.shift[k]!);
  }
  for (let i = 0; i < pattern.size; i++) {
    inject(i, buses.p[i]! - buses.gs[i]!);
    const at = 4 * pattern.diagonal[i]!;
    blocks[at + 3] = 1;
    if (buses.type[i] !== BUS_TYPE.slack) continue;
    blocks[at] = 1;
    right[2 * i] = buses.va[i]!;
  }
  if (responses) {
    for (let k = 0; k < responses.bus.length; k++) {
      inject(responses.bus[k]!, responses.p[k]! * voltagePower(1, responses.pExponent[k]!));
    }
  }
  if (lu.factorise(blocks) >= 0) return undefined;
  lu.solve(right);
  const vm = buses.vm.map((value, i) => (buses.type[i] === BUS_TYPE.pq ? 1 : value));
  const va = buses.va.map((_, i) => right[2 * i]!);
  return va.every(Number.isFinite) ? { ...buses, vm, va } : undefined;
}

/**
 * The voltages of the linear network: what is brought in taken as an admittance, held voltages given up but for those of the
 * reference. Near where impedances next to nothing meet ratios off the nominal one, which a flat start cannot know.
 * @returns nothing when there are no such voltages
 */
export function linearStart(solver: NewtonSolver, input: PowerFlowCase): BusTable | undefined {
  const { buses, responses } = input;
  const { pattern, lu } = solver;
  const { re, im } = solver.admittancesOf(input);
  const blocks = new Float64Array(4 * pattern.column.length);
  const right = new Float64Array(2 * pattern.size);
  for (let i = 0; i < pattern.size; i++) {
    const slack = buses.type[i] === BUS_TYPE.slack;
    for (let at = pattern.start[i]!; at < pattern.start[i + 1]!; at++) {
      if (!slack) blocks.set([re[at]!, -im[at]!, im[at]!, re[at]!], 4 * at);
    }
    const own = 4 * pattern.diagonal[i]!;
    if (slack) {
      blocks.set([1, 0, 0, 1], own);
      right[2 * i] = buses.vm[i]! * Math.cos(buses.va[i]!);
      right[2 * i + 1] = buses.vm[i]! * Math.sin(buses.va[i]!);
    }
  }
  const draw = (bus: number, p: number, q: number): void => {
    if (buses.type[bus] === BUS_TYPE.slack) return;
    const own = 4 * pattern.diagonal[bus]!;
    for (const [at, more] of [-p, -q, q, -p].entries()) blocks[own + at] = blocks[own + at]! + more;
  };
  for (let i = 0; i < pattern.size; i++) draw(i, buses.p[i]!, buses.type[i] === BUS_TYPE.pq ? buses.q[i]! : 0);
  if (responses)
    for (let k = 0; k < responses.bus.length; k++) draw(responses.bus[k]!, responses.p[k]!, responses.q[k]!);
  if (lu.factorise(blocks) >= 0) return undefined;
  lu.solve(right);
  const vm = buses.vm.map((value, i) =>
    buses.type[i] === BUS_TYPE.pq ? Math.hypot(right[2 * i]!, right[2 * i + 1]!) : value,
  );
  const va = buses.va.map((_, i) => Math.atan2(right[2 * i + 1]!, right[2 * i]!));
  return vm.every((value) => value > 0) ? { ...buses, vm, va } : undefined;
}
