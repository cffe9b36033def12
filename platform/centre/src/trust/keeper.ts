/**
 * The trust keeper: the centre as a verifier. It asks each connected source for evidence, each period and as soon as the
 * source says that something has changed, appraises it, keeps what follows of it — the state of each node, the trust of its
 * values, alarms, reactions — and puts the results into the log, where receipts find them.
 */
import { randomBytes } from 'node:crypto';
import {
  type AttestationResult,
  type Attester,
  bindingOf,
  decodeResult,
  EVIDENCE_METHOD,
  evidenceQuestion,
  isGood,
  type Measurement,
  type NodeRole,
  type NodeTrust,
  type ReferenceValues,
  readEvidenceAnswer,
  type SignedResult,
  type TrustPolicy,
  type TrustPort,
  type ValueTrust,
  Verifier,
  VerifierWatch,
} from '@enerchain/attestation';
import type { After, LinkPeer } from '@enerchain/link';
import { type Clock, describeError, type UtcNanos } from '@enerchain/model';
import { type CborValue, coseParse1, type Identity } from '@enerchain/trust';
import type { Logger } from 'pino';
import { clockTime } from '../alarms/conditions.ts';
import type { Findings } from '../ingest/findings.ts';
import { CENTRE } from '../ingest/own-chain.ts';
import type { LogPublisher, LogWriter } from '../ports.ts';
import { alarmOf } from './alarms.ts';
import { NetworkView } from './network.ts';
import { type KeptNode, type KeyOrigin, NodeState, type Release } from './node-state.ts';
import { ReleaseDesk } from './release-desk.ts';
import { Renewals } from './renewals.ts';
import { type LinkState, linkStates, nodesBetween } from './ways.ts';
import { lesser } from './worth.ts';

/** A source as the keeper asks it. */
export type AttestedPeer = Pick<LinkPeer, 'source' | 'holder' | 'exporter' | 'request'>;

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

/** One source under attestation. */
interface Charge {
  readonly peer: AttestedPeer | undefined;
  cancel: () => void;
  running: boolean;
  /** Asked for again while one was under way. */
  again: boolean;
  /** When it was asked last; monotonic milliseconds. */
  at: number;
}

/** Milliseconds that a source may take for its evidence; a TPM behind a slow processor takes seconds. */
const ANSWER_WITHIN = 10_000;
/** Milliseconds between looks at what has run out. */
const LOOK_EVERY = 1_000;
/** The first question comes when the source has had a moment to measure itself. */
const FIRST_AFTER = 100;
/** Milliseconds for which the alarm stands after somebody has passed old evidence off as fresh. */
const STALE_SHOWN = 600_000;
/** Milliseconds between two looks at one node at least. */
const SOONEST = 100;
/** Services that calculate from what services have calculated: further ones are not looked at. */
const MOST_STEPS = 4;
/** Nodes of which something is known at most; sources come before nodes of the network. */
const MOST_NODES = 20_000;
/** A channel of the centre with itself has no exporter. */
const NO_CHANNEL = new Uint8Array(32);
const MILLI = 1_000_000n;

export class TrustKeeper implements TrustPort {
  readonly policy: TrustPolicy | undefined;
  readonly counters = { appraised: 0, good: 0, notGood: 0, silent: 0, logged: 0, quarantined: 0, released: 0 };
  readonly #options: TrustKeeperOptions;
  readonly #verifier: Verifier;
  /** What comes with requests for certificates. */
  readonly renewals: Renewals;
  readonly #network: NetworkView;
  readonly #desk: ReleaseDesk;
  readonly #watch: VerifierWatch;
  readonly #nodes = new Map<string, NodeState>();
  readonly #charges = new Map<string, Charge>();
  /** Sources that are connected through a relay. */
  readonly #relayed = new Map<string, AttestedPeer>();
  readonly #logged = new Map<string, { readonly at: UtcNanos; readonly status: string; readonly good: boolean }>();
  readonly #alarmed = new Map<string, string>();
  /** Who has passed old evidence off as fresh, and when last; monotonic milliseconds. */
  readonly #stales = new Map<string, number>();
  readonly #listeners = new Set<(changed: readonly NodeTrust[]) => void>();
  readonly #valueListeners = new Set<(source: string, from: UtcNanos) => void>();
  readonly #saveListeners = new Set<() => void>();
  #cancelLook: () => void = () => undefined;
  #unwatchOwn: () => void = () => undefined;
  #troubled = false;
  #closed = false;

