/**
 * The trust keeper: the centre as a verifier. It asks each connected source for evidence, each period and as soon as the
 * source says that something has changed, appraises it, keeps what follows of it — the state of each node, the trust of its
 * values, alarms, reactions — and puts the results into the log, where receipts find them.
 *
 *   Rounds (whose turn) → Appraisals (evidence, verdict) → NodeState (what follows) → TrustAlarms, ValueTrusts, ResultLog
 */
import {
  type AttestationResult,
  type Attester,
  decodeResult,
  isGood,
  type Measurement,
  type NodeRole,
  type NodeTrust,
  type ReferenceValues,
  type SignedResult,
  type TrustPolicy,
  type TrustPort,
  type ValueTrust,
  Verifier,
} from '@enerchain/attestation';
import type { After } from '@enerchain/link';
import { type Clock, describeError, type UtcNanos } from '@enerchain/model';
import { type CborValue, coseParse1, type Identity } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { Findings } from '../ingest/findings.ts';
import { CENTRE } from '../ingest/own-chain.ts';
import type { LogPublisher, LogWriter } from '../ports.ts';
import { TrustAlarms } from './alarms.ts';
import { Appraisals } from './appraisals.ts';
import { NetworkView } from './network.ts';
import { type KeptNode, type KeyOrigin, NodeState, type Release } from './node-state.ts';
import type { AttestedPeer } from './peer.ts';
import { ReleaseDesk } from './release-desk.ts';
import { Renewals } from './renewals.ts';
import { ResultLog } from './result-log.ts';
import { type Charge, Rounds } from './rounds.ts';
import { ValueTrusts } from './value-trust.ts';
import { type LinkState, linkStates, nodesBetween } from './ways.ts';

export interface TrustKeeperOptions {
  readonly policy: TrustPolicy | undefined;
  /** Asked for each time: its certificate is renewed while the centre runs. */
  readonly identity: Identity;
  readonly references: ReferenceValues;
  readonly log: LogWriter & LogPublisher;
  readonly findings: Findings;
  readonly clock: Clock;
  readonly after: After;
  readonly logger: Logger;
  /** Asked for each time. */
  readonly caPem: string;
  isRevoked(fingerprint: string): boolean;
  /** Where the identity key of a node lies, as its certificate says. */
  certifiedOriginOf?(node: string): KeyOrigin | undefined;
  /** The sources from whose values another one calculates its own; none for a gateway. */
  inputsOf?(source: string): readonly string[];
  /** What the authority here has issued, by thumbprint. */
  certificateOf?(kid: Uint8Array): { readonly der: Uint8Array } | undefined;
  /** Development: takes as right what is particular to a node and was never seen. @returns whether it did */
  acceptFirst?(node: string, measurements: readonly Measurement[]): Promise<boolean>;
  /** Attests the centre itself; absent: the centre is no node of its own. */
  readonly own?: { readonly attester: Promise<Attester>; onChange(listener: () => void): () => void };
  /**
   * Development: the installation differs from the one that was vouched for before this start. What the policy put into
   * quarantine because of its files then counts anew.
   */
  readonly vouchedAnew?: boolean;
  readonly kept?: readonly KeptNode[];
}

/** Milliseconds between looks at what has run out. */
const LOOK_EVERY = 1_000;
/** Seconds between two looks at a node when no policy says so. */
const PERIOD = 60;
/** Nodes of which something is known at most; sources come before nodes of the network. */
const MOST_NODES = 20_000;

export class TrustKeeper implements TrustPort {
  readonly policy: TrustPolicy | undefined;
  readonly counters = { appraised: 0, good: 0, notGood: 0, silent: 0, logged: 0, quarantined: 0, released: 0 };
  /** What comes with requests for certificates. */
  readonly renewals: Renewals;
  readonly #options: TrustKeeperOptions;
  readonly #nodes = new Map<string, NodeState>();
  readonly #verifier: Verifier;
  readonly #rounds: Rounds;
  readonly #appraisals: Appraisals;
  readonly #results: ResultLog;
  readonly #alarms: TrustAlarms;
  readonly #values: ValueTrusts;
  readonly #network: NetworkView;
  readonly #desk: ReleaseDesk;
  /** Sources that are connected through a relay. */
  readonly #relayed = new Map<string, AttestedPeer>();
  readonly #listeners = new Set<(changed: readonly NodeTrust[]) => void>();
  readonly #saveListeners = new Set<() => void>();
  #cancelLook: () => void = () => undefined;
  #unwatchOwn: () => void = () => undefined;

