/** A grid model in a state of its switches and taps; topologies are kept, and found again or moved on from. */
import type { GridModel, Mrid } from '@enerchain/model';
import { type CompiledGrid, compileGrid } from './compiled-grid.ts';
import { buildTopology, moveSwitch, type Topology } from './topology.ts';

/** What is moved in the grid. Whatever is not named stands as the model says. */
export interface SwitchAndTapState {
  /** Switch mRID → closed. */
  readonly switches?: ReadonlyMap<Mrid, boolean>;
  /** mRID of a tap changer, or of a transformer for its first one → position. */
  readonly taps?: ReadonlyMap<Mrid, number>;
}

export interface Network {
  readonly topology: Topology;
  readonly state: SwitchAndTapState;
}

/** Topologies of a model that were needed lately; what the solver knows of them hangs on them. */
const KEPT_TOPOLOGIES = 32;
/** Up to so many switches are moved one by one from the topology needed last. */
const MAX_MOVES = 8;

interface Kept {
  readonly grid: CompiledGrid;
  /** The one needed last at the end. */
  readonly topologies: Topology[];
}
const compiled = new WeakMap<GridModel, Kept>();

/**
 * Topologies are kept per model object and switch state, so calling this every second costs a comparison.
 * @throws EnerchainError (caller) when the model's references lead nowhere
 */
export function buildNetwork(model: GridModel, state: SwitchAndTapState = {}): Network {
  let kept = compiled.get(model);
  if (!kept) {
    kept = { grid: compileGrid(model), topologies: [] };
    compiled.set(model, kept);
  }
  return { topology: topologyFor(kept, positions(kept.grid, state)), state };
}

function positions(grid: CompiledGrid, { switches }: SwitchAndTapState): Uint8Array {
  const closed = grid.closed.slice();
  if (switches) {
    for (const [mRID, isClosed] of switches) {
      const index = grid.switchIndex.get(mRID);
      if (index !== undefined) closed[index] = isClosed && grid.usable[index] === 1 ? 1 : 0;
    }
  }
  return closed;
}

function topologyFor({ grid, topologies }: Kept, closed: Uint8Array): Topology {
  const at = topologies.findLastIndex((topology) => topology.closed.every((value, index) => value === closed[index]));
  if (at >= 0) {
    const [found] = topologies.splice(at, 1) as [Topology];
    topologies.push(found);
    return found;
  }
  const last = topologies.at(-1);
  const topology = (last && movedOn(last, closed)) ?? buildTopology(grid, closed);
  if (topologies.length >= KEPT_TOPOLOGIES) topologies.shift();
  topologies.push(topology);
  return topology;
}

/** @returns nothing when too much has moved */
function movedOn(last: Topology, closed: Uint8Array): Topology | undefined {
  const moves: number[] = [];
  for (let index = 0; index < closed.length; index++) {
    if (last.closed[index] === closed[index]) continue;
    if (moves.length === MAX_MOVES) return undefined;
    moves.push(index);
  }
  return moves.reduce((topology, index) => moveSwitch(topology, index, closed[index] === 1), last);
}
