/**
 * Newton–Raphson power flow in polar coordinates. The unknowns of a bus are Δθ and ΔV/V, so that the Jacobian consists
 * of 2×2 blocks [H N; −N H] off the diagonal, all four numbers of which fall out of one complex product. Slack and pv
 * buses keep identity rows: the pattern depends on the topology alone and its analysis is reused for every solution.
 */
import { BlockLu, type SymbolicLu } from './block-lu.ts';
import { BUS_TYPE, branchAdmittances, type PowerFlowCase } from './case.ts';
import { type BranchPattern, branchPattern } from './pattern.ts';

export interface NewtonOptions {
  /** Largest mismatch of P or Q at any bus that counts as solved, per unit. */
  readonly tolerance?: number;
  readonly maxIterations?: number;
}

/** Where it failed and how. */
export interface NewtonFailure {
  readonly kind: 'iterationLimit' | 'diverged' | 'singular' | 'noReference' | 'invalidInput';
  /** The bus that the failure is about. */
  readonly bus: number;
  readonly message: string;
}

export interface NewtonSolution {
  readonly converged: boolean;
  readonly iterations: number;
  /** Largest mismatch of P or Q at the end, per unit. */
  readonly maxMismatch: number;
  readonly failure?: NewtonFailure;
  /** Buses with the largest mismatches, worst first; per unit. Empty when converged. */
  readonly worst: readonly { readonly bus: number; readonly p: number; readonly q: number }[];
  /** Magnitudes, per unit, and angles, radians, per bus. Valid until the next call of the same solver. */
  readonly vm: Float64Array;
  readonly va: Float64Array;
  /** Injections that these voltages mean, per unit; at slack buses what the grid takes from there. */
  readonly p: Float64Array;
  readonly q: Float64Array;
}

/** A mismatch beyond this many per unit is no solution any more. */
const DIVERGED = 1e6;

/** Solves any case of one topology. Keeps its workspaces: results are overwritten by the next call. */
export class NewtonSolver {
  readonly pattern: BranchPattern;
  readonly lu: BlockLu;
  readonly #yRe: Float64Array;
  readonly #yIm: Float64Array;
  readonly #blocks: Float64Array;
  readonly #rhs: Float64Array;
  readonly #e: Float64Array;
  readonly #f: Float64Array;
  readonly #vm: Float64Array;
  readonly #va: Float64Array;
  readonly #p: Float64Array;
  readonly #q: Float64Array;
  readonly #y = new Float64Array(8);

  /**
   * @param symbolic of a solver of the same topology, where there is one already
   * @throws RangeError when a branch ends at no bus
   */
  constructor(busCount: number, from: Int32Array, to: Int32Array, symbolic?: SymbolicLu) {
    this.pattern = branchPattern(busCount, from, to);
    this.lu = new BlockLu(this.pattern, symbolic);
    const entries = this.pattern.column.length;
    this.#yRe = new Float64Array(entries);
    this.#yIm = new Float64Array(entries);
    this.#blocks = new Float64Array(4 * entries);
    const column = () => new Float64Array(busCount);
    this.#rhs = new Float64Array(2 * busCount);
    [this.#e, this.#f, this.#vm, this.#va, this.#p, this.#q] = [
      column(),
      column(),
      column(),
      column(),
      column(),
      column(),
    ];
  }

