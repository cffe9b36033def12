/**
 * Newton–Raphson power flow in polar coordinates. The unknowns of a bus are Δθ and ΔV/V, so that the Jacobian consists
 * of 2×2 blocks [H N; −N H] off the diagonal, all four numbers of which fall out of one complex product. Slack and pv
 * buses keep identity rows: the pattern depends on the topology alone and its analysis is reused for every solution.
 */
import type { SymbolicLu } from './block-lu.ts';
import { BUS_TYPE, branchAdmittances, type PowerFlowCase, voltagePower } from './case.ts';
import { type BranchPattern, branchPattern } from './pattern.ts';
import { RobustLu } from './robust-lu.ts';

export interface NewtonOptions {
  /** Largest mismatch of P or Q at any bus that counts as solved, per unit. */
  readonly tolerance?: number;
  readonly maxIterations?: number;
  /** Steps are cut until the mismatch shrinks: slower, and finds solutions that full steps jump over. Default: false. */
  readonly damped?: boolean;
  /** Branches and shunts are those of the last call of the solver, whatever else is not: their matrix is kept. Default: false. */
  readonly sameAdmittances?: boolean;
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
  /** The same voltages by real and imaginary part, per unit. */
  readonly e: Float64Array;
  readonly f: Float64Array;
  /** Injections that these voltages mean, per unit; at slack buses what the grid takes from there. */
  readonly p: Float64Array;
  readonly q: Float64Array;
  /**
   * Injections that are specified at these voltages, responses included. What `p` and `q` have beyond them is what those
   * who hold an angle or a voltage bring in on top.
   */
  readonly pGiven: Float64Array;
  readonly qGiven: Float64Array;
}

/** A mismatch beyond this many per unit is no solution any more. */
const DIVERGED = 1e6;

/** Damped steps turn no bus by more than this many radians and change no voltage by more than this share. */
const LARGEST_TURN = 0.5;
const LARGEST_CHANGE = 0.25;
const MAX_CUTS = 12;

/** Solves any case of one topology. Keeps its workspaces: results are overwritten by the next call. */
export class NewtonSolver {
  readonly pattern: BranchPattern;
  readonly lu: RobustLu;
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
  /** Injections that are specified, where they follow the voltage. */
  readonly #pGiven: Float64Array;
  readonly #qGiven: Float64Array;
  /** Of each branch, see `branchAdmittances`; all 0 where it is out of service. */
  readonly #y: Float64Array;

