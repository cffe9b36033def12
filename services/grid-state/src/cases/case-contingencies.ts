/** What single outages do to a grid from a case file, answered in MW, MVA, pu and the file's own numbers. */
import { EnerchainError, validator } from '@enerchain/model';
import Type from 'typebox';
import type { PoolOptions } from '../batch/pool.ts';
import type { ContingencyOptions } from '../contingency/analysis.ts';
import { gridContingencies } from '../contingency/grid-contingencies.ts';
import type { Violation } from '../contingency/limit-check.ts';
import { noLimits, type OperatingLimits, OUTAGE_KINDS, type Outage, type OutageKind } from '../contingency/outage.ts';
import { type BrokenLimit, type ContingencyReport, reportsOf } from '../contingency/report.ts';
import { type CaseResult, CaseSolver } from './case-solver.ts';
import type { CaseGrid } from './matpower.ts';

const numbers = (description: string) => Type.Optional(Type.Array(Type.Integer(), { maxItems: 100_000, description }));

/** Things that are lost together. */
const OutageGroup = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    branches: numbers('places in the file, the first is 1'),
    buses: numbers('numbers in the file'),
    generators: numbers('numbers in the file of the buses whose generators are lost'),
    equipment: Type.Optional(
      Type.Array(Type.String({ maxLength: 200 }), {
        maxItems: 100_000,
        description: 'mRIDs or names, of a grid that is no case file',
      }),
    ),
  },
  { additionalProperties: false },
);
export type OutageGroup = Type.Static<typeof OutageGroup>;
export const outageGroups = validator(Type.Array(OutageGroup, { maxItems: 100_000, $id: 'OutageGroups' }), 'caller');

export interface CaseContingencyOptions extends ContingencyOptions, PoolOptions {
  /** Default: all. */
  readonly kinds?: readonly OutageKind[];
  readonly groups?: readonly OutageGroup[];
  /** Generators are held at their reactive limits, before and after an outage. Default: false. */
  readonly reactiveLimits?: boolean;
  /** What is missing is shared among the generators as their capacities are. Default: false, the reference takes it. */
  readonly distributedSlack?: boolean;
}

export interface NamedOutage {
  readonly kind: OutageKind | 'group';
  /** `branch:7` for the seventh of the file, `generator:2`, `bus:118`; the name of a group. */
  readonly equipment: string;
  readonly name: string;
}

/** Limits in MVA and pu of voltage. */
export interface CaseContingencyResult extends ContingencyReport<NamedOutage> {
  /** The power flow before any outage. */
  readonly base: CaseResult;
  readonly notes: readonly string[];
}

interface Listed {
  readonly outage: Outage;
  readonly named: NamedOutage;
}

/**
 * @throws EnerchainError `contingencies.base` (peer) when the case has no solution before any outage,
 * `contingencies.group` (caller) when a group names what is not there
 */
export async function caseContingencies(
  grid: CaseGrid,
  options: CaseContingencyOptions = {},
): Promise<CaseContingencyResult> {
  const { kinds = OUTAGE_KINDS, groups = [], reactiveLimits = false, distributedSlack = false, ...rest } = options;
  const solver = new CaseSolver(grid);
  const solution = solver.solveTables({ ...rest, reactiveLimits, distributedSlack });
  const base = solver.report(solution);
  if (!base.converged) {
    const failed = base.islands.find(({ converged, references }) => !converged && references.length > 0)?.failure;
    const why = failed ? `: ${failed.message} (bus ${failed.bus})` : ', no bus of it is a reference';
    const say = `${grid.name} has no solution before any outage${why}; no outage was calculated`;
    throw new EnerchainError('peer', 'contingencies.base', say);
  }
  const list = [
    ...kinds.flatMap((kind) => everyOutage(grid, base, kind)),
    ...groups.map((group) => groupOutage(grid, group)),
  ];
  const summary = await gridContingencies(
    { grid: solver.tables, islands: solver.islands, solution },
    limitsOf(grid),
    list.map(({ outage }) => outage),
    {
      ...rest,
      reactiveLimits,
      ...(grid.load ? { load: grid.load } : {}),
      ...(distributedSlack ? { participation: capacities(grid) } : {}),
    },
  );
  const joined = summary.left.filter(({ reason }) => reason === 'noImpedance').length;
  const { before, worst, worstOutage } = summary.loadings;
  return {
    outages: list.length - summary.left.length,
    ...reportsOf(summary, {
      baseMVA: grid.baseMVA,
      outage: (index) => list[index]!.named,
      failure: ({ message, bus }) => `${message} (bus ${grid.ids[bus]})`,
      limit: (violation) => brokenLimit(grid, violation),
    }),
    loadings: grid.branches
      .flatMap(({ row }, place) => {
        if (row < 0 || before[row]! + worst[row]! === 0) return [];
        const outage = worstOutage[row]! < 0 ? null : list[worstOutage[row]!]!.named;
        return [{ ...branchName(grid, place), before: 100 * before[row]!, worst: 100 * worst[row]!, outage }];
      })
      .sort((a, b) => b.worst - a.worst),
    base,
    notes: [
      ...base.notes,
      ...(joined > 0 ? [`${joined} outages of branches without impedance, which join buses, were not calculated`] : []),
    ],
  };
}