  constructor(options: TrustKeeperOptions) {
    this.#options = options;
    this.policy = options.policy;
    const { identity, references, clock, logger, isRevoked } = options;
    const newVerifier = () =>
      new Verifier({
        name: CENTRE,
        signer: identity.signer,
        kid: () => options.identity.kid,
        clock,
        policy: () => this.policy,
        references,
        get caPem() {
          return options.caPem;
        },
        isRevoked: (fingerprint) => isRevoked(fingerprint),
      });
    this.#verifier = newVerifier();
    const gate = newVerifier();
    this.renewals = new Renewals({
      policy: this.policy,
      appraise: async (evidence, node, binding) => {
        gate.forget(node);
        const signed = await gate.appraise(evidence, { node, binding });
        if (!isGood(signed.result)) this.#verifier.doubt(node);
        return signed;
      },
      hasAttested: (node) => this.#nodes.get(node)?.trust.tier !== undefined,
      findings: options.findings,
    });
    this.#network = new NetworkView({
      verifier: newVerifier(),
      policy: this.policy,
      get identity() {
        return options.identity;
      },
      get caPem() {
        return options.caPem;
      },
      clock,
      logger,
      isRevoked: (fingerprint) => isRevoked(fingerprint),
      certificateOf: (kid) => options.certificateOf?.(kid),
      attestsItself: (node) => this.#charges.has(node),
      onBadWord: (node) => this.#now(node),
      onStale: (verifier, node, text) => this.#stale(verifier, node, text),
      onWord: (result, bytes) => this.#publish(result, bytes),
      onResult: (result) => this.#hear(result),
      onViews: (name, views) => {
        const node = this.#nodes.get(name);
        if (!node) return;
        node.neighbours = views;
        this.#settle([node]);
      },
    });
    this.#desk = new ReleaseDesk({
      clock,
      nodes: this.#nodes,
      audit: (...record) => this.#audit(...record),
      decided: (...decision) => this.#decided(...decision),
      asked: (node) => this.#changed([node]),
    });
    this.#watch = new VerifierWatch(this.#period, clock.monotonic());
    for (const kept of options.kept ?? []) {
      this.#nodes.set(kept.node, new NodeState(kept.node, kept.role, clock.now(), kept));
    }
  }

  get networkCounters(): Readonly<Record<string, number>> {
    return this.#network.counters;
  }

  /** Milliseconds between two looks at a node. */
  get #period(): number {
    return (this.policy?.period ?? 60) * 1000;
  }

  /** Begins to look: at itself, and at what runs out. Sources come through `connected`. */
  start(): void {
    const { own, after } = this.#options;
    if (own) {
      this.#charges.set(CENTRE, {
        peer: undefined,
        cancel: () => undefined,
        running: false,
        again: false,
        at: Number.NEGATIVE_INFINITY,
      });
      this.#node(CENTRE, 'centre').connect(true);
      this.#unwatchOwn = own.onChange(() => this.#now(CENTRE));
      this.#plan(CENTRE, FIRST_AFTER);
    }
    const look = () => {
      this.#look();
      this.#cancelLook = after(LOOK_EVERY, look);
    };
    this.#cancelLook = after(LOOK_EVERY, look);
  }

  close(): void {
    this.#closed = true;
    this.#cancelLook();
    this.#unwatchOwn();
    for (const { cancel } of this.#charges.values()) cancel();
    this.#charges.clear();
  }

  // --- what the link tells -------------------------------------------------------------------------------------------

  connected(peer: AttestedPeer): void {
    const { source, holder } = peer;
    const node = this.#node(source, holder.role === 'service' ? 'service' : 'edge');
    this.#charges.get(source)?.cancel();
    this.#charges.delete(source);
    this.#relayed.delete(source);
    node.connect(true);
    // Through a relay there is no common channel that evidence could be bound to.
    if (holder.role === 'relay') {
      this.#relayed.set(source, peer);
      node.silent(this.#options.clock.now(), `it is connected through the relay ${holder.name}`);
    } else {
      this.#charges.set(source, {
        peer,
        cancel: () => undefined,
        running: false,
        again: false,
        at: Number.NEGATIVE_INFINITY,
      });
      this.#plan(source, FIRST_AFTER);
    }
    this.#settle([node]);
  }

  left(peer: AttestedPeer): void {
    const charge = this.#charges.get(peer.source);
    if (charge?.peer !== peer && this.#relayed.get(peer.source) !== peer) return;
    charge?.cancel();
    this.#charges.delete(peer.source);
    this.#relayed.delete(peer.source);
    this.#network.left(peer);
    const node = this.#nodes.get(peer.source);
    node?.connect(false);
    if (node) this.#settle([node]);
  }

  /** The source says that something it measures has changed. */
  changed(peer: AttestedPeer): void {
    const charge = this.#charges.get(peer.source);
    if (charge?.peer !== peer) return;
    // A source that cries without end is looked at often, and not without end.
    const since = this.#options.clock.monotonic() - charge.at;
    if (since >= SOONEST) this.#now(peer.source);
    else this.#plan(peer.source, SOONEST - since);
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

  /** A node of the network lies about another one, or its clock and that of the other one are apart. */
  #stale(verifier: string, node: string, text: string): void {
    const { findings, clock } = this.#options;
    findings.tell({
      action: 'trust.stale-evidence',
      actor: verifier,
      outcome: 'refused',
      subject: node,
      detail: { detail: text },
    });
    const raised = this.#stales.has(verifier);
    this.#stales.set(verifier, clock.monotonic());
    if (raised) return;
    findings.raise({
      key: `trust.stale.${verifier}`,
      priority: 2,
      source: verifier,
      message: text,
      consequence: 'The evidence was not used. Whoever shows old evidence hides what a node is running now.',
      action: `Look at ${verifier}: an honest node does not do this, whatever its clock says. Put it into quarantine if nothing explains it.`,
    });
  }

  #forgetStales(): void {
    const now = this.#options.clock.monotonic();
    for (const [verifier, at] of this.#stales) {
      if (now - at < STALE_SHOWN) continue;
      this.#stales.delete(verifier);
      const message = `${verifier} has shown no old evidence for ${STALE_SHOWN / 60_000} minutes.`;
      this.#options.findings.raise({ key: `trust.stale.${verifier}`, priority: 2, source: verifier, message }, false);
    }
  }

  certifiedOriginOf(node: string): KeyOrigin | undefined {
    return this.#options.certifiedOriginOf?.(node);
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

  /**
   * Trust of a value of a source that the gateway received at a time. What is calculated is worth no more than what it is
   * calculated from.
   */
  trustOf(source: string, receiveTime: UtcNanos, depth = 0): ValueTrust {
    let worst = this.#nodes.get(source)?.at(receiveTime) ?? 'unknown';
    if (depth >= MOST_STEPS) return worst;
    for (const input of this.inputsOf(source)) {
      if (worst === 'distrusted') break;
      worst = lesser(worst, this.trustOf(input, receiveTime, depth + 1));
    }
    return worst;
  }

  inputsOf(source: string): readonly string[] {
    return this.#options.inputsOf?.(source) ?? [];
  }

  /** Values of a source that were received from a time on have another trust than before. */
  onValueTrust(listener: (source: string, from: UtcNanos) => void): () => void {
    this.#valueListeners.add(listener);
    return () => this.#valueListeners.delete(listener);
  }

  state(node: string): NodeState | undefined {
    return this.#nodes.get(node);
  }

  measurements(node: string): Measurement[] {
    return this.#verifier.measurements(node);
  }

  links(): LinkState[] {
    return linkStates(this.#nodes.values(), this.#network.links(), (node) => this.#charges.has(node));
  }

  /** Everything in order → undefined; else what is wrong with the verifier. */
  trouble(): string | undefined {
    const { ok, text } = this.#watch.check(this.#options.clock.monotonic());
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
    this.#tellValues(node.node, node.lastQuarantine?.since ?? this.#options.clock.now());
  }

  // --- the rounds ----------------------------------------------------------------------------------------------------

  #plan(node: string, milliseconds: number): void {
    const charge = this.#charges.get(node);
    if (!charge || this.#closed) return;
    charge.cancel();
    charge.cancel = this.#options.after(milliseconds, () => this.#now(node));
  }

  #now(node: string): void {
    const charge = this.#charges.get(node);
    if (!charge || this.#closed) return;
    if (charge.running) {
      charge.again = true;
      return;
    }
    charge.cancel();
    charge.running = true;
    charge.at = this.#options.clock.monotonic();
    void this.#attest(node, charge).finally(() => {
      charge.running = false;
      if (this.#charges.get(node) !== charge) return;
      const next = charge.again ? SOONEST : this.#period;
      charge.again = false;
      this.#plan(node, next);
    });
  }

  async #attest(name: string, charge: Charge): Promise<void> {
    const state = this.#nodes.get(name);
    if (!state || !this.policy) return;
    const { clock, acceptFirst } = this.#options;
    try {
      let signed = await this.#ask(name, charge, state);
      // Nothing is wrong and nothing is proven: this verifier may just not know the beginning of the list.
      if (signed.result.status === 'none') {
        this.#verifier.forget(name);
        signed = await this.#ask(name, charge, state);
      }
      const accept = this.policy.appraisal?.firstConfiguration === true ? acceptFirst : undefined;
      if (accept && signed.result.reasons.length > 0 && (await accept(name, this.#verifier.measurements(name)))) {
        signed = await this.#ask(name, charge, state);
      }
      if (this.#charges.get(name) === charge) this.#take(state, signed);
    } catch (error) {
      if (this.#charges.get(name) !== charge) return;
      this.counters.silent++;
      state.silent(clock.now(), describeError(error));
      this.#options.logger.warn({ node: name, error: describeError(error) }, 'a node gives no evidence');
      this.#settle([state]);
    }
  }

  async #ask(name: string, { peer }: Charge, state: NodeState): Promise<SignedResult> {
    const nonce = randomBytes(32);
    const exporter = peer ? peer.exporter() : NO_CHANNEL;
    const binding = bindingOf({ nonce, exporter, verifier: CENTRE, node: name });
    const since = this.#verifier.cursor(name);
    let evidence: Uint8Array;
    if (peer) {
      const answer = await peer.request(EVIDENCE_METHOD, evidenceQuestion(nonce, since), { timeout: ANSWER_WITHIN });
      const read = readEvidenceAnswer(answer);
      state.keyOrigin = read.origin;
      evidence = read.evidence;
    } else {
      const attester = await (this.#options.own as NonNullable<TrustKeeperOptions['own']>).attester;
      state.keyOrigin = this.#options.identity.signer.origin;
      evidence = await attester.evidence([binding], since);
    }
    this.#watch.waiting(true, this.#options.clock.monotonic());
    const failures = this.#verifier.counters.failures;
    try {
      const signed = await this.#verifier.appraise(evidence, { node: name, binding });
      const failed = this.#verifier.counters.failures > failures && signed.result.vector.instanceIdentity === -1;
      if (failed) this.#watch.failure(signed.result.reasons[0] ?? 'unknown');
      else this.#watch.result(this.#options.clock.monotonic());
      return signed;
    } catch (error) {
      this.#watch.failure(describeError(error));
      throw error;
    } finally {
      this.#watch.waiting(false, this.#options.clock.monotonic());
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
    const good = result.reasons.length === 0;
    this.counters[good ? 'good' : 'notGood']++;
    this.#publish(result, bytes);
    const { vouchedAnew } = this.#options;
    if (vouchedAnew && node.quarantine?.by === 'policy' && node.goodEvidence(this.#options.clock.now())) {
      this.#desk.readmit(node, 'the installation was vouched for anew at the start', ['development authority']);
    }
    this.#settle([node]);
    if (from !== undefined) this.#tellValues(node.node, from);
  }

  /** Into the log when the state has changed, and often enough for receipts to find a result that was valid. */
  #publish(result: AttestationResult, bytes: Uint8Array): void {
    const good = result.reasons.length === 0;
    const { node, verifier } = result;
    const key = `${verifier} ${node}`;
    const last = this.#logged.get(key);
    const validFor = (this.policy?.validFor ?? 0) * 1000;
    const due = last === undefined || Number((result.issuedAt - last.at) / MILLI) >= validFor - this.#period;
    if (!due && last.status === result.status && last.good === good) return;
    this.#logged.set(key, { at: result.issuedAt, status: result.status, good });
    this.counters.logged++;
    const record = { node, verifier, result: bytes, evidence: result.evidence };
    this.#options.log.publish({ kind: 'attestation', record }).catch((error: unknown) => {
      this.#logged.delete(key);
      this.#options.logger.error({ error: describeError(error) }, 'a result could not be written into the log');
    });
  }

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

  #look(): void {
    this.#settle([...this.#nodes.values()]);
    this.#forgetStales();
    const { ok, text } = this.#watch.check(this.#options.clock.monotonic());
    if (ok !== this.#troubled) return;
    this.#troubled = !ok;
    const alarm = {
      key: 'trust.verifier',
      priority: 1,
      message: `The verifier of the centre does not work: ${text || 'it works again'}.`,
      consequence: 'Results run out, no node counts as good any more, and commands over attested paths are refused.',
      action: 'Look into the log of the centre and restart it.',
    } as const;
    this.#options.findings.raise(alarm, !ok);
  }

  /** Derives the states anew, and tells everybody of those that have changed. */
  #settle(nodes: readonly NodeState[]): void {
    const now = this.#options.clock.now();
    const changed = nodes.filter((node) => node.look(now, this.policy));
    if (changed.length > 0) this.#changed(changed);
  }

  #changed(nodes: readonly NodeState[]): void {
    for (const node of nodes) this.#alarm(node);
    const trust = nodes.map((node) => node.trust);
    for (const { node, status, reaction, reason } of trust) {
      this.#options.logger[reaction === 'none' ? 'info' : 'warn']({ node, status, reaction, reason }, 'trust');
    }
    for (const listener of this.#listeners) listener(trust);
    for (const listener of this.#saveListeners) listener();
  }

  #alarm({ node, role, trust, quarantine }: NodeState): void {
    const alarm = alarmOf(trust, role, quarantine && clockTime(quarantine.since));
    const before = this.#alarmed.get(node);
    const text = alarm?.message;
    if (text === before) return;
    if (alarm) {
      this.#alarmed.set(node, alarm.message);
      this.#options.findings.raise({ ...alarm, ...(role === 'centre' ? {} : { source: node }) });
    } else {
      this.#alarmed.delete(node);
      const key = `trust.node.${node}`;
      this.#options.findings.raise({ key, priority: 3, message: `${node} is trusted again: ${trust.reason}.` }, false);
    }
  }

  /** What is calculated from the values of a source changes with them. */
  #tellValues(source: string, from: UtcNanos, depth = 0): void {
    for (const listener of this.#valueListeners) listener(source, from);
    if (depth >= MOST_STEPS) return;
    for (const other of this.#nodes.keys()) {
      if (this.inputsOf(other).includes(source)) this.#tellValues(other, from, depth + 1);
    }
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
