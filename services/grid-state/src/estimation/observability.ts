/**
 * Numerical observability: which states do the measurements determine, whatever their values? A random vector is projected
 * onto what no measurement sees (the null space of the measurement Jacobian without load, every row brought to size 1)
 * by repeated damped solves with the factor of the estimation itself. Where something of it remains, nothing is known;
 * across a branch where it does not change, the flow is known all the same (Monticelli and Wu 1985, generalised to
 * voltages, reactive power and taps).
 */
import { UnionFind } from '../powerflow/union-find.ts';
import type { Equations } from './equations.ts';
import { type Channels, KIND, type MeasurementKind } from './measurement.ts';

export interface Observability {
  readonly observable: boolean;
  /** How many independent measurements are missing. */
  readonly missing: number;
  /** Per bus: 0 known; bit 1 the angle is not, bit 2 the magnitude is not. */
  readonly unknown: Uint8Array;
  /** Buses whose states are known relative to each other have one number. */
  readonly islandOfBus: Int32Array;
  readonly islands: number;
  /** Channels of which the measurements say nothing, per channel 1. */
  readonly unknownChannel: Uint8Array;
  /** Measurements that would make everything observable, those that help most first; at most `MAX_PROPOSALS`. */
  readonly restore: readonly Proposal[];
}

export interface Proposal {
  /** Flows stand for active and reactive power together. */
  readonly kind: Extract<MeasurementKind, 'voltage' | 'pFlow' | 'ratio' | 'shift'>;
  readonly at: number;
  readonly end: 0 | 1;
}

export const UNKNOWN = { angle: 1, magnitude: 2 } as const;
export const MAX_PROPOSALS = 20;

/** What the damping takes a state to be known by, as a share of one measurement. */
const DAMPING = 1e-8;
const ROUNDS = 8;
/** What is left of a known state after so many rounds is less. */
const NOTHING = 1e-6;
/** By what share the ends of a branch may move differently though its flow is known: its own charging flows along with them. */
const LOADED = 0.02;
/** Directions looked at at once when asking what to measure. */
const DIRECTIONS = 6;

/**
 * @param equations at 1 pu and 0° with all taps neutral
 * @param channels of the measurements; only whether a weight is 0 counts
 * @param zero per bus the bits of `ZERO`
 */
export function analyseObservability(equations: Equations, channels: Channels, zero: Uint8Array): Observability {
  const analysis = new Analysis(equations, channels, zero);
  // Two, so that no state looks known by chance, and no two known to each other.
  const directions = analysis.unseen(2);
  const { layout, map } = equations;
  const unknown = new Uint8Array(layout.busCount);
  const unknownChannel = new Uint8Array(map.size);
  const parted = new Uint8Array(layout.from.length);
  for (const direction of directions) {
    const moves = (at: number): boolean => Math.abs(direction[at]!) > NOTHING;
    const differs = (a: number, b: number): boolean => {
      const [x, y] = [direction[a]!, direction[b]!];
      return Math.abs(x - y) > NOTHING + LOADED * Math.max(Math.abs(x), Math.abs(y));
    };
    for (let i = 0; i < layout.busCount; i++) {
      if (moves(2 * i)) unknown[i] = unknown[i]! | UNKNOWN.angle;
      if (moves(2 * i + 1)) unknown[i] = unknown[i]! | UNKNOWN.magnitude;
    }
    for (let k = 0; k < layout.from.length; k++) {
      const [f, t, tap] = [2 * layout.from[k]!, 2 * layout.to[k]!, 2 * layout.tapRow[k]!];
      const apart = differs(f, t) || differs(f + 1, t + 1) || (tap >= 0 && (moves(tap) || moves(tap + 1)));
      if (apart) parted[k] = 1;
    }
    const change = equations.readings.along(direction);
    for (let c = 0; c < map.size; c++) if (Math.abs(change[c]!) > NOTHING * analysis.scale[c]!) unknownChannel[c] = 1;
  }
  const sets = new UnionFind(layout.busCount);
  parted.forEach((apart, k) => {
    if (apart === 0) sets.union(layout.from[k]!, layout.to[k]!);
  });
  const { of, count } = sets.number();
  return {
    observable: directions.length === 0,
    missing: directions.length > 0 ? analysis.missing() : 0,
    unknown,
    islandOfBus: of,
    islands: count,
    unknownChannel,
    restore: directions.length > 0 ? analysis.proposals() : [],
  };
}

