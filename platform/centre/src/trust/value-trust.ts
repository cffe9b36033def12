/** Trust of values: that of their source at the time, and for what is calculated also that of what it is calculated from. */
import type { ValueTrust } from '@enerchain/attestation';
import type { UtcNanos } from '@enerchain/model';
import type { NodeState } from './node-state.ts';
import { lesser } from './worth.ts';

/** Services that calculate from what services have calculated: further ones are not looked at. */
const MOST_STEPS = 4;

export class ValueTrusts {
  readonly #nodes: ReadonlyMap<string, NodeState>;
  readonly #inputsOf: (source: string) => readonly string[];
  readonly #listeners = new Set<(source: string, from: UtcNanos) => void>();

  /** @param inputsOf the sources from whose values another one calculates its own; none for a gateway */
  constructor(nodes: ReadonlyMap<string, NodeState>, inputsOf: (source: string) => readonly string[]) {
    this.#nodes = nodes;
    this.#inputsOf = inputsOf;
  }

  /** Trust of a value of a source that the gateway received at a time: the least of all that it rests on. */
  of(source: string, receiveTime: UtcNanos, depth = 0): ValueTrust {
    let worst = this.#nodes.get(source)?.at(receiveTime) ?? 'unknown';
    if (depth >= MOST_STEPS) return worst;
    for (const input of this.#inputsOf(source)) {
      if (worst === 'distrusted') break;
      worst = lesser(worst, this.of(input, receiveTime, depth + 1));
    }
    return worst;
  }

  /** Values of a source that were received from a time on have another trust than before. @returns unsubscribe */
  onChange(listener: (source: string, from: UtcNanos) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells of a source, and of what is calculated from its values. */
  changed(source: string, from: UtcNanos, depth = 0): void {
    for (const listener of this.#listeners) listener(source, from);
    if (depth >= MOST_STEPS) return;
    for (const other of this.#nodes.keys()) {
      if (this.#inputsOf(other).includes(source)) this.changed(other, from, depth + 1);
    }
  }
}
