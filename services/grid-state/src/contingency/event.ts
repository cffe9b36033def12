/** An outage with everything that follows from it: branches that end at lost buses, what loses its source, who takes over. */
import { BUS_TYPE } from '../powerflow/case.ts';
import type { Linearisation } from '../sensitivity/linearisation.ts';
import type { Connectivity } from './connectivity.ts';
import type { ContingencyInput, Outage } from './outage.ts';

/** pu. */
const NEGLIGIBLE = 1e-6;

export interface OutageEvent {
  /** Branches that carry nothing any more. */
  readonly branches: readonly number[];
  /** Buses without voltage. */
  readonly dead: Int32Array;
  /** Change of the injection per bus that goes on living, per unit. */
  readonly injections: ReadonlyMap<number, { readonly p: number; readonly q: number }>;
  /** Per bus: by how much less and more reactive power can be brought in than before, beyond what is lost at present, pu. */
  readonly reserves: ReadonlyMap<number, { readonly down: number; readonly up: number }>;
  /** Buses whose voltage nobody holds any more. */
  readonly released: ReadonlySet<number>;
  /** The bus that becomes the reference because the only one was lost. */
  readonly promoted?: number;
  /** Per unit: what is drawn and brought in by what is without voltage now, and was before. */
  readonly loadLost: number;
  readonly generationLost: number;
}

export function eventOf(
  outage: Outage,
  input: ContingencyInput,
  grid: Linearisation,
  connectivity: Connectivity,
): OutageEvent {
  const { type } = input.case.buses;
  const lostBuses = new Set(outage.buses);
  const branches = new Set(outage.branches?.filter((k) => input.case.outOfService?.[k] !== 1));
  for (const bus of lostBuses) for (const k of connectivity.branchesAt(bus)) branches.add(k);
  const released = new Set<number>();
  const lost = new Map<number, { p: number; q: number }>();
  const reserves = new Map<number, { down: number; up: number }>();
  for (const { bus, p, q, releases, reserve } of outage.injections ?? []) {
    const sum = lost.get(bus) ?? { p: 0, q: 0 };
    lost.set(bus, { p: sum.p + p, q: sum.q + q });
    if (releases && type[bus] !== BUS_TYPE.pq) released.add(bus);
    if (!reserve) continue;
    const before = reserves.get(bus) ?? { down: 0, up: 0 };
    reserves.set(bus, { down: before.down + reserve.down, up: before.up + reserve.up });
  }

  const lostReference = [...released, ...lostBuses].some((bus) => type[bus] === BUS_TYPE.slack);
  const plain = lostBuses.size === 0 && branches.size <= 1 && !lostReference;
  let promoted: number | undefined;
  let dead: Int32Array;
  if (plain) {
    const [only] = branches;
    dead = only === undefined ? new Int32Array(0) : connectivity.behind(only);
  } else {
    const isSource = (bus: number): boolean => bus === promoted || (type[bus] === BUS_TYPE.slack && !released.has(bus));
    dead = connectivity.withoutSource(branches, lostBuses, isSource);
    if (lostReference) {
      // Of the machines that are left without a reference, the one that brings in most takes over.
      for (const bus of dead) {
        if (type[bus] !== BUS_TYPE.pv || released.has(bus) || lostBuses.has(bus)) continue;
        if (promoted === undefined || grid.p[bus]! > grid.p[promoted]!) promoted = bus;
      }
      if (promoted !== undefined) dead = connectivity.withoutSource(branches, lostBuses, isSource);
    }
  }

  let loadLost = 0;
  let generationLost = 0;
  const isDead = new Set(dead);
  for (const bus of dead) {
    const load = input.load ? input.load[bus]! : Math.max(0, -grid.p[bus]!);
    const generation = grid.p[bus]! + load;
    loadLost += load;
    // What is left of a mismatch is no generation.
    if (Math.abs(generation) > NEGLIGIBLE) generationLost += generation;
  }
  const injections = new Map<number, { p: number; q: number }>();
  let missing = 0;
  for (const [bus, { p, q }] of lost) {
    if (isDead.has(bus)) continue;
    injections.set(bus, { p: -p, q: -q });
    if (type[bus] !== BUS_TYPE.slack) missing += p;
  }
  if (input.participation) takeOver(missing + generationLost - loadLost, input.participation);
  return {
    branches: [...branches],
    dead,
    injections,
    reserves,
    released,
    ...(promoted === undefined ? {} : { promoted }),
    loadLost,
    generationLost,
  };

  /** Shares what is missing among the machines that are left. */
  function takeOver(power: number, participation: Float64Array): void {
    const takes = (bus: number): boolean => participation[bus]! > 0 && !isDead.has(bus) && !released.has(bus);
    let sum = 0;
    for (let bus = 0; bus < participation.length; bus++) if (takes(bus)) sum += participation[bus]!;
    if (sum === 0 || power === 0) return;
    for (let bus = 0; bus < participation.length; bus++) {
      if (!takes(bus)) continue;
      const change = injections.get(bus) ?? { p: 0, q: 0 };
      injections.set(bus, { p: change.p + (power * participation[bus]!) / sum, q: change.q });
    }
  }
}
