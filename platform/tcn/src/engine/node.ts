/** One node of the Trusted Core Network: attests its neighbours, answers them, and spreads what was found. */
import type { AttestationResult, NodeTrust, SignedResult } from '@enerchain/attestation';
import { describeError, EnerchainError } from '@enerchain/model';
import type { Channel } from '../channel.ts';
import { decodeTcnMessage, MAX_SUMMARY, type TcnMessage, type Wanted } from '../message.ts';
import { Answering } from './answering.ts';
import { BundleExchange } from './bundle-exchange.ts';
import { type Timing, timingFor } from './cycle.ts';
import type { Decision } from './decisions.ts';
import { Dialogue } from './dialogue.ts';
import { EvidenceStore, hexOf } from './evidence-store.ts';
import { Gossip, MAX_TTL, type Read, readStatement } from './gossip.ts';
import { Judgement } from './judgement.ts';
import { TCN_LIMITS, TCN_RATES } from './limits.ts';
import { Neighbour, type NeighbourCounters } from './neighbour.ts';
import type { TcnOptions } from './ports.ts';
import { viewOf } from './record.ts';
import { Registry } from './registry.ts';
import { SilenceWatch } from './silence.ts';
import { type Standing, StandingTable } from './standing.ts';
import { Telling } from './telling.ts';

/** Connections replaced by another one within so many milliseconds that there must be two devices. */
const TWIN_WINDOW = 300_000;
const TWIN_COUNT = 4;
/** People are told again after so many milliseconds. */
const TWINS_AGAIN = 60_000;
/** Seconds between two questions while there is no policy. */
const UNKNOWN_PERIOD = 10;
/** Hops of a silence: it is for the other neighbours of who is silent. */
const SILENCE_TTL = 4;
/** What stands is compared with each neighbour every so many periods. */
const DIGEST_PERIODS = 5;

export class TcnNode {
  readonly name: string;
  readonly #options: TcnOptions;
  #timed: { readonly period: number; readonly timing: Timing } | undefined;
  readonly #neighbours = new Map<string, Neighbour>();
  readonly #registry: Registry;
  readonly #table = new StandingTable();
  readonly #adverse = new EvidenceStore(TCN_LIMITS.evidenceBytes);
  readonly #gossip: Gossip;
  readonly #answering: Answering;
  readonly #dialogue: Dialogue;
  readonly #silence: SilenceWatch;
  readonly #bundles: BundleExchange | undefined;
  readonly #unsubscribe: () => void;
  readonly #telling: Telling;
  #violations = 0;
  #ticks = 0;
  #cancelTick: (() => void) | undefined;
  #closed = false;

