/**
 * A MATPOWER case as tables of the power-flow kernel, with MATPOWER's own meaning (User's Manual, chapters 3 and 4): what
 * is out of service or ends at an isolated bus takes no part; a bus holds its voltage only by a generator in service; of
 * several generators at a bus the powers add up and the last one's set-point counts.
 */
import type { MatpowerBranch, MatpowerCase } from '@enerchain/cim';
import { EnerchainError } from '@enerchain/model';
import { BUS_TYPE, branchTable, busTable, type PowerFlowCase } from '../powerflow/case.ts';
import type { Machine } from '../powerflow/control/machine.ts';
import type { StepControl } from '../powerflow/control/steps.ts';

/** A grid of buses and branches under the numbers of the file that it came from. */
export interface CaseGrid {
  readonly name: string;
  /** What 1 pu of power is, MVA. */
  readonly baseMVA: number;
  /** Number in the file of each bus of `case`. */
  readonly ids: readonly number[];
  /** Numbers among `ids` of buses that are no nodes of the file: what lies behind a source, the middle of a star. */
  readonly internal?: ReadonlySet<number>;
  /** All buses, in the order of the file; branches in service only. */
  readonly case: PowerFlowCase;
  /** Reactive power that the generators at each bus can bring in, less the load there; pu. Infinite without a limit. */
  readonly qMin: Float64Array;
  readonly qMax: Float64Array;
  /** All branches, in the order of the file. */
  readonly branches: readonly CaseBranch[];
  /**
   * What brings in power and may hold a voltage; without this list everything that holds a bus of `case`, within `qMin` and
   * `qMax`. Buses are those of `case`.
   */
  readonly machines?: readonly Machine[];
  /** Tap changers and shunts that move on request. */
  readonly steps?: readonly StepControl[];
  /** Generators and the like in service, in the order of the file: what may be lost on its own. */
  readonly generators?: readonly CaseGenerator[];
  /** What consumers draw at each bus, without what is brought in there; pu. */
  readonly load?: { readonly p: Float64Array; readonly q: Float64Array };
  /** Voltage band of each bus, pu. */
  readonly vMin?: Float64Array;
  readonly vMax?: Float64Array;
  /** What was understood otherwise than one might think, a sentence each. */
  readonly notes: readonly string[];
}

export interface CaseBranch {
  /** Its own number, where the file has one; the parts of one with more than two ends share it. */
  readonly id?: number;
  /** Numbers in the file. */
  readonly from: number;
  readonly to: number;
  /** Its row in `case.branches`; -1 when out of service. */
  readonly row: number;
  /** MVA; 0 without one. */
  readonly rating: number;
}

export interface CaseGenerator {
  /** Number in the file of its bus. */
  readonly bus: number;
  /** Powers that it brings in, pu. */
  readonly p: number;
  readonly q: number;
  /** The most active power that it can bring in, pu. */
  readonly pMax: number;
  readonly qMin: number;
  readonly qMax: number;
}

const RADIANS = Math.PI / 180;
const MAX_LISTED = 10;

const listed = (ids: readonly number[]): string =>
  `bus ${ids.slice(0, MAX_LISTED).join(', ')}${ids.length > MAX_LISTED ? ` and ${ids.length - MAX_LISTED} more` : ''}`;

