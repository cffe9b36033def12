/**
 * How voltages and flows answer to injections and set-points, to first order at a solution: J·dx = ∂F/∂u·du with the Jacobian
 * as it is factorised. Few inputs are followed forward, one solution each; few outputs backward with the transpose.
 */
import { EnerchainError } from '@enerchain/model';
import { branchPower } from '../powerflow/branch-flows.ts';
import { BUS_TYPE } from '../powerflow/case.ts';
import type { Linearisation } from './linearisation.ts';

/** Per unit and radians. A held quantity (P and Q of the reference, Q of a pv bus) is no input, but changes nothing either. */
export type SensitivityInput =
  /** Injection at a bus. */
  | { readonly kind: 'p' | 'q'; readonly bus: number }
  /** Set-point of a bus that holds its voltage. */
  | { readonly kind: 'voltage'; readonly bus: number }
  /** Ratio and phase shift of a branch; what stands at its terminals stays. */
  | { readonly kind: 'ratio' | 'shift'; readonly branch: number };

export type SensitivityOutput =
  /** Magnitude and angle. */
  | { readonly kind: 'vm' | 'va'; readonly bus: number }
  /** What the grid takes from a bus: at the reference, or with q at a pv bus, what its source brings in. */
  | { readonly kind: 'p' | 'q'; readonly bus: number }
  /** Into a branch at one of its ends. */
  | { readonly kind: 'pFrom' | 'qFrom' | 'iFrom' | 'pTo' | 'qTo' | 'iTo'; readonly branch: number };

export type SensitivityMethod = 'direct' | 'adjoint';

/** A sparse row or column. */
interface Sparse {
  readonly index: number[];
  readonly value: number[];
}

/**
 * @param method by default the one with fewer solutions
 * @returns d output / d input: a row per output, a column per input, row by row
 * @throws EnerchainError `sensitivity.input` (caller) for what does not exist, and the voltage of a bus that holds none
 */
export function sensitivities(
  grid: Linearisation,
  inputs: readonly SensitivityInput[],
  outputs: readonly SensitivityOutput[],
  method: SensitivityMethod = outputs.length < inputs.length ? 'adjoint' : 'direct',
): Float64Array {
  checkNames(grid, inputs, outputs);
  const columns = inputs.map((input) => rightHandSide(grid, input));
  const rows = outputs.map((output) => gradient(grid, output));
  const result = new Float64Array(inputs.length * outputs.length);
  const x = new Float64Array(2 * grid.vm.length);
  const spread = ({ index, value }: Sparse): void => {
    x.fill(0);
    for (let k = 0; k < index.length; k++) x[index[k]!] = x[index[k]!]! + value[k]!;
  };
  const along = ({ index, value }: Sparse): number => {
    let sum = 0;
    for (let k = 0; k < index.length; k++) sum += value[k]! * x[index[k]!]!;
    return sum;
  };
  if (method === 'direct') {
    columns.forEach((column, c) => {
      spread(column);
      grid.lu.solve(x);
      rows.forEach((row, r) => {
        result[r * inputs.length + c] = along(row);
      });
    });
  } else {
    rows.forEach((row, r) => {
      spread(row);
      grid.lu.solveTransposed(x);
      columns.forEach((column, c) => {
        result[r * inputs.length + c] = along(column);
      });
    });
  }
  // What an input changes without any voltage moving.
  inputs.forEach((input, c) => {
    if (input.kind !== 'ratio' && input.kind !== 'shift') return;
    const own = tapEffect(grid, input.kind, input.branch);
    outputs.forEach((output, r) => {
      const at = r * inputs.length + c;
      result[at] = result[at]! + directEffect(grid, own, input.branch, output);
    });
  });
  return result;
}

/** Change of the mismatch with an input, at voltages that stay: what the Jacobian is solved with. */
function rightHandSide(grid: Linearisation, input: SensitivityInput): Sparse {
  const { type } = grid.case.buses;
  const nothing: Sparse = { index: [], value: [] };
  switch (input.kind) {
    case 'p':
      return type[input.bus] === BUS_TYPE.slack ? nothing : { index: [2 * input.bus], value: [1] };
    case 'q':
      return type[input.bus] === BUS_TYPE.pq ? { index: [2 * input.bus + 1], value: [1] } : nothing;
    case 'voltage':
      return { index: [2 * input.bus + 1], value: [1 / grid.vm[input.bus]!] };
    default: {
      const { from, to } = grid.case.branches;
      const effect = tapEffect(grid, input.kind, input.branch);
      const rows: Sparse = { index: [], value: [] };
      [from[input.branch]!, to[input.branch]!].forEach((bus, end) => {
        if (type[bus] !== BUS_TYPE.slack) {
          rows.index.push(2 * bus);
          rows.value.push(-effect[2 * end]!);
        }
        if (type[bus] === BUS_TYPE.pq) {
          rows.index.push(2 * bus + 1);
          rows.value.push(-effect[2 * end + 1]!);
        }
      });
      return rows;
    }
  }
}