class Analysis {
  readonly scale: Float64Array;
  readonly #equations: Equations;
  readonly #channels: { -readonly [K in keyof Channels]: Channels[K] };
  readonly #nothingIsZero: Uint8Array;
  /** 1 where a number of a row is a state. */
  readonly #isState: Uint8Array;
  #seed = 1;

  constructor(equations: Equations, channels: Channels, zero: Uint8Array) {
    this.#equations = equations;
    const { map, layout, state } = equations;
    const { free } = state;
    this.scale = equations.readings.scales();
    // Only directions count, and constraints see what measurements would see.
    const weight = new Float64Array(map.size);
    for (let c = 0; c < map.size; c++) if (channels.weight[c]! > 0) weight[c] = 1 / this.scale[c]! ** 2;
    for (let i = 0; i < layout.busCount; i++) {
      for (const [bit, kind] of [
        [1, KIND.pInjection],
        [2, KIND.qInjection],
      ] as const) {
        const c = map.first[kind]! + i;
        if ((zero[i]! & bit) !== 0 && this.scale[c]! > 0) weight[c] = 1 / this.scale[c]! ** 2;
      }
    }
    // A current at a flat start: a power flow of unknown direction.
    const [p, current] = [map.first[KIND.pFlow]!, map.first[KIND.current]!];
    for (let k = 0; k < 2 * map.branchCount; k++) {
      if (weight[current + k]! > 0 && weight[p + k] === 0) weight[p + k] = 1 / this.scale[p + k]! ** 2;
      weight[current + k] = 0;
    }
    for (let c = 0; c < map.size; c++) if (!Number.isFinite(weight[c]!)) weight[c] = 0;
    this.#channels = { map, value: new Float64Array(map.size), weight };
    this.#nothingIsZero = new Uint8Array(layout.busCount);
    this.#isState = new Uint8Array(2 * layout.size);
    for (let i = 0; i < layout.busCount; i++) {
      this.#isState[2 * i] = free[i]!;
      this.#isState[2 * i + 1] = 1;
    }
    for (let k = 0; k < layout.tapRow.length; k++) {
      const row = layout.tapRow[k]!;
      if (row < 0) continue;
      this.#isState[2 * row] = layout.taps[k]! & 1;
      this.#isState[2 * row + 1] = (layout.taps[k]! & 2) >> 1;
    }
  }

  #factorise(): void {
    const { layout, step } = this.#equations;
    const { values } = step;
    const measured = this.#equations.step.measuredOf(this.#channels.weight);
    this.#equations.step.assemble(this.#channels, this.#nothingIsZero, measured);
    for (let row = 0; row < layout.size; row++) {
      const d = 4 * layout.pattern.diagonal[row]!;
      for (const side of [0, 1]) {
        if (this.#isState[2 * row + side] === 1) values[d + 3 * side] = values[d + 3 * side]! + DAMPING;
      }
    }
    layout.ldl.factorise(values, DAMPING / 10);
  }

