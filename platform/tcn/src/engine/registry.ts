/** All nodes of which something is known, and who is told when a state changes. */
import type { NodeTrust } from '@enerchain/attestation';
import { TCN_LIMITS } from './limits.ts';
import type { TcnOptions } from './ports.ts';
import { NodeRecord } from './record.ts';

interface RegistryOptions extends Pick<TcnOptions, 'policy' | 'clock' | 'onChange' | 'onEvent'> {
  /** Something was decided that must outlive the process. */
  readonly decided?: () => void;
}

export class Registry {
  readonly #options: RegistryOptions;
  readonly #records = new Map<string, NodeRecord>();

  constructor(options: RegistryOptions, neighbours: readonly string[]) {
    this.#options = options;
    for (const name of neighbours) this.#records.set(name, new NodeRecord(name, 'network', true));
  }

  all(): NodeRecord[] {
    return [...this.#records.values()];
  }

  find(name: string): NodeRecord | undefined {
    return this.#records.get(name);
  }

  /** The record of a node, made when there is none; when there are too many, one that says nothing goes. */
  of(name: string): NodeRecord {
    const known = this.#records.get(name);
    if (known) return known;
    if (this.#records.size >= TCN_LIMITS.nodes) {
      const victim = this.all().find(({ matters }) => !matters) ?? this.all().find(({ neighbour }) => !neighbour);
      if (victim) this.#records.delete(victim.name);
    }
    const record = new NodeRecord(name, 'network', false);
    this.#records.set(name, record);
    return record;
  }

  trust(record: NodeRecord): NodeTrust {
    return record.trust(this.#options.clock.monotonic(), this.#options.clock.now());
  }

  /** Draws the conclusions from what is known now, and tells those that are new. */
  reassess(records: readonly NodeRecord[]): void {
    const { policy, clock, onEvent, onChange } = this.#options;
    const [inForce, now, wall] = [policy(), clock.monotonic(), clock.now()];
    const changed = records.filter((record) => {
      const before = record.assessment;
      if (!record.reassess(inForce, now, wall)) return false;
      const after = record.assessment!;
      const unknown = !before && !record.neighbour && after.reaction === 'none';
      if (!unknown && (before?.reaction !== after.reaction || before.status !== after.status)) {
        const text = `${record.name}: ${after.status}, ${after.reaction}: ${after.reason}`;
        onEvent?.({ kind: 'reaction', code: `tcn.${after.reaction}`, node: record.name, text });
      }
      return true;
    });
    if (changed.length > 0) onChange?.(changed.map((record) => this.trust(record)));
  }

  /** Something that an honest node does not do, or that people should know of. */
  notice(node: string, text: string, code = 'tcn.notice'): void {
    this.#options.onEvent?.({ kind: 'security', code, node, text });
  }

  /** Puts a node into quarantine, until a release and fresh good evidence. */
  convict(
    record: NodeRecord,
    by: 'own evidence' | 'evidence of a neighbour' | 'operator',
    reason: string,
    digest?: string,
  ): void {
    if (record.conviction && !record.conviction.released) return;
    record.conviction = { by, reason, released: false, digest };
    this.decided();
  }

  decided(): void {
    this.#options.decided?.();
  }
}