/** Change of pFrom, qFrom, pTo and qTo of a branch with its ratio or shift, at voltages that stay. */
function tapEffect(grid: Linearisation, kind: 'ratio' | 'shift', k: number): [number, number, number, number] {
  const { branch, e, f, case: input } = grid;
  const { from, to, ratio, gFrom, bFrom } = input.branches;
  const flow = new Float64Array(4);
  const effect: [number, number, number, number] = [0, 0, 0, 0];
  if (input.outOfService?.[k] === 1) return effect;
  const square = grid.vm[from[k]!]! ** 2;
  for (const end of [0, 1] as const) {
    const [bus, other] = end === 0 ? [from[k]!, to[k]!] : [to[k]!, from[k]!];
    branchPower(branch, k, end, e, f, bus, other, flow);
    const [c, d] = [flow[2]!, flow[3]!];
    if (kind === 'ratio') {
      // y_ft and y_tf go with 1/t, the series part of y_ff with 1/t².
      const series = end === 0 ? 2 : 0;
      effect[2 * end] = -(c + series * (flow[0]! - square * gFrom[k]!)) / ratio[k]!;
      effect[2 * end + 1] = -(d + series * (flow[1]! + square * bFrom[k]!)) / ratio[k]!;
    } else {
      // y_ft turns forward, y_tf backward; the power has its conjugate.
      effect[2 * end] = end === 0 ? d : -d;
      effect[2 * end + 1] = end === 0 ? -c : c;
    }
  }
  return effect;
}

function directEffect(
  grid: Linearisation,
  effect: readonly number[],
  branch: number,
  output: SensitivityOutput,
): number {
  const { from, to } = grid.case.branches;
  if ('bus' in output) {
    if (output.kind === 'vm' || output.kind === 'va') return 0;
    const part = output.kind === 'p' ? 0 : 1;
    const ends = [from[branch]!, to[branch]!];
    return ends.reduce((sum, bus, end) => sum + (bus === output.bus ? effect[2 * end + part]! : 0), 0);
  }
  if (output.branch !== branch) return 0;
  const end = output.kind.endsWith('From') ? 0 : 1;
  const [dp, dq] = [effect[2 * end]!, effect[2 * end + 1]!];
  if (output.kind[0] === 'p') return dp;
  if (output.kind[0] === 'q') return dq;
  const { p, q, s, vm } = powerAt(grid, branch, end);
  return s === 0 ? 0 : (p * dp + q * dq) / (s * vm);
}

/** Change of an output with the angles and magnitudes. */
function gradient(grid: Linearisation, output: SensitivityOutput): Sparse {
  switch (output.kind) {
    case 'vm':
      return { index: [2 * output.bus + 1], value: [grid.vm[output.bus]!] };
    case 'va':
      return { index: [2 * output.bus], value: [1] };
    case 'p':
    case 'q':
      return injectionGradient(grid, output.kind, output.bus);
    default:
      return branchGradient(grid, output.kind, output.branch);
  }
}

/** A row of the Jacobian as it would be if nothing were held. */
function injectionGradient(grid: Linearisation, kind: 'p' | 'q', bus: number): Sparse {
  const { pattern, yRe, yIm, e, f, p, q } = grid;
  const row: Sparse = { index: [], value: [] };
  for (let at = pattern.start[bus]!; at < pattern.start[bus + 1]!; at++) {
    const j = pattern.column[at]!;
    const re = yRe[at]! * e[j]! - yIm[at]! * f[j]!;
    const im = yRe[at]! * f[j]! + yIm[at]! * e[j]!;
    const real = e[bus]! * re + f[bus]! * im;
    const imaginary = f[bus]! * re - e[bus]! * im;
    const [ownP, ownQ] = j === bus ? [p[bus]!, q[bus]!] : [0, 0];
    row.index.push(2 * j, 2 * j + 1);
    if (kind === 'p') row.value.push(imaginary - ownQ, real + ownP);
    else row.value.push(ownP - real, imaginary + ownQ);
  }
  return row;
}

function branchGradient(grid: Linearisation, kind: string, k: number): Sparse {
  const end = kind.endsWith('From') ? 0 : 1;
  const { bus, other, p, q, s, vm, a, b, c, d } = powerAt(grid, k, end);
  const index = [2 * bus, 2 * bus + 1, 2 * other, 2 * other + 1];
  const ofP = [-d, 2 * a + c, d, c];
  const ofQ = [c, 2 * b + d, -c, d];
  if (kind[0] === 'p') return { index, value: ofP };
  if (kind[0] === 'q') return { index, value: ofQ };
  // |I| = |S|/V. An idle branch has no direction in which its current grows.
  if (s === 0) return { index, value: [0, 0, 0, 0] };
  const value = ofP.map((dp, i) => (p * dp + q * ofQ[i]!) / (s * vm) - (i === 1 ? s / vm : 0));
  return { index, value };
}

function powerAt(grid: Linearisation, k: number, end: 0 | 1) {
  const { from, to } = grid.case.branches;
  const [bus, other] = end === 0 ? [from[k]!, to[k]!] : [to[k]!, from[k]!];
  const flow = new Float64Array(4);
  branchPower(grid.branch, k, end, grid.e, grid.f, bus, other, flow);
  const [a, b, c, d] = flow as unknown as [number, number, number, number];
  const [p, q] = [a + c, b + d];
  return { bus, other, a, b, c, d, p, q, s: Math.hypot(p, q), vm: grid.vm[bus]! };
}

function checkNames(
  { case: { buses, branches } }: Linearisation,
  inputs: readonly SensitivityInput[],
  outputs: readonly SensitivityOutput[],
): void {
  const fail = (text: string): never => {
    throw new EnerchainError('caller', 'sensitivity.input', `${text}; nothing was calculated`);
  };
  for (const each of [...inputs, ...outputs]) {
    const [row, count, what] =
      'bus' in each ? [each.bus, buses.type.length, 'bus'] : [each.branch, branches.from.length, 'branch'];
    if (!(Number.isInteger(row) && row >= 0 && row < count)) fail(`there is no ${what} ${row} among ${count}`);
    if (each.kind === 'voltage' && buses.type[each.bus] === BUS_TYPE.pq) fail(`bus ${row} holds no voltage`);
  }
}
