/** What the calculation says, as points of a source of its own: voltages and angles, loading, losses, and its own health. */
import {
  type Binding,
  derivedMrid,
  type Endpoint,
  type GridModel,
  type Mrid,
  type Point,
  QUALITY,
} from '@enerchain/model';
import type { Announcement } from '@enerchain/service';
import type { PowerFlowResult } from '../power-flow.ts';

export const SOURCE = 'grid-state';
const SITE = { id: 'grid-state', name: 'Grid state' };
const ENDPOINT: Endpoint = { id: 'solution', name: 'Power flow', protocol: 'calculation' };

export interface Output {
  readonly point: Point;
  /** Canonical text of what the point stands for. */
  readonly address: string;
  /** Smallest change worth a new observation, in the unit of the point. */
  readonly resolution: number;
  /** Null where there is no solution, or no outage has been calculated. */
  read(result: PowerFlowResult, solveMillis: number, outages: OutageReadings | undefined): number | null;
}

/** What single outages would do, as last calculated. */
export interface OutageReadings {
  /** Outages that would break limits. */
  readonly violations: number;
  /** % per line and transformer: the worst loading after any single outage. */
  readonly loading: ReadonlyMap<Mrid, number>;
}

type Columns = Omit<Point, 'mRID' | 'name' | 'kind' | 'cdc'> & { readonly kind?: Point['kind'] };

/** The point in which something is published. @param address canonical text of what it stands for */
export const pointOf = (address: string): Mrid => derivedMrid(SITE.id, ENDPOINT.id, address);

/** Everything the service publishes for a grid. */
export function outputsOf(model: GridModel): Output[] {
  const outputs: Output[] = [];
  const add = (address: string, name: string, resolution: number, columns: Columns, read: Output['read']): void => {
    const mRID = pointOf(address);
    const { kind = 'analog', ...rest } = columns;
    const cdc = kind === 'discrete' ? 'INS' : 'MV';
    outputs.push({ point: { mRID, name, kind, cdc, staleAfter: 180, ...rest }, address, resolution, read });
  };
  // The results of branches stand in this order; looking each one up by name would cost its square.
  const branchIndex = new Map(
    ['ACLineSegment', 'PowerTransformer']
      .flatMap((kind) => model.equipment.filter((equipment) => equipment.class === kind))
      .map(({ mRID }, index) => [mRID, index]),
  );
  for (const equipment of model.equipment) {
    const { mRID, name } = equipment;
    if (equipment.class === 'BusbarSection') {
      const { connectivityNode, mRID: terminal } = equipment.terminals[0]!;
      const bus = (result: PowerFlowResult) => result.buses[result.busOfNode.get(connectivityNode) ?? -1];
      // A busbar without source has no voltage, and that is known: 0. One that could not be solved has no value.
      const dead = (result: PowerFlowResult): boolean => {
        const island = result.islands[bus(result)?.island ?? -1];
        return island !== undefined && !island.energised;
      };
      const belongs = { equipment: mRID, terminal };
      add(
        `equipment=${mRID} voltage`,
        `${name} voltage (calculated)`,
        0.002,
        { measurementType: 'LineToLineVoltage', phases: 'AB', unitSymbol: 'V', unitMultiplier: 'k', ...belongs },
        (result) => (dead(result) ? 0 : (bus(result)?.voltage ?? null)),
      );
      add(
        `equipment=${mRID} angle`,
        `${name} voltage angle (calculated)`,
        0.005,
        { measurementType: 'VoltageAngle', unitSymbol: 'deg', ...belongs },
        (result) => bus(result)?.angle ?? null,
      );
    } else if (equipment.class === 'ACLineSegment' || equipment.class === 'PowerTransformer') {
      const index = branchIndex.get(mRID) ?? -1;
      const branch = (result: PowerFlowResult) => result.branches[index];
      add(
        `equipment=${mRID} loading`,
        `${name} loading (calculated)`,
        0.1,
        { measurementType: 'Loading', unitSymbol: 'none', description: '%', equipment: mRID },
        (result) => branch(result)?.loading ?? null,
      );
      add(
        `equipment=${mRID} loading after outage`,
        `${name} loading after the worst single outage (calculated)`,
        0.5,
        { measurementType: 'Loading', unitSymbol: 'none', description: '%', equipment: mRID },
        (_, __, outages) => outages?.loading.get(mRID) ?? null,
      );
      add(
        `equipment=${mRID} p`,
        `${name} active power (calculated)`,
        0.005,
        {
          measurementType: 'ThreePhaseActivePower',
          unitSymbol: 'W',
          unitMultiplier: 'M',
          equipment: mRID,
          terminal: equipment.terminals[0]!.mRID,
        },
        (result) => branch(result)?.from?.p ?? null,
      );
    }
  }
  add(
    'losses',
    'Grid losses (calculated)',
    0.002,
    { measurementType: 'ActivePowerLosses', unitSymbol: 'W', unitMultiplier: 'M' },
    (result) => result.losses,
  );
  add(
    'converged',
    'Power flow converged',
    0.5,
    { kind: 'discrete', valueAliases: { '0': 'no', '1': 'yes' }, normalValue: 1 },
    (result) => (result.converged ? 1 : 0),
  );
  add(
    'islands',
    'Energised islands',
    0.5,
    { kind: 'discrete' },
    (result) => result.islands.filter((island) => island.energised).length,
  );
  add('dead', 'Busbars without voltage', 0.5, { kind: 'discrete', normalValue: 0 }, (result) => {
    const dead = new Set(result.islands.filter((island) => !island.energised).map((island) => island.index));
    return model.equipment.filter(
      (each) =>
        each.class === 'BusbarSection' &&
        dead.has(result.buses[result.busOfNode.get(each.terminals[0]!.connectivityNode) ?? -1]?.island ?? -1),
    ).length;
  });
  add(
    'contingencies',
    'Single outages that would break limits',
    0.5,
    { kind: 'discrete', normalValue: 0 },
    (_, __, outages) => outages?.violations ?? null,
  );
  add('time', 'Power flow solve time', 0.5, { unitSymbol: 's', unitMultiplier: 'm' }, (_, solveMillis) => solveMillis);
  return outputs;
}