  /** @param input of the topology that the solver was made for */
  solve(input: PowerFlowCase, options: NewtonOptions = {}): NewtonSolution {
    const tolerance = options.tolerance ?? 1e-8;
    const maxIterations = options.maxIterations ?? 20;
    const { buses } = input;
    const n = this.pattern.size;
    this.#vm.set(buses.vm);
    this.#va.set(buses.va);
    if (n === 0) return this.#solution(input, 0, 0);
    const wrong = this.#buildAdmittances(input);
    if (wrong) return this.#solution(input, 0, Number.NaN, wrong);
    if (!buses.type.includes(BUS_TYPE.slack)) {
      return this.#solution(input, 0, Number.NaN, {
        kind: 'noReference',
        bus: 0,
        message: 'no bus holds the angle: the island has no source',
      });
    }
    for (let iteration = 0; ; iteration++) {
      const mismatch = this.#evaluate(input);
      if (mismatch <= tolerance) return this.#solution(input, iteration, mismatch);
      if (!(mismatch < DIVERGED)) {
        return this.#solution(input, iteration, mismatch, {
          kind: 'diverged',
          bus: this.#worst(input)[0]?.bus ?? 0,
          message: `the mismatch grew beyond ${DIVERGED} p.u. in iteration ${iteration}`,
        });
      }
      if (iteration === maxIterations) {
        return this.#solution(input, iteration, mismatch, {
          kind: 'iterationLimit',
          bus: this.#worst(input)[0]?.bus ?? 0,
          message: `the mismatch is still ${mismatch.toExponential(2)} p.u. after ${iteration} iterations`,
        });
      }
      const singular = this.lu.factorise(this.#blocks);
      if (singular >= 0) {
        return this.#solution(input, iteration, mismatch, {
          kind: 'singular',
          bus: singular,
          message: `the Jacobian has a (nearly) zero pivot in iteration ${iteration}: voltage collapse or a bus without connection`,
        });
      }
      this.lu.solve(this.#rhs);
      for (let i = 0; i < n; i++) {
        this.#va[i] = this.#va[i]! + this.#rhs[2 * i]!;
        this.#vm[i] = this.#vm[i]! * (1 + this.#rhs[2 * i + 1]!);
      }
    }
  }

  /** Fills the bus admittance matrix; says what is wrong when a number is none. */
  #buildAdmittances({ buses, branches, outOfService }: PowerFlowCase): NewtonFailure | undefined {
    const [yRe, yIm, y] = [this.#yRe, this.#yIm, this.#y];
    const { entry, diagonal, size } = this.pattern;
    yRe.fill(0);
    yIm.fill(0);
    for (let k = 0; k < branches.from.length; k++) {
      if (outOfService?.[k] === 1) continue;
      branchAdmittances(branches, k, y);
      for (let c = 0; c < 4; c++) {
        const at = entry[4 * k + c]!;
        yRe[at] = yRe[at]! + y[2 * c]!;
        yIm[at] = yIm[at]! + y[2 * c + 1]!;
      }
      if (!Number.isFinite(y[0]! + y[1]! + y[6]! + y[7]!)) {
        const bus = branches.from[k]!;
        return { kind: 'invalidInput', bus, message: `branch ${k} has no usable impedance or ratio` };
      }
    }
    for (let i = 0; i < size; i++) {
      const at = diagonal[i]!;
      yRe[at] = yRe[at]! + buses.gs[i]!;
      yIm[at] = yIm[at]! + buses.bs[i]!;
      if (!Number.isFinite(buses.p[i]! + buses.q[i]! + buses.vm[i]! + buses.va[i]!) || !(buses.vm[i]! > 0)) {
        return { kind: 'invalidInput', bus: i, message: 'power or start voltage of the bus is not a usable number' };
      }
    }
    return undefined;
  }

  /** Injections, right-hand side and Jacobian at the present voltages. @returns the largest mismatch, per unit */
  #evaluate({ buses }: PowerFlowCase): number {
    const [e, f, vm, va, yRe, yIm] = [this.#e, this.#f, this.#vm, this.#va, this.#yRe, this.#yIm];
    const [blocks, rhs] = [this.#blocks, this.#rhs];
    const { size, start, column, diagonal } = this.pattern;
    const { type } = buses;
    for (let i = 0; i < size; i++) {
      e[i] = vm[i]! * Math.cos(va[i]!);
      f[i] = vm[i]! * Math.sin(va[i]!);
    }
    let worst = 0;
    for (let i = 0; i < size; i++) {
      const kind = type[i]!;
      const slack = kind === BUS_TYPE.slack;
      const fixed = slack || kind === BUS_TYPE.pv;
      const ei = e[i]!;
      const fi = f[i]!;
      let p = 0;
      let q = 0;
      for (let at = start[i]!; at < start[i + 1]!; at++) {
        const j = column[at]!;
        const re = yRe[at]! * e[j]! - yIm[at]! * f[j]!;
        const im = yRe[at]! * f[j]! + yIm[at]! * e[j]!;
        const real = ei * re + fi * im;
        const imaginary = fi * re - ei * im;
        p += real;
        q += imaginary;
        const b = 4 * at;
        blocks[b] = slack ? 0 : imaginary;
        blocks[b + 1] = slack ? 0 : real;
        blocks[b + 2] = fixed ? 0 : -real;
        blocks[b + 3] = fixed ? 0 : imaginary;
      }
      this.#p[i] = p;
      this.#q[i] = q;
      const b = 4 * diagonal[i]!;
      if (slack) {
        blocks[b] = 1;
        blocks[b + 3] = 1;
        rhs[2 * i] = 0;
        rhs[2 * i + 1] = 0;
        continue;
      }
      const dp = buses.p[i]! - p;
      blocks[b] = blocks[b]! - q;
      blocks[b + 1] = blocks[b + 1]! + p;
      rhs[2 * i] = dp;
      // Comparisons written so that NaN wins.
      if (!(Math.abs(dp) <= worst)) worst = Math.abs(dp);
      if (kind === BUS_TYPE.pv) {
        blocks[b + 3] = 1;
        rhs[2 * i + 1] = 0;
        continue;
      }
      const dq = buses.q[i]! - q;
      blocks[b + 2] = blocks[b + 2]! + p;
      blocks[b + 3] = blocks[b + 3]! + q;
      rhs[2 * i + 1] = dq;
      if (!(Math.abs(dq) <= worst)) worst = Math.abs(dq);
    }
    return worst;
  }

  #worst({ buses }: PowerFlowCase): { bus: number; p: number; q: number }[] {
    const list = Array.from(buses.type, (type, bus) => ({
      bus,
      p: type === BUS_TYPE.slack ? 0 : buses.p[bus]! - this.#p[bus]!,
      q: type === BUS_TYPE.pq ? buses.q[bus]! - this.#q[bus]! : 0,
    }));
    const size = (row: { p: number; q: number }): number => {
      const s = Math.max(Math.abs(row.p), Math.abs(row.q));
      return Number.isNaN(s) ? Number.POSITIVE_INFINITY : s;
    };
    return list.sort((a, b) => (size(b) > size(a) ? 1 : -1)).slice(0, 5);
  }

  #solution(input: PowerFlowCase, iterations: number, maxMismatch: number, failure?: NewtonFailure): NewtonSolution {
    return {
      converged: failure === undefined,
      iterations,
      maxMismatch,
      ...(failure ? { failure } : {}),
      worst: failure && failure.kind !== 'invalidInput' ? this.#worst(input) : [],
      vm: this.#vm,
      va: this.#va,
      p: this.#p,
      q: this.#q,
    };
  }
}
