/** Regions, stations, voltage levels, bays and nodes. */
import type { GridModel, Mrid } from '@enerchain/model';
import { at, partOf, type Target } from './target.ts';

export class Places {
  readonly #target: Target;
  readonly #grid: Mrid;
  readonly #bases = new Map<number, Mrid>();
  /** kV by node. */
  readonly #nominal = new Map<Mrid, number>();
  /** The container that a node has in CIM: its voltage level, or the Line that it belongs to. */
  readonly #holder = new Map<Mrid, Mrid>();
  readonly #inLine = new Set<Mrid>();
  readonly #nodes = new Set<Mrid>();
  readonly #used = new Set<Mrid>();

  constructor(target: Target, grid: GridModel) {
    this.#target = target;
    this.#grid = grid.mRID;
    const [geographical, region] = [partOf(grid.mRID, 'geographical region'), partOf(grid.mRID, 'region')];
    target.define('EQ', 'GeographicalRegion', geographical, grid.name, {});
    target.define('EQ', 'SubGeographicalRegion', region, grid.name, {
      'SubGeographicalRegion.Region': at(geographical),
    });
    const lines = new Set<Mrid>();
    for (const { mRID, name, line } of grid.substations) {
      if (line) {
        lines.add(mRID);
        target.define('EQ', 'Line', mRID, name, { 'Line.Region': at(region) });
      } else target.define('EQ', 'Substation', mRID, name, { 'Substation.Region': at(region) });
    }
    const levels = new Map(grid.voltageLevels.map((level) => [level.mRID, level]));
    for (const { mRID, name, substation, nominalVoltage, lowVoltageLimit, highVoltageLimit } of grid.voltageLevels) {
      if (lines.has(substation)) continue;
      target.define('EQ', 'VoltageLevel', mRID, name, {
        'VoltageLevel.Substation': at(substation),
        'VoltageLevel.BaseVoltage': at(this.base(nominalVoltage)),
        'VoltageLevel.lowVoltageLimit': lowVoltageLimit,
        'VoltageLevel.highVoltageLimit': highVoltageLimit,
      });
    }
    for (const { mRID, name, voltageLevel } of grid.bays) {
      target.define('EQ', 'Bay', mRID, name, { 'Bay.VoltageLevel': at(voltageLevel) });
    }
    for (const { terminals } of grid.equipment) {
      for (const { connectivityNode } of terminals) this.#used.add(connectivityNode);
    }
    for (const { mRID, name, voltageLevel } of grid.connectivityNodes) {
      const { substation, nominalVoltage } = levels.get(voltageLevel)!;
      const inLine = lines.has(substation);
      const holder = inLine ? substation : voltageLevel;
      if (inLine) this.#inLine.add(mRID);
      this.#nominal.set(mRID, nominalVoltage);
      this.#holder.set(mRID, holder);
      // Nothing would say the voltage of a node in a Line that nothing is connected to: it is a bus (TP) and nothing else.
      if (inLine && !this.#used.has(mRID)) continue;
      this.#nodes.add(mRID);
      target.define('EQ', 'ConnectivityNode', mRID, name, { 'ConnectivityNode.ConnectivityNodeContainer': at(holder) });
    }
  }

  /** The base voltage of so many kV. */
  base(kilovolts: number): Mrid {
    let mRID = this.#bases.get(kilovolts);
    if (mRID === undefined) {
      mRID = partOf(this.#grid, `base voltage ${kilovolts} kV`);
      this.#bases.set(kilovolts, mRID);
      this.#target.define('EQ', 'BaseVoltage', mRID, `${kilovolts} kV`, { 'BaseVoltage.nominalVoltage': kilovolts });
    }
    return mRID;
  }

  /** kV of a node. */
  nominal(node: Mrid): number {
    return this.#nominal.get(node)!;
  }
  holder(node: Mrid): Mrid {
    return this.#holder.get(node)!;
  }
  /** Whether something is connected to a node. */
  isUsed(node: Mrid): boolean {
    return this.#used.has(node);
  }
  /** Whether EQ has the node. */
  isNode(node: Mrid): boolean {
    return this.#nodes.has(node);
  }

  /** What equipment says of its voltage: a node in a Line has no level that would say it. */
  baseOf(nodes: readonly Mrid[]): Mrid {
    return this.base(this.nominal(nodes.find((node) => this.#inLine.has(node)) ?? nodes[0]!));
  }
}