/**
 * The announcement of the service.
 * @param inputs names of the sources whose values are calculated with
 */
export function announcementOf(outputs: readonly Output[], inputs: readonly string[]): Announcement {
  const bindings: Binding[] = outputs.map(({ point, address }) => ({
    point: point.mRID,
    endpoint: ENDPOINT.id,
    address,
    access: 'read',
  }));
  const endpoint = { ...ENDPOINT, ...(inputs.length > 0 ? { inputs: [...inputs] } : {}) };
  return { site: SITE, endpoints: [endpoint], points: outputs.map(({ point }) => point), bindings };
}

export interface OutputValue {
  readonly point: Mrid;
  readonly value: number | null;
  readonly quality: number;
}

/** Says only what is new: a value that has moved by its resolution, and everything once in a while. */
export class OutputFilter {
  readonly #said = new Map<Mrid, { value: number | null; at: number }>();
  readonly #repeatAfter: number;

  /** @param repeatAfter ms after which a value is said again although it stands */
  constructor(repeatAfter = 60_000) {
    this.#repeatAfter = repeatAfter;
  }

  /** @param at ms of a clock that never steps */
  select(
    outputs: readonly Output[],
    result: PowerFlowResult,
    solveMillis: number,
    at: number,
    outages?: OutageReadings,
  ): OutputValue[] {
    const values: OutputValue[] = [];
    for (const { point, resolution, read } of outputs) {
      const value = read(result, solveMillis, outages);
      const said = this.#said.get(point.mRID);
      const same =
        said !== undefined &&
        at - said.at < this.#repeatAfter &&
        (value === null || said.value === null ? value === said.value : Math.abs(value - said.value) < resolution);
      if (same) continue;
      this.#said.set(point.mRID, { value, at });
      const quality = value === null ? QUALITY.invalid | QUALITY.estimated : QUALITY.good | QUALITY.estimated;
      values.push({ point: point.mRID, value, quality });
    }
    return values;
  }

  /** Everything will be said again. */
  forget(): void {
    this.#said.clear();
  }
}
