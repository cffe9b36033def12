/**
 * Which parts are energised, from the positions of the switches alone: a walk from every source over closed switches,
 * lines and transformers; and which dead ones are earthed. Linear in the size of the grid; runs whenever a switch moves.
 */
import type { GridModel } from '@enerchain/model';
import { isEarthing, isSource, isSwitch, isTransformer } from './equipment.ts';

export type SwitchState = 'open' | 'closed' | 'uncertain';
/**
 * `uncertain`: energised only if a switch whose position is not known is closed. `earthed`: dead, and joined to earth over
 * a closed earthing switch without a transformer between.
 */
export type Energised = 'live' | 'uncertain' | 'dead' | 'earthed';

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
  /** How a switch stands of which nothing is reported. */
  readonly open: boolean;
}

export class Topology {
  readonly #nodeIndex: Map<string, number>;
  readonly #branches: Branch[] = [];
  readonly #branchesAt: number[][];
  readonly #terminals = new Map<string, number[]>();
  readonly #roots: { node: number; mRID: string }[] = [];
  readonly #earthing: { readonly node: number; readonly mRID: string; readonly open: boolean }[] = [];

  constructor(model: GridModel) {
    this.#nodeIndex = new Map(model.connectivityNodes.map((node, index) => [node.mRID, index]));
    this.#branchesAt = model.connectivityNodes.map(() => []);
    for (const equipment of model.equipment) {
      const { mRID } = equipment;
      const ends = equipment.terminals.flatMap(({ connectivityNode, connected }) => {
        const index = this.#nodeIndex.get(connectivityNode);
        return index === undefined ? [] : [{ index, joined: connected !== false && equipment.inService !== false }];
      });
      this.#terminals.set(
        mRID,
        ends.map(({ index }) => index),
      );
      const [first, ...others] = ends.filter(({ joined }) => joined).map(({ index }) => index);
      if (first === undefined) continue;
      if (isSource(equipment)) this.#roots.push({ node: first, mRID });
      const open = isSwitch(equipment) && (equipment.open ?? equipment.normalOpen);
      if (isEarthing(equipment)) {
        this.#earthing.push({ node: first, mRID, open });
        continue;
      }
      const kind = isSwitch(equipment) ? 'switch' : isTransformer(equipment) ? 'transformer' : 'line';
      for (const other of others) {
        const index = this.#branches.push({ mRID, a: first, b: other, kind, open }) - 1;
        this.#branchesAt[first]!.push(index);
        this.#branchesAt[other]!.push(index);
      }
    }
  }

  /**
   * @param positions the position of a switch as reported; one of which nothing is known stands as the model says
   * @param out equipment that is taken out, as if it were not there
   */
  energise(positions: SwitchPositions, out: ReadonlySet<string> = new Set()): EnergisedState {
    const stateOf = ({ mRID, open }: { readonly mRID: string; readonly open: boolean }): SwitchState =>
      positions(mRID) ?? (open ? 'open' : 'closed');
    const states = this.#branches.map((branch): SwitchState => {
      if (out.has(branch.mRID)) return 'open';
      return branch.kind === 'switch' ? stateOf(branch) : 'closed';
    });
    const roots = this.#roots.filter(({ mRID }) => !out.has(mRID));
    const live = this.#walk(roots, states, (state) => state === 'closed');
    const perhaps = this.#walk(roots, states, (state) => state !== 'open');
    const earths = this.#earthing.filter((each) => stateOf(each) === 'closed');
    const earthed = this.#walk(earths, states, (state, { kind }) => state === 'closed' && kind !== 'transformer');
    const of = (index: number): Energised => {
      if (live[index] !== undefined) return 'live';
      if (earthed[index] !== undefined) return 'earthed';
      return perhaps[index] !== undefined ? 'uncertain' : 'dead';
    };
    return {
      node: (mRID) => {
        const index = this.#nodeIndex.get(mRID);
        return index === undefined ? 'dead' : of(index);
      },
      equipment: (mRID) => {
        if (out.has(mRID)) return 'dead';
        const ends = (this.#terminals.get(mRID) ?? []).map(of);
        return (['live', 'earthed', 'uncertain'] as const).find((state) => ends.includes(state)) ?? 'dead';
      },
      sourceOf: (mRID) => {
        const index = this.#nodeIndex.get(mRID);
        return index === undefined ? undefined : live[index];
      },
    };
  }

  /** @returns by node, from which root or over which transformer the walk came to it */
  #walk(
    roots: readonly { readonly node: number; readonly mRID: string }[],
    states: readonly SwitchState[],
    passes: (state: SwitchState, branch: Branch) => boolean,
  ): (string | undefined)[] {
    const fedBy: (string | undefined)[] = new Array(this.#branchesAt.length);
    const queue: number[] = [];
    for (const { node, mRID } of roots) {
      if (fedBy[node] !== undefined) continue;
      fedBy[node] = mRID;
      queue.push(node);
    }
    for (let head = 0; head < queue.length; head++) {
      const node = queue[head]!;
      for (const index of this.#branchesAt[node]!) {
        const branch = this.#branches[index]!;
        if (!passes(states[index]!, branch)) continue;
        const other = branch.a === node ? branch.b : branch.a;
        if (fedBy[other] !== undefined) continue;
        fedBy[other] = branch.kind === 'transformer' ? branch.mRID : fedBy[node];
        queue.push(other);
      }
    }
    return fedBy;
  }
}