  /** Random directions that no measurement sees; none when there is no such direction. */
  unseen(count: number): Float64Array[] {
    this.#factorise();
    const { ldl, size } = this.#equations.layout;
    const found: Float64Array[] = [];
    for (let d = 0; d < count; d++) {
      const vector = new Float64Array(2 * size);
      for (let i = 0; i < vector.length; i++) vector[i] = this.#isState[i] === 1 ? this.#random() : 0;
      for (let round = 0; round < ROUNDS; round++) {
        for (let i = 0; i < vector.length; i++) vector[i] = this.#isState[i] === 1 ? DAMPING * vector[i]! : 0;
        ldl.solve(vector);
      }
      for (let i = 0; i < vector.length; i++) if (this.#isState[i] !== 1) vector[i] = 0;
      if (vector.some((each) => Math.abs(each) > NOTHING)) found.push(vector);
    }
    return found;
  }

  /** Trace of the projector: the dimension of what is not seen. */
  missing(): number {
    const { ldl, size } = this.#equations.layout;
    const subset = ldl.inverseSubset();
    let trace = 0;
    for (let row = 0; row < size; row++) {
      for (const side of [0, 1] as const) {
        if (this.#isState[2 * row + side] === 1) trace += DAMPING * subset.variance(row, side);
      }
    }
    return Math.max(1, Math.round(trace));
  }

  /** Greedy: what sees most of the unseen, until nothing is unseen. */
  proposals(): Proposal[] {
    const proposals: Proposal[] = [];
    while (proposals.length < MAX_PROPOSALS) {
      const directions = orthonormal(this.unseen(DIRECTIONS));
      if (directions.length === 0) break;
      const before = proposals.length;
      while (directions.length > 0 && proposals.length < MAX_PROPOSALS) {
        const changes = directions.map((direction) => this.#equations.readings.along(direction));
        const best = this.#best(changes);
        if (!best) return proposals;
        proposals.push(best);
        for (const channel of this.#channelsOf(best)) {
          this.#channels.weight[channel] = 1 / this.scale[channel]! ** 2;
          const seen = directions.map((direction) => this.#equations.readings.along(direction)[channel]!);
          deflate(directions, seen, this.scale[channel]!);
        }
      }
      if (proposals.length === before) break;
    }
    return proposals;
  }

  #channelsOf({ kind, at, end }: Proposal): number[] {
    const { map } = this.#equations;
    if (kind !== 'pFlow') return [map.of(KIND[kind], at, 0)];
    return [map.of(KIND.pFlow, at, end), map.of(KIND.qFlow, at, end)];
  }

  #best(changes: readonly Float64Array[]): Proposal | undefined {
    const { map, layout } = this.#equations;
    let best: Proposal | undefined;
    let most = 1e-4;
    const consider = (proposal: Proposal): void => {
      let seen = 0;
      for (const channel of this.#channelsOf(proposal)) {
        let sum = 0;
        for (const change of changes) sum += change[channel]! ** 2;
        seen += sum / this.scale[channel]! ** 2;
      }
      // Of the same use, the first: the answer must not depend on rounding.
      if (seen > most * (1 + 1e-6)) [best, most] = [proposal, seen];
    };
    for (let k = 0; k < map.branchCount; k++) {
      for (const end of [0, 1] as const) consider({ kind: 'pFlow', at: k, end });
      if ((layout.taps[k]! & 1) !== 0) consider({ kind: 'ratio', at: k, end: 0 });
      if ((layout.taps[k]! & 2) !== 0) consider({ kind: 'shift', at: k, end: 0 });
    }
    for (let i = 0; i < map.busCount; i++) consider({ kind: 'voltage', at: i, end: 0 });
    return best;
  }

  /** Between -1 and 1, the same every time. */
  #random(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed / 2 ** 31 - 1;
  }
}

function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const vector of vectors) {
    const before = Math.sqrt(dot(vector, vector));
    for (const other of basis) {
      const share = dot(vector, other);
      for (let i = 0; i < vector.length; i++) vector[i] = vector[i]! - share * other[i]!;
    }
    const length = Math.sqrt(dot(vector, vector));
    if (length < 1e-4 * before) continue;
    for (let i = 0; i < vector.length; i++) vector[i] = vector[i]! / length;
    basis.push(vector);
  }
  return basis;
}

/** Takes out of the space of the directions the one that a row sees. @param seen row times each direction */
function deflate(directions: Float64Array[], seen: readonly number[], scale: number): void {
  const length = Math.hypot(...seen);
  if (length < NOTHING * scale) return;
  // Rotate so that only the last direction is seen, then drop it.
  let current = seen[0]!;
  for (let d = 1; d < directions.length; d++) {
    const next = seen[d]!;
    const r = Math.hypot(current, next);
    if (r === 0) continue;
    const [cos, sin] = [next / r, current / r];
    const [a, b] = [directions[d - 1]!, directions[d]!];
    for (let i = 0; i < a.length; i++) {
      const [x, y] = [a[i]!, b[i]!];
      a[i] = cos * x - sin * y;
      b[i] = sin * x + cos * y;
    }
    current = r;
  }
  directions.pop();
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};