/** @throws EnerchainError `case.impedance`, `case.voltage` (peer): a grid that has no power flow */
export function caseOfMatpower(source: MatpowerCase): CaseGrid {
  const { baseMVA } = source;
  const count = source.buses.length;
  const buses = busTable(count);
  const index = new Map(source.buses.map(({ number }, i) => [number, i]));
  const notes: string[] = [];
  const qMin = new Float64Array(count);
  const qMax = new Float64Array(count);
  const generators: CaseGenerator[] = [];
  const load = { p: new Float64Array(count), q: new Float64Array(count) };
  source.buses.forEach((bus, i) => {
    buses.vm[i] = bus.vm > 0 ? bus.vm : 1;
    buses.va[i] = bus.va * RADIANS;
    if (bus.type === 'isolated') return;
    buses.p[i] = -bus.pd / baseMVA;
    buses.q[i] = -bus.qd / baseMVA;
    qMin[i] = buses.q[i]!;
    qMax[i] = buses.q[i]!;
    load.p[i] = -buses.p[i]!;
    load.q[i] = -buses.q[i]!;
    buses.gs[i] = bus.gs / baseMVA;
    buses.bs[i] = bus.bs / baseMVA;
  });

  const setPoints = new Map<number, number>();
  const contradicted = new Set<number>();
  const unheld: number[] = [];
  for (const generator of source.generators) {
    const i = index.get(generator.bus)!;
    const { type } = source.buses[i]!;
    if (!generator.inService || type === 'isolated') continue;
    buses.p[i] = buses.p[i]! + generator.pg / baseMVA;
    buses.q[i] = buses.q[i]! + generator.qg / baseMVA;
    qMin[i] = qMin[i]! + generator.qmin / baseMVA;
    qMax[i] = qMax[i]! + generator.qmax / baseMVA;
    generators.push({
      bus: generator.bus,
      p: generator.pg / baseMVA,
      q: generator.qg / baseMVA,
      pMax: generator.pmax / baseMVA,
      qMin: generator.qmin / baseMVA,
      qMax: generator.qmax / baseMVA,
    });
    if (type !== 'pq' && !(generator.vg > 0)) {
      throw new EnerchainError(
        'peer',
        'case.voltage',
        `a generator at bus ${generator.bus} is to hold ${generator.vg} pu`,
      );
    }
    const other = setPoints.get(i);
    if (type !== 'pq' && other !== undefined && other !== generator.vg) contradicted.add(generator.bus);
    setPoints.set(i, generator.vg);
  }
  source.buses.forEach(({ type, number }, i) => {
    if (type !== 'pv' && type !== 'slack') return;
    const setPoint = setPoints.get(i);
    if (setPoint === undefined) unheld.push(number);
    else {
      buses.type[i] = BUS_TYPE[type];
      buses.vm[i] = setPoint;
    }
  });
  if (unheld.length > 0) {
    notes.push(`no generator in service holds the voltage, taken as load buses: ${listed(unheld)}`);
  }
  if (contradicted.size > 0) {
    notes.push(`generators of one bus have different set-points, the last one counts: ${listed([...contradicted])}`);
  }

  const isolated = (number: number): boolean => source.buses[index.get(number)!]!.type === 'isolated';
  const live = source.branches.filter(({ inService, from, to }) => inService && !isolated(from) && !isolated(to));
  const ended = source.branches.filter(({ inService }) => inService).length - live.length;
  if (ended > 0) notes.push(`${ended} branches in service end at isolated buses and are left out`);
  const rows = new Map<MatpowerBranch, number>(live.map((branch, row) => [branch, row]));
  const branches = branchTable(live.length);
  live.forEach((branch, row) => {
    const { from, to, r, x, b } = branch;
    const ratio = branch.ratio === 0 ? 1 : branch.ratio;
    const what =
      r === 0 && x === 0
        ? 'has neither resistance nor reactance'
        : Number.isFinite(1 / (r * r + x * x)) && Number.isFinite((1 + Math.abs(b)) / (ratio * ratio))
          ? undefined
          : 'has an impedance or ratio next to nothing';
    if (what !== undefined) {
      const place = source.branches.indexOf(branch) + 1;
      throw new EnerchainError('peer', 'case.impedance', `branch ${place}, from bus ${from} to bus ${to}, ${what}`);
    }
    branches.from[row] = index.get(from)!;
    branches.to[row] = index.get(to)!;
    branches.r[row] = r;
    branches.x[row] = x;
    // Half of the charging lies behind the ideal transformer: seen from the terminal it is divided by the ratio squared.
    branches.bFrom[row] = b / 2 / (ratio * ratio);
    branches.bTo[row] = b / 2;
    branches.ratio[row] = ratio;
    branches.shift[row] = branch.angle * RADIANS;
  });
  return {
    name: source.name,
    baseMVA,
    ids: source.buses.map(({ number }) => number),
    case: { buses, branches },
    qMin,
    qMax,
    branches: source.branches.map((branch) => ({
      from: branch.from,
      to: branch.to,
      row: rows.get(branch) ?? -1,
      rating: branch.rateA,
    })),
    generators,
    load,
    vMin: Float64Array.from(source.buses, ({ vmin }) => vmin),
    vMax: Float64Array.from(source.buses, ({ vmax }) => vmax),
    notes,
  };
}
