/**
 * What the gateways say of their neighbours, as far as the centre can check it. A statement counts only with a signature of a
 * certificate of this system; that a node is good or bad is believed only after the centre has appraised the same evidence
 * itself. Votes decide nothing here: who says what is shown, and a bad word makes the centre look at once.
 */
import {
  type AttestationResult,
  decodeEvidence,
  isGood,
  type NeighbourView,
  RESULT_TYP,
  readResult,
  type TrustPolicy,
  untimely,
  type Verifier,
} from '@enerchain/attestation';
import { type Clock, describeError, EnerchainError, toMillis, type UtcNanos } from '@enerchain/model';
import {
  decodeSilence,
  isAuthentic,
  parseStatement,
  readTcnReport,
  SILENCE_TYPE,
  signRelease,
  TCN_METHODS,
  type TcnReport,
} from '@enerchain/tcn';
import {
  type CborValue,
  checkedCertificate,
  coseCheck1,
  type HeldCertificate,
  type Identity,
  maySign,
} from '@enerchain/trust';
import type { Logger } from 'pino';
import type { AttestedPeer } from './peer.ts';
import { UsedEvidence } from './used-evidence.ts';

export interface NetworkOptions {
  /** Appraises what was shown to others; one of its own, which forgets each node before it looks. */
  readonly verifier: Verifier;
  readonly policy: TrustPolicy | undefined;
  readonly identity: Identity;
  readonly caPem: string;
  readonly clock: Clock;
  readonly logger: Logger;
  isRevoked(fingerprint: string): boolean;
  /** What the authority here has issued, by thumbprint. */
  certificateOf?(kid: Uint8Array): { readonly der: Uint8Array } | undefined;
  /** Whether the centre attests this node over a link of its own. */
  attestsItself(node: string): boolean;
  /** Somebody has found a node bad, and the evidence says so here as well: look at it now. */
  onBadWord(node: string): void;
  /** Somebody passes old evidence of a node off as fresh; it was not used. @param text one sentence */
  onStale(verifier: string, node: string, text: string): void;
  /** A neighbour has said something new, under a signature that was checked. */
  onWord(result: AttestationResult, bytes: Uint8Array): void;
  /** A node that the centre cannot ask was appraised by the evidence that it gave to a neighbour. */
  onResult(result: AttestationResult): void;
  /** What neighbours say of a node has changed. */
  onViews(node: string, views: readonly NeighbourView[]): void;
}

/** What one node says of another. */
interface Word {
  readonly sequence: number;
  readonly view: NeighbourView;
}

/** Bounds: certificates kept, nodes spoken of, evidence asked for at the same time, and orders told to who was away. */
const LIMITS = { certificates: 4096, nodes: 4096, asking: 16, orders: 256 } as const;
/** A node that the centre cannot ask is looked at through its neighbours when less than this share of its time is left. */
const LOOK_AGAIN = 0.5;

export class NetworkView {
  readonly counters = { reports: 0, statements: 0, refused: 0, reappraised: 0, disagreed: 0, stale: 0, orders: 0 };
  readonly #options: NetworkOptions;
  readonly #certificates = new Map<string, HeldCertificate>();
  readonly #words = new Map<string, Map<string, Word>>();
  readonly #reports = new Map<string, { readonly peer: AttestedPeer; readonly neighbours: TcnReport['neighbours'] }>();
  readonly #asked = new Map<string, { readonly digest: string; readonly until: UtcNanos }>();
  readonly #used = new UsedEvidence(LIMITS.nodes);
  #asking = 0;
  /** The newest order about each node, of this run. */
  readonly #orders = new Map<string, Uint8Array>();
  #lastOrder = 0;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** Pairs of nodes that say that they are neighbours. */
  links(): { readonly a: string; readonly b: string; readonly connected: boolean }[] {
    const links = new Map<string, { a: string; b: string; connected: boolean }>();
    for (const [node, { neighbours }] of this.#reports) {
      for (const { name, connected } of neighbours) {
        const [a, b] = [node, name].sort() as [string, string];
        const known = links.get(`${a}\n${b}`);
        links.set(`${a}\n${b}`, { a, b, connected: connected || (known?.connected ?? false) });
      }
    }
    return [...links.values()];
  }

