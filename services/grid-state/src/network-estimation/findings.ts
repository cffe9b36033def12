/** Residuals, bad data and what cannot be observed, in the terms of the network. */
import type { Mrid } from '@enerchain/model';
import type { CheckedEstimate } from '../estimation/bad-data.ts';
import { BASE_MVA } from '../topology/branch-parameters.ts';
import type { IslandWork, Scope } from './island-measurements.ts';
import type { BadData, MeasurementEstimate, MissingMeasurement, Unused } from './network-estimate.ts';

export class Findings {
  /** By the place of the measurement in the inputs. */
  readonly measurements: { -readonly [K in keyof MeasurementEstimate]: MeasurementEstimate[K] }[];
  readonly badData: BadData[] = [];
  readonly unobservable: Mrid[] = [];
  readonly restore: MissingMeasurement[] = [];
  readonly #scope: Scope;

  constructor(scope: Scope, unused: ReadonlyMap<number, Unused>) {
    this.#scope = scope;
    const { equipment } = scope.network.topology.grid.model;
    const equipmentAt = new Map(equipment.flatMap(({ mRID, terminals }) => terminals.map((t) => [t.mRID, mRID])));
    this.measurements = scope.inputs.measurements.map((measurement, k) => {
      const reason = unused.get(k);
      return {
        ...measurement,
        equipment: equipmentAt.get(measurement.terminal),
        estimated: null,
        residual: null,
        normalizedResidual: null,
        critical: false,
        suspect: false,
        ...(reason && { unused: reason }),
      };
    });
  }

  /** Residuals and findings in the terms of the network. */
  add(work: IslandWork, checked: CheckedEstimate): void {
    const { estimate, residual, normalized } = checked;
    const { observability } = estimate;
    const critical = new Set(checked.critical);
    const suspects = new Set(checked.bad.map(({ measurement }) => measurement));
    work.sources.forEach((source, k) => {
      const known = estimate.converged && observability.unknownChannel[estimate.channelOf[k]!] === 0;
      const shown = { critical: critical.has(k), suspect: suspects.has(k) };
      const number = Number.isNaN(normalized[k]!) || !known ? null : normalized[k]!;
      if ('measurement' in source) {
        const result = this.measurements[source.measurement]!;
        const unit = result.sigma / work.rows[k]!.sigma;
        Object.assign(result, shown, {
          estimated: known ? result.value - residual[k]! * unit : null,
          residual: known ? residual[k]! * unit : null,
          normalizedResidual: number,
        });
        return;
      }
      if ('believed' in source) return;
      // The bus as a whole is off by the residual; each share has its part of it.
      const total = source.power.shares.reduce((sum, { variance }) => sum + variance, 0);
      for (const { measured, variance, value } of source.power.shares) {
        for (const m of measured) {
          const result = this.measurements[m]!;
          const estimated = (value - (residual[k]! * variance) / total) * BASE_MVA;
          Object.assign(result, shown, {
            estimated: known ? estimated : null,
            residual: known ? result.value - estimated : null,
            // Drawn, where the row counts what is brought in.
            normalizedResidual: number === null ? null : -number,
          });
        }
      }
    });
    this.#findings(work, checked);
  }

  /** Who stands behind a row of an island. */
  pointsOf(work: IslandWork, k: number): Mrid[] {
    const source = work.sources[k]!;
    if ('believed' in source) return [];
    const measured = 'measurement' in source ? [source.measurement] : source.power.shares.flatMap((s) => s.measured);
    return measured.map((m) => this.#scope.inputs.measurements[m]!.point);
  }

  #findings(work: IslandWork, { bad, estimate }: CheckedEstimate): void {
    const { topology } = this.#scope.network;
    const pointsOf = (k: number): Mrid[] => this.pointsOf(work, k);
    for (const { measurement: k, bus, power, normalizedResidual, error, alternatives } of bad) {
      const source = work.sources[k];
      const shares = source && 'power' in source ? source.power.shares : [];
      const believed = shares.filter((share) => share.believed).map(({ single }) => single.equipment.mRID);
      const unit =
        source && 'measurement' in source
          ? this.#scope.inputs.measurements[source.measurement]!.sigma / work.rows[k]!.sigma
          : source
            ? -BASE_MVA
            : BASE_MVA;
      this.badData.push({
        points: source ? pointsOf(k) : [],
        pseudo: source && 'believed' in source ? [source.believed] : believed,
        ...(source ? {} : { zeroInjection: { node: this.#nodeAt(work.index, bus), power: power! } }),
        normalizedResidual,
        error: error * unit,
        alternatives: alternatives.flatMap(pointsOf),
      });
    }
    const { observability } = estimate;
    if (observability.observable) return;
    const { island, place } = this.#scope.islands;
    topology.grid.nodes.forEach((mRID, node) => {
      const at = topology.busOfNode[node]!;
      if (island[at] === work.index && observability.unknown[place[at]!] !== 0) this.unobservable.push(mRID);
    });
    for (const { kind, at, end } of observability.restore) {
      if (kind === 'voltage') {
        this.restore.push({ kind, node: this.#nodeAt(work.index, at) });
        continue;
      }
      const branch = topology.grid.branches[this.#scope.islands.islands[work.index]!.rows[at]!]!;
      const terminal = end === 0 ? branch.fromTerminal : branch.toTerminal;
      this.restore.push({
        kind: kind === 'pFlow' ? 'flow' : 'tap',
        terminal: terminal ?? branch.fromTerminal,
        equipment: branch.equipment.mRID,
      });
    }
  }

  /** A connectivity node at a bus of an island's case. */
  #nodeAt(island: number, at: number): Mrid {
    const { members } = this.#scope.islands.islands[island]!;
    const { grid, firstNode } = this.#scope.network.topology;
    const buses = Array.from(members).filter((bus) => this.#scope.islands.place[bus] === at);
    const node = buses.map((bus) => firstNode[bus]!).find((each) => each < grid.nodes.length);
    if (node !== undefined) return grid.nodes[node]!;
    // A star point or open end: where its equipment begins.
    const inner = grid.innerNodes[firstNode[buses[0]!]! - grid.nodes.length]!;
    return inner.terminals[0]!.connectivityNode;
  }
}
