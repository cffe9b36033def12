/**
 * Which parts are energised, from the positions of the switches alone: a walk from every external injection over
 * closed switches, lines and transformers. Linear in the size of the grid; runs whenever a switch moves.
 */
import type { GridModel } from '@enerchain/model';

export type SwitchState = 'open' | 'closed' | 'uncertain';
/** `uncertain`: energised only if a switch whose position is not known is closed. */
export type Energised = 'live' | 'uncertain' | 'dead';

export interface EnergisedState {
  node(connectivityNode: string): Energised;
  equipment(mRID: string): Energised;
  /** mRID of the transformer, or else of the injection, that feeds the node; undefined when it is dead. */
  sourceOf(connectivityNode: string): string | undefined;
}

export type SwitchPositions = (switchMrid: string) => SwitchState | undefined;

interface Branch {
  readonly mRID: string;
  readonly a: number;
  readonly b: number;
  readonly kind: 'switch' | 'line' | 'transformer';
  readonly normalOpen: boolean;
}

export class Topology {
  readonly #nodeIndex: Map<string, number>;
  readonly #branches: Branch[] = [];
  readonly #branchesAt: number[][];
  readonly #terminals = new Map<string, number[]>();
  readonly #switches = new Set<string>();
  readonly #roots: { node: number; mRID: string }[] = [];

  constructor(model: GridModel) {
    this.#nodeIndex = new Map(model.connectivityNodes.map((node, index) => [node.mRID, index]));
    this.#branchesAt = model.connectivityNodes.map(() => []);
    for (const equipment of model.equipment) {
      const ends = equipment.terminals.flatMap(({ connectivityNode }) => {
        const index = this.#nodeIndex.get(connectivityNode);
        return index === undefined ? [] : [index];
      });
      this.#terminals.set(equipment.mRID, ends);
      const [a, b] = ends;
      if (a === undefined) continue;
      if (equipment.class === 'ExternalNetworkInjection') this.#roots.push({ node: a, mRID: equipment.mRID });
      if (b === undefined) continue;
      const kind =
        equipment.class === 'ACLineSegment'
          ? 'line'
          : equipment.class === 'PowerTransformer'
            ? 'transformer'
            : 'switch';
      const normalOpen = 'normalOpen' in equipment && equipment.normalOpen;
      if (kind === 'switch') this.#switches.add(equipment.mRID);
      const index = this.#branches.push({ mRID: equipment.mRID, a, b, kind, normalOpen }) - 1;
      this.#branchesAt[a]!.push(index);
      this.#branchesAt[b]!.push(index);
    }
  }

  /** @param positions the position of a switch as reported; a switch of which nothing is known stands as normal */
  energise(positions: SwitchPositions): EnergisedState {
    const states = this.#branches.map(
      ({ kind, mRID, normalOpen }): SwitchState =>
        kind === 'switch' ? (positions(mRID) ?? (normalOpen ? 'open' : 'closed')) : 'closed',
    );
    const live = this.#walk(states, (state) => state === 'closed');
    const perhaps = this.#walk(states, (state) => state !== 'open');
    const of = (index: number): Energised =>
      live[index] !== undefined ? 'live' : perhaps[index] !== undefined ? 'uncertain' : 'dead';
    return {
      node: (mRID) => {
        const index = this.#nodeIndex.get(mRID);
        return index === undefined ? 'dead' : of(index);
      },
      equipment: (mRID) => {
        const ends = (this.#terminals.get(mRID) ?? []).map(of);
        return ends.includes('live') ? 'live' : ends.includes('uncertain') ? 'uncertain' : 'dead';
      },
      sourceOf: (mRID) => {
        const index = this.#nodeIndex.get(mRID);
        return index === undefined ? undefined : live[index];
      },
    };
  }

  isSwitch(mRID: string): boolean {
    return this.#switches.has(mRID);
  }

  #walk(states: readonly SwitchState[], passes: (state: SwitchState) => boolean): (string | undefined)[] {
    const fedBy: (string | undefined)[] = new Array(this.#branchesAt.length);
    const queue: number[] = [];
    for (const { node, mRID } of this.#roots) {
      if (fedBy[node] !== undefined) continue;
      fedBy[node] = mRID;
      queue.push(node);
    }
    for (let head = 0; head < queue.length; head++) {
      const node = queue[head]!;
      for (const index of this.#branchesAt[node]!) {
        const branch = this.#branches[index]!;
        if (!passes(states[index]!)) continue;
        const other = branch.a === node ? branch.b : branch.a;
        if (fedBy[other] !== undefined) continue;
        fedBy[other] = branch.kind === 'transformer' ? branch.mRID : fedBy[node];
        queue.push(other);
      }
    }
    return fedBy;
  }
}
