/** Quarantine by a person, and the release from it by two: while good evidence is fresh, and never by one alone. */
import { randomUUID } from 'node:crypto';
import { type Clock, EnerchainError } from '@enerchain/model';
import type { NodeState, Release } from './node-state.ts';

export interface ReleaseDeskOptions {
  readonly clock: Clock;
  readonly nodes: ReadonlyMap<string, NodeState>;
  /** What was decided, for the audit. */
  readonly audit: (action: string, actor: string, subject: string, detail: Record<string, unknown>) => void;
  /** A node was put into quarantine or let in again by persons. */
  readonly decided: (
    node: NodeState,
    action: 'quarantine' | 'release',
    reason: string,
    persons: readonly string[],
  ) => void;
  /** A release was asked for. */
  readonly asked: (node: NodeState) => void;
}

export class ReleaseDesk {
  readonly #options: ReleaseDeskOptions;

  constructor(options: ReleaseDeskOptions) {
    this.#options = options;
  }

  /** @throws EnerchainError `trust.node.unknown` */
  quarantine(name: string, reason: string, by: string): void {
    const node = this.#known(name);
    node.isolate(this.#options.clock.now(), `${by} put it into quarantine: ${reason}`, by);
    this.#options.audit('trust.quarantine', by, name, { reason });
    this.#options.decided(node, 'quarantine', reason, [by]);
  }

  /**
   * The first person asks for a release.
   * @throws EnerchainError `trust.node.unknown`, `trust.release.needless`, `trust.release.evidence`
   */
  request(name: string, reason: string, by: string): Release {
    const node = this.#known(name);
    this.#check(node);
    const release: Release = { id: randomUUID(), requestedBy: by, reason, at: this.#options.clock.now() };
    node.ask(release);
    this.#options.audit('trust.release.request', by, name, { reason, release: release.id });
    this.#options.asked(node);
    return release;
  }

  /**
   * The second person approves it, and the node is let in again.
   * @throws EnerchainError `trust.release.unknown`, `trust.release.same-person`, `trust.release.evidence`
   */
  approve(id: string, by: string): NodeState {
    const node = [...this.#options.nodes.values()].find(({ release }) => release?.id === id);
    if (!node?.release) {
      throw new EnerchainError('caller', 'trust.release.unknown', `there is no release ${id} that waits for approval`);
    }
    const { requestedBy, reason } = node.release;
    if (requestedBy === by) {
      const text = `${by} has asked for the release of ${node.node}; another person has to approve it`;
      throw new EnerchainError('caller', 'trust.release.same-person', text);
    }
    this.#check(node);
    this.readmit(node, reason, [requestedBy, by]);
    return node;
  }

  /** @param persons who asked, and who agreed */
  readmit(node: NodeState, reason: string, persons: readonly string[]): void {
    node.readmit(this.#options.clock.now());
    const [requestedBy, by = requestedBy as string] = persons;
    this.#options.audit('trust.release', by, node.node, { reason, requestedBy });
    this.#options.decided(node, 'release', reason, persons);
  }

  #check(node: NodeState): void {
    if (!node.quarantine) {
      const text = `${node.node} is not in quarantine; nothing was done`;
      throw new EnerchainError('caller', 'trust.release.needless', text);
    }
    if (!node.goodEvidence(this.#options.clock.now())) {
      const text = `${node.node} has no fresh good evidence, so it cannot be released: ${node.trust.reason}`;
      throw new EnerchainError('caller', 'trust.release.evidence', text);
    }
  }

  #known(name: string): NodeState {
    const node = this.#options.nodes.get(name);
    if (node) return node;
    throw new EnerchainError('caller', 'trust.node.unknown', `there is no node ${name}`);
  }
}