  /** A report of a source, as it came over its link. @throws EnerchainError (fault peer) */
  async report(peer: AttestedPeer, params: CborValue): Promise<null> {
    const report = readTcnReport(params);
    if (report.node !== peer.source || peer.holder.name !== peer.source) {
      throw new EnerchainError('peer', 'tcn.report', `${peer.source} reports in the name of ${report.node}`);
    }
    this.counters.reports++;
    // Whoever was away when persons decided hears of it now; to who knows it already it is no news.
    if (this.#reports.get(peer.source)?.peer !== peer)
      for (const order of this.#orders.values()) this.#send(peer, order);
    this.#reports.set(peer.source, { peer, neighbours: report.neighbours });
    for (const der of report.certificates) this.#know(der);
    for (const statement of report.statements) this.#take(peer, statement);
    return null;
  }

  left(peer: AttestedPeer): void {
    if (this.#reports.get(peer.source)?.peer === peer) this.#reports.delete(peer.source);
  }

  /** Tells the network what persons have decided. */
  async order(
    node: string,
    action: 'release' | 'quarantine',
    reason: string,
    persons: readonly string[],
  ): Promise<void> {
    const { clock, identity } = this.#options;
    const at = clock.now();
    this.#lastOrder = Math.max(this.#lastOrder + 1, Math.floor(toMillis(at)));
    const order = { node, action, sequence: this.#lastOrder, at, reason, persons };
    const bytes = await signRelease(identity.signer, identity.kid, order);
    this.#orders.delete(node);
    this.#orders.set(node, bytes);
    if (this.#orders.size > LIMITS.orders) this.#orders.delete(this.#orders.keys().next().value as string);
    for (const { peer } of this.#reports.values()) this.#send(peer, bytes);
  }

  #send(peer: AttestedPeer, order: Uint8Array): void {
    peer.request(TCN_METHODS.order, order).then(
      () => this.counters.orders++,
      (error: unknown) =>
        this.#options.logger.warn({ source: peer.source, error: describeError(error) }, 'an order did not arrive'),
    );
  }

  #know(der: Uint8Array): void {
    try {
      const { caPem, clock, isRevoked } = this.#options;
      const certificate = checkedCertificate(der, caPem, new Date(toMillis(clock.now())));
      const key = Buffer.from(certificate.kid).toString('hex');
      if (isRevoked(key) || !maySign(certificate)) return;
      const oldest =
        this.#certificates.size >= LIMITS.certificates ? this.#certificates.keys().next().value : undefined;
      if (oldest !== undefined) this.#certificates.delete(oldest);
      this.#certificates.set(key, certificate);
    } catch (error) {
      this.counters.refused++;
      this.#options.logger.debug({ error: describeError(error) }, 'a certificate was not used');
    }
  }

  #signerOf(kid: Uint8Array): HeldCertificate | undefined {
    const key = Buffer.from(kid).toString('hex');
    if (!this.#certificates.has(key)) {
      // What a neighbour said itself was taken over a channel that named it; nobody needed its certificate on the way.
      const issued = this.#options.certificateOf?.(kid);
      if (issued) this.#know(issued.der);
    }
    const certificate = this.#certificates.get(key);
    return certificate && !this.#options.isRevoked(key) ? certificate : undefined;
  }

  #take(peer: AttestedPeer, bytes: Uint8Array): void {
    this.counters.statements++;
    try {
      const message = parseStatement(bytes);
      if (message.typ === RESULT_TYP) {
        const { result } = readResult(bytes, (kid) => {
          const held = this.#signerOf(kid);
          return held && { key: held.publicKey, name: held.holder.name };
        });
        const { node, verifier, sequence, status, issuedAt } = result;
        if (this.#hear(node, verifier, { sequence, view: { node: verifier, status, at: issuedAt } })) {
          this.#options.onWord(result, bytes);
          void this.#reappraise(peer, result);
        }
      } else if (message.typ === SILENCE_TYPE) {
        const held = this.#signerOf(message.kid);
        if (!held) throw new EnerchainError('peer', 'tcn.statement', 'nobody is known who signed this');
        coseCheck1(message, held.publicKey, SILENCE_TYPE);
        const { node, verifier, sequence, silent, at } = decodeSilence(message.payload);
        if (verifier !== held.holder.name) throw new EnerchainError('peer', 'tcn.statement', 'signed by another one');
        if (silent) this.#hear(node, verifier, { sequence, view: { node: verifier, status: 'silent', at } });
      }
    } catch (error) {
      this.counters.refused++;
      this.#options.logger.debug({ from: peer.source, error: describeError(error) }, 'a statement was not used');
    }
  }

  /** @returns whether it is news */
  #hear(node: string, verifier: string, word: Word): boolean {
    if (verifier === this.#options.identity.name || verifier === node) return false;
    let words = this.#words.get(node);
    if (!words) {
      if (this.#words.size >= LIMITS.nodes) return false;
      words = new Map();
      this.#words.set(node, words);
    }
    const before = words.get(verifier);
    if (before && before.sequence >= word.sequence) return false;
    words.set(verifier, word);
    this.#options.onViews(node, [...words.values()].map(({ view }) => view).slice(0, 64));
    return true;
  }

  /** Looks at the evidence behind a result, where that says something the centre does not know already. */
  async #reappraise(peer: AttestedPeer, word: AttestationResult): Promise<void> {
    const { verifier, policy, clock, logger, attestsItself, onBadWord, onResult } = this.#options;
    const { node } = word;
    const good = isGood(word);
    // Without a policy nothing is good, and nothing follows of what is bad.
    if (!policy || (good && attestsItself(node))) return;
    const digest = Buffer.from(word.evidence).toString('hex');
    const used = this.#used.before(node, digest, word.verifier);
    if (used === 'for the same') this.#stale(word, 'was shown by it before');
    if (used !== 'never') return;
    const before = this.#asked.get(node);
    if (before?.digest === digest) return;
    const left = before ? Number(before.until - clock.now()) : 0;
    const span = Number(word.validUntil - word.issuedAt);
    if (good && left > span * LOOK_AGAIN) return;
    if (this.#asking >= LIMITS.asking) return;
    this.#asking++;
    const validFor = BigInt(Math.round(policy.validFor * SECOND));
    const asked = { digest, until: earlier(word.validUntil, clock.now() + validFor) };
    let known = false;
    try {
      this.#asked.set(node, asked);
      const evidence = await peer.request(TCN_METHODS.evidence, word.evidence);
      if (!(evidence instanceof Uint8Array)) return;
      verifier.forget(node);
      const { result } = await verifier.appraise(evidence, { node, binding: word.binding });
      known = true;
      this.counters.reappraised++;
      if (Buffer.compare(result.evidence, word.evidence) !== 0) {
        logger.warn(
          { from: peer.source, node, verifier: word.verifier },
          'the evidence is not the one that was appraised',
        );
        return;
      }
      if (isGood(result) !== good) this.counters.disagreed++;
      // What is no evidence of that node says nothing about it, only about who shows it.
      if (!isAuthentic(result)) return;
      const made = decodeEvidence(evidence).claims.at;
      const wrong = untimely(made, word.issuedAt, policy);
      if (wrong) {
        known = false;
        this.#stale(word, wrong);
        return;
      }
      const newest = this.#used.newest(node);
      this.#used.use(node, digest, word.verifier, made);
      // What others have shown since says more about whether it is good.
      if (isGood(result) && newest !== undefined && made < newest) return;
      if (attestsItself(node)) {
        if (!isGood(result)) onBadWord(node);
        return;
      }
      // It was fresh when the neighbour saw it, and not any longer than that; nobody has seen it later than now.
      const issuedAt = earlier(word.issuedAt, result.issuedAt);
      const validUntil = earlier(word.validUntil, issuedAt + validFor);
      onResult({ ...result, issuedAt, validUntil: validUntil > issuedAt ? validUntil : issuedAt });
    } catch (error) {
      logger.debug({ from: peer.source, node, error: describeError(error) }, 'evidence of a neighbour cannot be had');
    } finally {
      this.#asking--;
      // The next word of anybody is another chance.
      if (!known && this.#asked.get(node) === asked) this.#asked.delete(node);
    }
  }

  #stale({ node, verifier }: AttestationResult, what: string): void {
    this.counters.stale++;
    const text = `${verifier} passes old evidence of ${node} off as fresh: it ${what}.`;
    this.#options.onStale(verifier, node, text);
  }
}

const SECOND = 1_000_000_000;
const earlier = (a: UtcNanos, b: UtcNanos): UtcNanos => (a < b ? a : b);