  constructor(options: TrustKeeperOptions) {
    this.#options = options;
    const { policy, own, log, findings, clock, after, logger } = options;
    this.policy = policy;
    const period = (policy?.period ?? PERIOD) * 1000;
    for (const kept of options.kept ?? []) {
      this.#nodes.set(kept.node, new NodeState(kept.node, kept.role, clock.now(), kept));
    }
    this.#verifier = this.#newVerifier();
    this.#rounds = new Rounds({ clock, after, period, look: (charge) => this.#attest(charge) });
    this.#appraisals = new Appraisals({
      verifier: this.#verifier,
      clock,
      period,
      own: own && { attester: own.attester, origin: () => options.identity.signer.origin },
      acceptFirst: policy?.appraisal?.firstConfiguration === true ? options.acceptFirst : undefined,
    });
    this.#results = new ResultLog({
      log,
      logger,
      counters: this.counters,
      period,
      validFor: (policy?.validFor ?? 0) * 1000,
    });
    this.#alarms = new TrustAlarms(findings, clock);
    this.#values = new ValueTrusts(this.#nodes, (source) => this.inputsOf(source));
    this.renewals = this.#newRenewals();
    this.#network = this.#newNetwork();
    this.#desk = new ReleaseDesk({
      clock,
      nodes: this.#nodes,
      audit: (...record) => this.#audit(...record),
      decided: (...decision) => this.#decided(...decision),
      asked: (node) => this.#changed([node]),
    });
  }

  /** Each has a memory of its own: what one has seen of a node must not spare another one the look. */
  #newVerifier(): Verifier {
    const options = this.#options;
    return new Verifier({
      name: CENTRE,
      get signer() {
        return options.identity.signer;
      },
      kid: () => options.identity.kid,
      clock: options.clock,
      policy: () => this.policy,
      references: options.references,
      get caPem() {
        return options.caPem;
      },
      isRevoked: (fingerprint) => options.isRevoked(fingerprint),
    });
  }

  #newRenewals(): Renewals {
    const gate = this.#newVerifier();
    return new Renewals({
      policy: this.policy,
      appraise: async (evidence, node, binding) => {
        gate.forget(node);
        const signed = await gate.appraise(evidence, { node, binding });
        if (!isGood(signed.result)) this.#verifier.doubt(node);
        return signed;
      },
      hasAttested: (node) => this.#nodes.get(node)?.trust.tier !== undefined,
      findings: this.#options.findings,
    });
  }

  #newNetwork(): NetworkView {
    const options = this.#options;
    return new NetworkView({
      verifier: this.#newVerifier(),
      policy: this.policy,
      get identity() {
        return options.identity;
      },
      get caPem() {
        return options.caPem;
      },
      clock: options.clock,
      logger: options.logger,
      isRevoked: (fingerprint) => options.isRevoked(fingerprint),
      certificateOf: (kid) => options.certificateOf?.(kid),
      attestsItself: (node) => this.#rounds.has(node),
      onBadWord: (node) => this.#rounds.now(node),
      onStale: (verifier, node, text) => this.#alarms.stale(verifier, node, text),
      onWord: (result, bytes) => this.#results.publish(result, bytes),
      onResult: (result) => this.#hear(result),
      onViews: (name, views) => {
        const node = this.#nodes.get(name);
        if (!node) return;
        node.neighbours = views;
        this.#settle([node]);
      },
    });
  }

  get networkCounters(): Readonly<Record<string, number>> {
    return this.#network.counters;
  }

  /** Begins to look: at itself, and at what runs out. Sources come through `connected`. */
  start(): void {
    const { own, after } = this.#options;
    if (own) {
      this.#node(CENTRE, 'centre').connect(true);
      this.#unwatchOwn = own.onChange(() => this.#rounds.now(CENTRE));
      this.#rounds.begin(CENTRE, undefined);
    }
    const look = () => {
      this.#settle([...this.#nodes.values()]);
      this.#alarms.forgetStales();
      this.#alarms.verifier(this.#appraisals.check());
      this.#cancelLook = after(LOOK_EVERY, look);
    };
    this.#cancelLook = after(LOOK_EVERY, look);
  }

  close(): void {
    this.#cancelLook();
    this.#unwatchOwn();
    this.#rounds.close();
  }

  // --- what the link tells -------------------------------------------------------------------------------------------

  connected(peer: AttestedPeer): void {
    const { source, holder } = peer;
    const node = this.#node(source, holder.role === 'service' ? 'service' : 'edge');
    this.#rounds.end(source);
    this.#relayed.delete(source);
    node.connect(true);
    // Through a relay there is no common channel that evidence could be bound to.
    if (holder.role === 'relay') {
      this.#relayed.set(source, peer);
      node.silent(this.#options.clock.now(), `it is connected through the relay ${holder.name}`);
    } else {
      this.#rounds.begin(source, peer);
    }
    this.#settle([node]);
  }

  left(peer: AttestedPeer): void {
    const { source } = peer;
    if (this.#rounds.peerOf(source) !== peer && this.#relayed.get(source) !== peer) return;
    this.#rounds.end(source);
    this.#relayed.delete(source);
    this.#network.left(peer);
    const node = this.#nodes.get(source);
    node?.connect(false);
    if (node) this.#settle([node]);
  }

  /** The source says that something it measures has changed. */
  changed(peer: AttestedPeer): void {
    if (this.#rounds.peerOf(peer.source) === peer) this.#rounds.changed(peer.source);
  }

  /** A report of a source about its neighbours, see `NetworkView`. @throws EnerchainError (fault peer) */
  gossip(peer: AttestedPeer, params: CborValue): Promise<null> {
    return this.#network.report(peer, params);
  }

  /** What is known of a node that the centre cannot ask itself. */
  #hear(result: AttestationResult): void {
    if (!this.#nodes.has(result.node) && this.#nodes.size >= MOST_NODES) return;
    const node = this.#node(result.node, 'network');
    node.connect(true);
    node.take(result, this.policy);
    if (!isGood(result)) this.#verifier.doubt(result.node);
    this.#settle([node]);
  }

  // --- TrustPort -----------------------------------------------------------------------------------------------------

  all(): readonly NodeTrust[] {
    return [...this.#nodes.values()].map(({ trust }) => trust).sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  get(node: string): NodeTrust | undefined {
    return this.#nodes.get(node)?.trust;
  }

  pathTo(source: string): readonly NodeTrust[] {
    const last = this.#nodes.get(source)?.trust;
    if (!last) return [];
    const centre = this.#nodes.get(CENTRE)?.trust;
    if (!centre || source === CENTRE) return [last];
    const between = nodesBetween(source, this.#network.links(), (node) => this.#nodes.get(node)?.role === 'network');
    return [centre, ...between.flatMap((node) => this.#nodes.get(node)?.trust ?? []), last];
  }

  onChange(listener: (changed: readonly NodeTrust[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // --- what screens and receipts ask ---------------------------------------------------------------------------------

  /** Trust of a value of a source that the gateway received at a time, see `ValueTrusts`. */
  trustOf(source: string, receiveTime: UtcNanos): ValueTrust {
    return this.#values.of(source, receiveTime);
  }

  /** Values of a source that were received from a time on have another trust than before. */
  onValueTrust(listener: (source: string, from: UtcNanos) => void): () => void {
    return this.#values.onChange(listener);
  }

  inputsOf(source: string): readonly string[] {
    return this.#options.inputsOf?.(source) ?? [];
  }

  certifiedOriginOf(node: string): KeyOrigin | undefined {
    return this.#options.certifiedOriginOf?.(node);
  }

  state(node: string): NodeState | undefined {
    return this.#nodes.get(node);
  }

  measurements(node: string): Measurement[] {
    return this.#verifier.measurements(node);
  }

  links(): LinkState[] {
    return linkStates(this.#nodes.values(), this.#network.links(), (node) => this.#rounds.has(node));
  }

  /** Everything in order → undefined; else what is wrong with the verifier. */
  trouble(): string | undefined {
    const { ok, text } = this.#appraisals.check();
    return ok ? undefined : `nobody is appraised: ${text}`;
  }

  // --- people --------------------------------------------------------------------------------------------------------

  /** @throws as `ReleaseDesk` */
  quarantine(name: string, reason: string, by: string): void {
    this.#desk.quarantine(name, reason, by);
  }

  /** @throws as `ReleaseDesk` */
  requestRelease(name: string, reason: string, by: string): Release {
    return this.#desk.request(name, reason, by);
  }

  /** @throws as `ReleaseDesk` */
  approveRelease(id: string, by: string): NodeTrust {
    return this.#desk.approve(id, by).trust;
  }

  #decided(node: NodeState, action: 'quarantine' | 'release', reason: string, persons: readonly string[]): void {
    this.counters[action === 'quarantine' ? 'quarantined' : 'released']++;
    void this.#network.order(node.node, action, reason, persons);
    this.#settle([node]);
    this.#values.changed(node.node, node.lastQuarantine?.since ?? this.#options.clock.now());
  }

  // --- one look at a node --------------------------------------------------------------------------------------------

  async #attest(charge: Charge): Promise<void> {
    const node = this.#nodes.get(charge.node);
    if (!node || !this.policy) return;
    try {
      const signed = await this.#appraisals.of(node, charge.peer);
      if (this.#rounds.holds(charge)) this.#take(node, signed);
    } catch (error) {
      if (!this.#rounds.holds(charge)) return;
      this.counters.silent++;
      node.silent(this.#options.clock.now(), describeError(error));
      this.#options.logger.warn({ node: node.node, error: describeError(error) }, 'a node gives no evidence');
      this.#settle([node]);
    }
  }

  #take(node: NodeState, { result, bytes }: SignedResult): void {
    this.counters.appraised++;
    const before = node.quarantine;
    const from = node.take(result, this.policy);
    const after = node.quarantine;
    if (!before && after) {
      this.counters.quarantined++;
      this.#audit('trust.quarantine', 'policy', node.node, { reason: after.reason });
    }
    this.counters[result.reasons.length === 0 ? 'good' : 'notGood']++;
    this.#results.publish(result, bytes);
    const { vouchedAnew, clock } = this.#options;
    if (vouchedAnew && node.quarantine?.by === 'policy' && node.goodEvidence(clock.now())) {
      this.#desk.readmit(node, 'the installation was vouched for anew at the start', ['development authority']);
    }
    this.#settle([node]);
    if (from !== undefined) this.#values.changed(node.node, from);
  }

  // --- over a restart ------------------------------------------------------------------------------------------------

  /** A result from the log, at the start. */
  restore(
    record: { readonly node: string; readonly verifier: string; readonly result: Uint8Array },
    role: NodeRole,
  ): void {
    if (record.verifier !== CENTRE) return;
    const result = decodeResult(coseParse1(record.result).payload);
    this.#node(record.node, role).take(result, this.policy);
  }

  get kept(): KeptNode[] {
    return [...this.#nodes.values()].map(({ kept }) => kept);
  }

  /** Something has changed that must not be forgotten. */
  onMustSave(listener: () => void): () => void {
    this.#saveListeners.add(listener);
    return () => this.#saveListeners.delete(listener);
  }

  // --- what follows --------------------------------------------------------------------------------------------------

  /** Derives the states anew, and tells everybody of those that have changed. */
  #settle(nodes: readonly NodeState[]): void {
    const now = this.#options.clock.now();
    const changed = nodes.filter((node) => node.look(now, this.policy));
    if (changed.length > 0) this.#changed(changed);
  }

  #changed(nodes: readonly NodeState[]): void {
    for (const node of nodes) this.#alarms.node(node);
    const trust = nodes.map((node) => node.trust);
    for (const { node, status, reaction, reason } of trust) {
      this.#options.logger[reaction === 'none' ? 'info' : 'warn']({ node, status, reaction, reason }, 'trust');
    }
    for (const listener of this.#listeners) listener(trust);
    for (const listener of this.#saveListeners) listener();
  }

  #audit(action: string, actor: string, subject: string, detail: Record<string, unknown>): void {
    this.#options.log
      .append({ action, actor, outcome: 'ok', subject, detail })
      .catch((error: unknown) =>
        this.#options.logger.error({ error: describeError(error) }, 'an audit record was not written'),
      );
  }

  #node(name: string, role: NodeRole): NodeState {
    let node = this.#nodes.get(name);
    if (!node) {
      node = new NodeState(name, role, this.#options.clock.now());
      this.#nodes.set(name, node);
    }
    return node;
  }
}