  constructor(options: TcnOptions) {
    const { identity, policy, clock, after, reappraiser } = options;
    this.#options = options;
    this.name = identity.name;
    options.keys.learn(identity.certificate);
    const rates = { ...TCN_RATES, ...options.rates };
    for (const name of options.neighbours) {
      if (name !== this.name) this.#neighbours.set(name, new Neighbour(name, rates, clock.monotonic()));
    }
    const registry = new Registry({ ...options, decided: () => this.#keep() }, this.neighbours);
    this.#registry = registry;
    this.#recall(options.decisions?.load() ?? []);
    this.#answering = new Answering(options.attester, after, this.#timing().aggregate);
    this.#silence = new SilenceWatch({
      identity,
      policy,
      timing: () => this.#timing(),
      clock,
      publish: (standing) => this.#publish(standing),
    });
    this.#telling = new Telling({
      ...options,
      self: this.name,
      registry,
      table: this.#table,
      pass: (statement, ttl) => this.#pass(statement, ttl, undefined),
    });
    const dialogue = new Dialogue({
      ...options,
      self: this.name,
      timing: () => this.#timing(),
      registry,
      answering: this.#answering,
      silence: this.#silence,
      adverse: this.#adverse,
      tell: (signed, whole) => this.#tell(signed, whole),
      note: (signed) => this.#options.onStatement?.({ ...this.#standingOf(signed), result: signed.result }),
      keep: ({ result }) => this.#viewed(result),
      dead: (neighbour) => {
        neighbour.channel?.close('no answers');
        this.#down(neighbour);
      },
    });
    this.#dialogue = dialogue;
    const judgement = new Judgement({
      ...options,
      self: this.name,
      registry,
      table: this.#table,
      evidence: this.#adverse,
      appraise: (evidence, expected) => dialogue.appraise(evidence, expected, reappraiser),
      attestNow: (node) => this.attestNow(node),
    });
    this.#gossip = new Gossip({
      self: this.name,
      table: this.#table,
      keys: options.keys,
      now: () => clock.monotonic(),
      worth: (result) => judgement.worth(result),
      // Bad news about a neighbour is a reason to look, whatever the evidence of others shows.
      accused: (result) => this.attestNow(result.node),
      judge: (result, evidence) => judgement.judge(result, evidence),
      taken: (read, standing) => judgement.taken(read, standing),
      pass: (statement, ttl, from) => this.#pass(statement, ttl, from),
      violation: (neighbour, code, text) => this.#violation(neighbour, code, text),
    });
    const { base } = options;
    this.#bundles = base
      ? new BundleExchange({
          base,
          keys: options.keys,
          now: () => clock.monotonic(),
          violation: (neighbour, code, text) => this.#violation(neighbour, code, text),
        })
      : undefined;
    const unsubscribe = [
      options.attester.onChange(() => this.announceChange()),
      base?.onChange(() => this.#newBundle()),
    ];
    this.#unsubscribe = () => {
      for (const each of unsubscribe) each?.();
    };
  }

  /** What follows from the policy that is in force. */
  #timing(): Timing {
    const period = this.#options.policy()?.period ?? UNKNOWN_PERIOD;
    if (this.#timed?.period !== period) {
      this.#timed = { period, timing: { ...timingFor(period), ...this.#options.timing } };
    }
    return this.#timed.timing;
  }

  /** What the last run has decided. */
  #recall(decisions: readonly Decision[]): void {
    const { clock, policy } = this.#options;
    // Where what is first seen is taken as right, what was found wrong ends with the process, too; persons are still heard.
    const lenient = policy()?.appraisal?.firstConfiguration === true;
    for (const { node, conviction, releasedAt, voided, order } of decisions.slice(0, TCN_LIMITS.nodes)) {
      const record = this.#registry.of(node);
      if (conviction && (conviction.by === 'operator' || !lenient)) record.conviction = conviction;
      record.releasedAt = releasedAt;
      for (const each of voided) record.voided.add(each);
      if (!order) continue;
      const { sequence, action } = (readStatement(order) as Read & { readonly kind: 'release' }).content;
      const adverse = action === 'quarantine';
      const takenAt = clock.monotonic();
      this.#table.put({ kind: 'release', issuer: '', node, sequence, bytes: order, adverse, takenAt });
    }
  }

  #keep(): void {
    const { decisions } = this.#options;
    if (!decisions) return;
    const orders = new Map(
      this.#table.all().flatMap((each) => (each.kind === 'release' ? [[each.node, each.bytes]] : [])),
    );
    const made = this.#registry.all().flatMap(({ name: node, conviction, releasedAt, voided }): Decision[] => {
      const order = orders.get(node);
      if (!conviction && releasedAt === undefined && !order) return [];
      return [{ node, conviction, releasedAt, voided: [...voided], order }];
    });
    decisions.keep(made);
  }

  start(): void {
    const now = this.#options.clock.monotonic();
    // Whoever was never there is missed from now on.
    for (const record of this.#registry.all()) record.missed(now);
    this.#registry.reassess(this.#registry.all());
    this.#tick();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    this.#cancelTick?.();
    this.#telling.close();
    this.#answering.close();
    this.#dialogue.close();
    for (const neighbour of this.#neighbours.values()) {
      const { channel } = neighbour;
      neighbour.down();
      channel?.close('closing');
    }
  }

  // ---- what others see -------------------------------------------------------------------------------------------------

  get neighbours(): readonly string[] {
    return [...this.#neighbours.keys()];
  }

  /** Neighbours that are connected. */
  get connected(): readonly string[] {
    return [...this.#neighbours.values()].filter(({ channel }) => channel).map(({ name }) => name);
  }

  /** Everything that is known about other nodes. */
  all(): NodeTrust[] {
    const others = this.#registry.all().filter(({ name }) => name !== this.name);
    return others.map((record) => this.#registry.trust(record));
  }

  /** @param node its own name too: what others have proven to it about itself, and what the operator has ordered */
  get(node: string): NodeTrust | undefined {
    const record = this.#registry.find(node);
    return record && this.#registry.trust(record);
  }

  /**
   * This node by the view of its neighbours: good while one that is good itself has found it good. Undefined when it has no
   * neighbours, so that nobody could.
   */
  asSeen(): NodeTrust | undefined {
    if (this.#neighbours.size === 0) return undefined;
    const { clock, identity, policy } = this.#options;
    const now = clock.monotonic();
    const record = this.#registry.find(this.name);
    const known = record && this.#registry.trust(record);
    if (known && (known.reaction === 'restrict' || known.reaction === 'quarantine')) return known;
    const base = {
      node: this.name,
      role: identity.role,
      reaction: 'none',
      neighbours: known?.neighbours ?? [],
    } as const;
    const [best] = (record?.goodViews(now, (policy()?.validFor ?? 0) * 1000) ?? [])
      .filter(({ by }) => this.#neighbours.has(by) && this.get(by)?.trustedUntil !== undefined)
      .sort((a, b) => Number(b.tier === 'tpm') - Number(a.tier === 'tpm') || b.until - a.until);
    if (!best) {
      const names = [...this.#neighbours.keys()].join(', ');
      const reason = `of its neighbours (${names}) none that is good itself has found it good lately`;
      return { ...base, tier: undefined, status: 'none', trustedUntil: undefined, reason, since: clock.now() };
    }
    const { by, tier, until, view } = best;
    const trustedUntil = clock.now() + BigInt(Math.round((until - now) * 1e6));
    const status = view.status === 'silent' ? 'none' : view.status;
    return { ...base, tier, status, trustedUntil, reason: `${by} has found it good`, since: view.at };
  }

  /** What stands here, newest last. */
  standing(): readonly Standing[] {
    return this.#table.all();
  }

  /** Evidence by its SHA-256, as far as it is kept. */
  evidence(digest: Uint8Array): Uint8Array | undefined {
    const hex = hexOf(digest);
    return this.#adverse.get(hex) ?? this.#dialogue.latest(hex);
  }

  /** Counters of one neighbour, or of all together. */
  traffic(neighbour?: string): NeighbourCounters {
    const chosen = [...this.#neighbours.values()].filter(({ name }) => neighbour === undefined || name === neighbour);
    const sum = (key: keyof NeighbourCounters) => chosen.reduce((total, { counters }) => total + counters[key], 0);
    return {
      challenges: sum('challenges'),
      answers: sum('answers'),
      missed: sum('missed'),
      sentBytes: sum('sentBytes'),
      receivedBytes: sum('receivedBytes'),
      refusedChallenges: sum('refusedChallenges'),
      droppedStatements: sum('droppedStatements'),
    };
  }

  /** Each one grows only. */
  get counters(): Record<string, number> {
    return {
      ...this.traffic(),
      ...this.#dialogue.counters,
      ...this.#answering.counters,
      ...this.#gossip.counters,
      violations: this.#violations,
    };
  }

  // ---- from outside ----------------------------------------------------------------------------------------------------

  /** Looks at neighbours at once: an alarm of the EDR, an operator. @param node one of them; all when absent */
  attestNow(node?: string): void {
    for (const each of this.#neighbours.values()) {
      if (node === undefined || each.name === node) this.#dialogue.step(each, { kind: 'event' });
    }
  }

  /** Own measurements have changed: the neighbours may look at once. */
  announceChange(): void {
    for (const neighbour of this.#neighbours.values()) neighbour.send({ type: 'changed' });
  }

  /**
   * An order of the operator, signed by the centre; it is passed on to all nodes.
   * @returns whether it was new, and signed by a centre
   * @throws EnerchainError (fault peer) when it cannot be read, or its signature does not fit
   */
  order(bytes: Uint8Array): boolean {
    return this.#gossip.order(bytes);
  }

  /** A neighbour is connected. Whoever is no neighbour is turned away. */
  attach(channel: Channel): void {
    const { name, role } = channel.peer;
    const neighbour = this.#neighbours.get(name);
    if (!neighbour || this.#closed) {
      channel.close(this.#closed ? 'closing' : 'you are no neighbour of this node');
      if (!this.#closed) {
        this.#registry.notice(name, `${role} ${name} at ${channel.remote} is no neighbour and was turned away`);
      }
      return;
    }
    const before = neighbour.channel;
    if (before) {
      // When both have dialled, the connection that the first by name has opened stays; both ends decide alike.
      const preferred = before.dialled === this.name < name;
      if (before.dialled !== channel.dialled && preferred) {
        channel.close('there is another connection');
        // The one that is there may be dead, and its device have started anew: its next answer will tell.
        neighbour.turnedAway = channel.remote;
        this.#dialogue.step(neighbour, { kind: 'event' });
        return;
      }
      if (before.dialled === channel.dialled) this.#twin(neighbour, channel.remote);
      this.#down(neighbour);
      before.close('replaced by another connection');
    }
    neighbour.channel = channel;
    // It may have started anew, and not know any more how it looks.
    this.#telling.forget(name);
    this.#registry.of(name).role = role === 'relay' ? 'network' : role;
    channel.open({
      message: (bytes) => {
        if (neighbour.channel === channel) this.#receive(neighbour, channel, bytes);
      },
      closed: () => {
        if (neighbour.channel === channel) this.#down(neighbour);
      },
    });
    neighbour.send({ type: 'hello', software: this.#options.software });
    neighbour.send({ type: 'digest', hash: this.#table.digest() });
    this.#bundles?.announce(neighbour);
    this.#dialogue.step(neighbour, { kind: 'up' });
  }

  // ---- connections -----------------------------------------------------------------------------------------------------

  /** A second connection under the name of a neighbour that is there: once is a restart, again and again are two devices. */
  #twin(neighbour: Neighbour, remote: string): void {
    const now = this.#options.clock.monotonic();
    const { rivals } = neighbour;
    rivals.push(now);
    while (rivals.length > 0 && now - rivals[0]! > TWIN_WINDOW) rivals.shift();
    if (rivals.length < TWIN_COUNT) return;
    const text = `${rivals.length} times in five minutes another connection came under its name, the last one from ${remote}: two devices may be using its key`;
    const record = this.#registry.of(neighbour.name);
    record.twins = { text, until: now + TWIN_WINDOW };
    if (now - neighbour.twinsTold > TWINS_AGAIN) {
      neighbour.twinsTold = now;
      this.#violation(neighbour, 'tcn.twins', text);
    }
    this.#registry.reassess([record]);
  }

  #down(neighbour: Neighbour): void {
    neighbour.down();
    this.#dialogue.step(neighbour, { kind: 'down' });
  }

  // ---- messages --------------------------------------------------------------------------------------------------------

  #receive(neighbour: Neighbour, channel: Channel, bytes: Uint8Array): void {
    neighbour.counters.receivedBytes += bytes.length;
    try {
      if (!neighbour.buckets.received.take(this.#options.clock.monotonic(), bytes.length)) {
        throw new EnerchainError('peer', 'tcn.flood', 'more comes than is read');
      }
      this.#handle(neighbour, channel, decodeTcnMessage(bytes));
    } catch (error) {
      const code = error instanceof EnerchainError ? error.code : 'tcn.message';
      this.#violation(neighbour, code, `${describeError(error)}; the connection is closed`);
      channel.close(describeError(error).slice(0, 100));
      if (neighbour.channel === channel) this.#down(neighbour);
    }
  }

  #handle(neighbour: Neighbour, channel: Channel, message: TcnMessage): void {
    const now = this.#options.clock.monotonic();
    switch (message.type) {
      case 'hello':
        return;
      case 'challenge':
        this.#dialogue.answer(neighbour, channel, message);
        return;
      case 'answer':
        this.#dialogue.answered(neighbour, message.id, message.response);
        return;
      case 'refused':
        this.#dialogue.refused(neighbour, message.id);
        return;
      case 'changed':
        if (neighbour.buckets.changes.take(now)) this.#dialogue.step(neighbour, { kind: 'event' });
        return;
      case 'statements':
        // A node in quarantine says nothing of others that counts; the orders of the operator come by way of others too.
        if (this.#registry.find(neighbour.name)?.conviction) return;
        for (const passing of message.statements) this.#gossip.receive(neighbour, passing);
        return;
      case 'digest':
        if (Buffer.compare(message.hash, this.#table.digest()) !== 0) this.#summarise(neighbour, false);
        return;
      case 'summary':
        if (!neighbour.buckets.wants.take(now)) return;
        for (const each of this.#table.missingIn(message.entries)) neighbour.queue(each, MAX_TTL);
        this.#flush(neighbour);
        if (!message.reply) this.#summarise(neighbour, true);
        return;
      case 'want':
        for (const hash of message.hashes) this.#handOut(neighbour, message.what, hash);
        return;
      case 'have':
        this.#had(neighbour, message.what, message.bytes);
        return;
      case 'bundle':
        this.#bundles?.announced(neighbour, message.sequence, message.hash);
    }
  }

  #summarise(neighbour: Neighbour, reply: boolean): void {
    neighbour.send({ type: 'summary', reply, entries: this.#table.summary().slice(-MAX_SUMMARY) });
  }

  #handOut(neighbour: Neighbour, what: Wanted, hash: Uint8Array): void {
    const bytes = this.#find(what, hash);
    if (bytes && neighbour.buckets.wants.take(this.#options.clock.monotonic())) {
      neighbour.send({ type: 'have', what, bytes });
    }
  }

  #find(what: Wanted, hash: Uint8Array): Uint8Array | undefined {
    switch (what) {
      case 'evidence':
        return this.evidence(hash);
      case 'certificate':
        return this.#options.keys.keyOf(hash)?.der;
      case 'bundle': {
        const held = this.#options.base?.held;
        return held && Buffer.compare(held.hash, hash) === 0 ? held.bytes : undefined;
      }
    }
  }

  #had(neighbour: Neighbour, what: Wanted, bytes: Uint8Array): void {
    switch (what) {
      case 'evidence':
        void this.#gossip.evidence(bytes);
        return;
      case 'certificate':
        this.#bundles?.certificate(neighbour, bytes);
        this.#gossip.certificate(neighbour, bytes);
        return;
      case 'bundle':
        this.#bundles?.received(neighbour, bytes);
    }
  }

  /** Other reference values, perhaps another policy: everybody is looked at anew. */
  #newBundle(): void {
    for (const neighbour of this.#neighbours.values()) this.#bundles?.announce(neighbour);
    this.#registry.reassess(this.#registry.all());
    this.attestNow();
  }

  #violation(neighbour: Neighbour, code: string, text: string): void {
    this.#violations++;
    this.#registry.notice(neighbour.name, text, code);
  }

  // ---- spreading -------------------------------------------------------------------------------------------------------

  #standingOf({ result, bytes }: SignedResult): Standing {
    return {
      kind: 'result',
      issuer: this.name,
      node: result.node,
      sequence: result.sequence,
      bytes,
      adverse: result.status === 'contraindicated',
      takenAt: this.#options.clock.monotonic(),
    };
  }

  /** A result of our own: for the centre, and for others as far as it is news to them. */
  #tell(signed: SignedResult, whole: boolean): void {
    const { result } = signed;
    const standing = this.#standingOf(signed);
    const neighbour = this.#neighbours.get(result.node);
    if (neighbour?.turnedAway !== undefined) {
      this.#twin(neighbour, neighbour.turnedAway);
      neighbour.turnedAway = undefined;
    }
    this.#viewed(result);
    if (whole) this.#options.onStatement?.({ ...standing, result });
    this.#telling.result(result, standing);
  }

  #viewed(result: AttestationResult): void {
    this.#registry.of(result.node).viewed(this.name, viewOf(result, this.#options.clock.monotonic()));
  }

  /** Our own word about a silence. */
  #publish(standing: Standing): void {
    if (this.#closed || !this.#table.put(standing)) return;
    const { clock, onStatement } = this.#options;
    const record = this.#registry.of(standing.node);
    record.silentTo(this.name, standing.adverse, clock.monotonic());
    if (standing.adverse) record.viewed(this.name, { status: 'silent', at: clock.now(), sequence: -1 });
    onStatement?.(standing);
    this.#pass(standing, SILENCE_TTL, undefined);
  }

  #pass(statement: Standing, ttl: number, from: Neighbour | undefined): void {
    for (const neighbour of this.#neighbours.values()) {
      if (neighbour === from) continue;
      neighbour.queue(statement, ttl);
      this.#flush(neighbour);
    }
  }

  #flush(neighbour: Neighbour): void {
    if (neighbour.cancelFlush) return;
    const wait = neighbour.flush(this.#options.clock.monotonic());
    if (wait === undefined) return;
    neighbour.cancelFlush = this.#options.after(wait, () => {
      neighbour.cancelFlush = undefined;
      this.#flush(neighbour);
    });
  }

  // ---- time ------------------------------------------------------------------------------------------------------------

  #tick(): void {
    const { after, clock, policy } = this.#options;
    const { period } = this.#timing();
    const every = Math.min(Math.max(period / 4, 50), 5000);
    this.#cancelTick = after(every, () => this.#tick());
    const now = clock.monotonic();
    this.#gossip.tick();
    const inForce = policy();
    const counts = (verifier: string) => this.#registry.find(verifier)?.conviction === undefined;
    for (const record of this.#registry.all()) {
      if (record.neighbour) this.#silence.look(record);
      if (inForce) record.quorum(inForce, now, this.#silence.expiry, this.name, counts);
    }
    this.#registry.reassess(this.#registry.all());
    if (++this.#ticks % Math.max(1, Math.round((DIGEST_PERIODS * period) / every)) !== 0) return;
    for (const neighbour of this.#neighbours.values()) {
      neighbour.send({ type: 'digest', hash: this.#table.digest() });
      this.#bundles?.announce(neighbour);
    }
  }
}