/** All outages of one kind; what carries or brings in nothing cannot be lost. */
function everyOutage(grid: CaseGrid, base: CaseResult, kind: OutageKind): Listed[] {
  const supplied = (bus: number): boolean => base.buses[bus]!.vm !== null;
  if (kind === 'branch') {
    return grid.branches.flatMap(({ row }, place) =>
      row >= 0 && supplied(grid.case.branches.from[row]!)
        ? [{ outage: { branches: [row] }, named: { kind, ...branchName(grid, place) } }]
        : [],
    );
  }
  const index = new Map(grid.ids.map((id, i) => [id, i]));
  if (kind === 'bus') {
    return grid.ids.flatMap((id, bus) =>
      supplied(bus) ? [{ outage: { buses: [bus] }, named: { kind, equipment: `bus:${id}`, name: `bus ${id}` } }] : [],
    );
  }
  const perBus = new Map<number, number>();
  for (const { bus } of grid.generators ?? []) perBus.set(bus, (perBus.get(bus) ?? 0) + 1);
  return (grid.generators ?? []).flatMap(({ bus: id, p, q }, place) => {
    const bus = index.get(id)!;
    if (!supplied(bus)) return [];
    const named = { kind, equipment: `generator:${place + 1}`, name: `generator ${place + 1} at bus ${id}` };
    return [{ outage: { injections: [{ bus, p, q, releases: perBus.get(id) === 1 }] }, named }];
  });
}

function groupOutage(grid: CaseGrid, group: OutageGroup): Listed {
  const fail = (what: string): never => {
    const say = `group '${group.name}': ${grid.name} has no ${what}; no outage was calculated`;
    throw new EnerchainError('caller', 'contingencies.group', say);
  };
  if (group.equipment) fail('equipment with mRIDs or names, but branches, buses and generators with numbers');
  const index = new Map(grid.ids.map((id, i) => [id, i]));
  const branches = (group.branches ?? []).map((place) => {
    const { row } = grid.branches[place - 1] ?? fail(`branch ${place}`);
    return row;
  });
  const buses = (group.buses ?? []).map((id) => index.get(id) ?? fail(`bus ${id}`));
  const injections = (group.generators ?? []).flatMap((id) => {
    const bus = index.get(id) ?? fail(`bus ${id}`);
    const there = (grid.generators ?? []).filter((generator) => generator.bus === id);
    if (there.length === 0) fail(`generator in service at bus ${id}`);
    return there.map(({ p, q }) => ({ bus, p, q, releases: true }));
  });
  return {
    outage: { branches: branches.filter((row) => row >= 0), buses, injections },
    named: { kind: 'group', equipment: group.name, name: group.name },
  };
}

function limitsOf(grid: CaseGrid): OperatingLimits {
  const limits = noLimits(grid.ids.length, grid.case.branches.from.length);
  for (const { row, rating } of grid.branches) {
    if (row < 0) continue;
    limits.from[row] = rating / grid.baseMVA;
    limits.to[row] = rating / grid.baseMVA;
  }
  if (grid.vMin) limits.vMin.set(grid.vMin);
  if (grid.vMax) limits.vMax.set(grid.vMax);
  return limits;
}

/** Capacities of the generators per bus, pu. */
function capacities(grid: CaseGrid): Float64Array {
  const index = new Map(grid.ids.map((id, i) => [id, i]));
  const capacity = new Float64Array(grid.ids.length);
  for (const { bus, pMax } of grid.generators ?? []) {
    const i = index.get(bus)!;
    if (Number.isFinite(pMax)) capacity[i] = capacity[i]! + Math.max(0, pMax);
  }
  return capacity;
}

function brokenLimit(grid: CaseGrid, { kind, index, value, limit, before }: Violation): BrokenLimit {
  const loading = (100 * value) / limit;
  if (kind !== 'overload') {
    const id = grid.ids[index];
    return { equipment: `bus:${id}`, name: `bus ${id}`, kind, value, limit, loading, before };
  }
  const { baseMVA } = grid;
  return {
    ...branchName(grid, placesOf(grid)[index]!),
    kind,
    value: value * baseMVA,
    limit: limit * baseMVA,
    loading,
    before: before * baseMVA,
  };
}

const places = new WeakMap<CaseGrid, Int32Array>();

/** Row of the branch table → place among the branches of the file. */
function placesOf(grid: CaseGrid): Int32Array {
  let known = places.get(grid);
  if (!known) {
    const of = new Int32Array(grid.case.branches.from.length);
    grid.branches.forEach(({ row }, place) => {
      if (row >= 0) of[row] = place;
    });
    known = of;
    places.set(grid, known);
  }
  return known;
}

function branchName(grid: CaseGrid, place: number): { equipment: string; name: string } {
  const { from, to } = grid.branches[place]!;
  return { equipment: `branch:${place + 1}`, name: `branch ${place + 1} (${from}–${to})` };
}