  /**
   * @param symbolic of a solver of the same topology, where there is one already
   * @throws RangeError when a branch ends at no bus
   */
  constructor(busCount: number, from: Int32Array, to: Int32Array, symbolic?: SymbolicLu) {
    this.pattern = branchPattern(busCount, from, to);
    this.lu = new RobustLu(this.pattern, symbolic);
    const entries = this.pattern.column.length;
    this.#yRe = new Float64Array(entries);
    this.#yIm = new Float64Array(entries);
    this.#blocks = new Float64Array(4 * entries);
    this.#y = new Float64Array(8 * from.length);
    const column = () => new Float64Array(busCount);
    this.#rhs = new Float64Array(2 * busCount);
    [this.#e, this.#f, this.#vm, this.#va] = [column(), column(), column(), column()];
    [this.#p, this.#q, this.#pGiven, this.#qGiven] = [column(), column(), column(), column()];
  }

  /** Bus admittance matrix of a case, per entry of the pattern; overwritten by the next call. */
  admittancesOf(input: PowerFlowCase): { readonly re: Float64Array; readonly im: Float64Array } {
    this.#buildAdmittances(input);
    return this.admittances;
  }

  /** That of the last case; likewise. */
  get admittances(): { readonly re: Float64Array; readonly im: Float64Array } {
    return { re: this.#yRe, im: this.#yIm };
  }

  /** Those of its branches, eight numbers each, see `branchAdmittances`; all 0 where one is out of service. Likewise. */
  get branchAdmittances(): Float64Array {
    return this.#y;
  }

  /** 2×2 blocks of the Jacobian at the voltages that the last call ended with, as `BlockLu` takes them; likewise. */
  get jacobian(): Float64Array {
    return this.#blocks;
  }

  /** @param input of the topology that the solver was made for */
  solve(input: PowerFlowCase, options: NewtonOptions = {}): NewtonSolution {
    const tolerance = options.tolerance ?? 1e-8;
    const maxIterations = options.maxIterations ?? 20;
    const damped = options.damped ?? false;
    const { buses } = input;
    const n = this.pattern.size;
    this.#vm.set(buses.vm);
    this.#va.set(buses.va);
    if (n === 0) return this.#solution(input, 0, 0);
    const wrong = options.sameAdmittances ? undefined : this.#buildAdmittances(input);
    if (wrong) return this.#solution(input, 0, Number.NaN, wrong);
    if (!buses.type.includes(BUS_TYPE.slack)) {
      return this.#solution(input, 0, Number.NaN, {
        kind: 'noReference',
        bus: 0,
        message: 'no bus holds the angle: the island has no source',
      });
    }
    let mismatch = this.#evaluate(input);
    for (let iteration = 0; ; iteration++) {
      if (mismatch <= tolerance) {
        let bus = 0;
        while (bus < n && this.#vm[bus]! > 0) bus++;
        if (bus === n) return this.#solution(input, iteration, mismatch);
        return this.#solution(input, iteration, mismatch, {
          kind: 'diverged',
          bus,
          message: `the iteration jumped over 0 and ended at a voltage of ${this.#vm[bus]!.toPrecision(3)} p.u., which is none`,
        });
      }
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
      if (damped) {
        mismatch = this.#dampedStep(input);
        continue;
      }
      this.lu.solve(this.#rhs);
      for (let i = 0; i < n; i++) {
        this.#va[i] = this.#va[i]! + this.#rhs[2 * i]!;
        this.#vm[i] = this.#vm[i]! * (1 + this.#rhs[2 * i + 1]!);
      }
      mismatch = this.#evaluate(input);
    }
  }

  /**
   * What a small change of injections does at the solution found last, to first order: fills `change` (two numbers per bus:
   * ΔP, ΔQ in; Δθ, ΔV/V out). Entries of what is held (P and Q of a slack bus, Q of a pv bus) must be 0.
   * Call `linearise` first.
   */
  respond(change: Float64Array): void {
    this.lu.solve(change);
  }

  /** Factorises the Jacobian at the solution found last. @returns whether that was possible */
  linearise(): boolean {
    return this.lu.factorise(this.#blocks) < 0;
  }

  /** One step along Newton's direction, cut until the sum of squares shrinks. @returns the largest mismatch after it */
  #dampedStep(input: PowerFlowCase): number {
    const n = this.pattern.size;
    const before = this.#sumOfSquares();
    this.lu.solve(this.#rhs);
    const step = this.#rhs.slice();
    const [vm, va] = [this.#vm.slice(), this.#va.slice()];
    let length = 1;
    for (let i = 0; i < n; i++) {
      length = Math.min(length, LARGEST_TURN / Math.abs(step[2 * i]!), LARGEST_CHANGE / Math.abs(step[2 * i + 1]!));
    }
    for (let cut = 0; ; cut++) {
      for (let i = 0; i < n; i++) {
        this.#va[i] = va[i]! + length * step[2 * i]!;
        this.#vm[i] = vm[i]! * (1 + length * step[2 * i + 1]!);
      }
      const mismatch = this.#evaluate(input);
      if (this.#sumOfSquares() < (1 - 1e-4 * length) * before || cut === MAX_CUTS) return mismatch;
      length /= 2;
    }
  }

  #sumOfSquares(): number {
    let sum = 0;
    for (const value of this.#rhs) sum += value * value;
    return sum;
  }

  /** Fills the bus admittance matrix; says what is wrong when a number is none. */
  #buildAdmittances({ buses, branches, outOfService }: PowerFlowCase): NewtonFailure | undefined {
    const [yRe, yIm, y] = [this.#yRe, this.#yIm, this.#y];
    const { entry, diagonal, size } = this.pattern;
    yRe.fill(0);
    yIm.fill(0);
    for (let k = 0; k < branches.from.length; k++) {
      const o = 8 * k;
      if (outOfService?.[k] === 1) {
        y.fill(0, o, o + 8);
        continue;
      }
      branchAdmittances(branches, k, y, o);
      for (let c = 0; c < 4; c++) {
        const at = entry[4 * k + c]!;
        yRe[at] = yRe[at]! + y[o + 2 * c]!;
        yIm[at] = yIm[at]! + y[o + 2 * c + 1]!;
      }
      if (!Number.isFinite(y[o]! + y[o + 1]! + y[o + 6]! + y[o + 7]!)) {
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

  /** What is specified at the voltages found last, per unit: the bus table and what responses add. Valid until the next call. */
  given({ buses, responses }: PowerFlowCase): { readonly pGiven: Float64Array; readonly qGiven: Float64Array } {
    const [p, q] = [this.#pGiven, this.#qGiven];
    p.set(buses.p);
    q.set(buses.q);
    if (responses) {
      for (let k = 0; k < responses.bus.length; k++) {
        const i = responses.bus[k]!;
        p[i] = p[i]! + responses.p[k]! * voltagePower(this.#vm[i]!, responses.pExponent[k]!);
        q[i] = q[i]! + responses.q[k]! * voltagePower(this.#vm[i]!, responses.qExponent[k]!);
      }
    }
    return { pGiven: p, qGiven: q };
  }

  /** Injections, right-hand side and Jacobian at the present voltages. @returns the largest mismatch, per unit */
  #evaluate(input: PowerFlowCase): number {
    const { buses, responses } = input;
    const { pGiven, qGiven } = this.given(input);
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
      const dp = pGiven[i]! - p;
      blocks[b] = blocks[b]! - q;
      blocks[b + 1] = blocks[b + 1]! + p;
      rhs[2 * i] = dp;
      // Math.max: NaN stays, whatever follows.
      worst = Math.max(worst, Math.abs(dp));
      if (kind === BUS_TYPE.pv) {
        blocks[b + 3] = 1;
        rhs[2 * i + 1] = 0;
        continue;
      }
      const dq = qGiven[i]! - q;
      blocks[b + 2] = blocks[b + 2]! + p;
      blocks[b + 3] = blocks[b + 3]! + q;
      rhs[2 * i + 1] = dq;
      worst = Math.max(worst, Math.abs(dq));
    }
    if (responses) {
      // d(p·V^e) / (dV/V) = e·p·V^e, on the side of what is specified.
      for (let k = 0; k < responses.bus.length; k++) {
        const i = responses.bus[k]!;
        const kind = type[i]!;
        if (kind === BUS_TYPE.slack) continue;
        const b = 4 * diagonal[i]!;
        const [pe, qe] = [responses.pExponent[k]!, responses.qExponent[k]!];
        blocks[b + 1] = blocks[b + 1]! - pe * responses.p[k]! * voltagePower(vm[i]!, pe);
        if (kind === BUS_TYPE.pq) blocks[b + 3] = blocks[b + 3]! - qe * responses.q[k]! * voltagePower(vm[i]!, qe);
      }
    }
    return worst;
  }

  #worst(input: PowerFlowCase): { bus: number; p: number; q: number }[] {
    const { pGiven, qGiven } = this.given(input);
    const list = Array.from(input.buses.type, (type, bus) => ({
      bus,
      p: type === BUS_TYPE.slack ? 0 : pGiven[bus]! - this.#p[bus]!,
      q: type === BUS_TYPE.pq ? qGiven[bus]! - this.#q[bus]! : 0,
    }));
    const size = (row: { p: number; q: number }): number => {
      const s = Math.max(Math.abs(row.p), Math.abs(row.q));
      return Number.isNaN(s) ? Number.POSITIVE_INFINITY : s;
    };
    return list.sort((a, b) => (size(b) > size(a) ? 1 : -1)).slice(0, 5);
  }

  #solution(input: PowerFlowCase, iterations: number, maxMismatch: number, failure?: NewtonFailure): NewtonSolution {
    const { pGiven, qGiven } = this.given(input);
    return {
      converged: failure === undefined,
      iterations,
      maxMismatch,
      ...(failure ? { failure } : {}),
      worst: failure && failure.kind !== 'invalidInput' ? this.#worst(input) : [],
      vm: this.#vm,
      va: this.#va,
      e: this.#e,
      f: this.#f,
      p: this.#p,
      q: this.#q,
      pGiven,
      qGiven,
    };
  }
}
