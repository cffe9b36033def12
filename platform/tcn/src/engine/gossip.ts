/**
 * What is said about nodes, taken in and passed on. A statement counts when its signature fits the certificate of who makes
 * it. A bad result moves nobody by itself: its evidence is asked for, and appraised here. Only what was found true here, or
 * concerns silence and orders, is passed on.
 */
import { type AttestationResult, decodeResult, RESULT_TYP } from '@enerchain/attestation';
import { type CoseSign1, coseCheck1 } from '@enerchain/trust';
import type { KeyDirectory, KnownKey } from '../keys.ts';
import type { Passing } from '../message.ts';
import {
  decodeRelease,
  decodeSilence,
  parseStatement,
  RELEASE_TYPE,
  type Release,
  SILENCE_TYPE,
  type Silence,
} from '../statement.ts';
import { hexOf, sha256 } from './evidence-store.ts';
import { TCN_LIMITS } from './limits.ts';
import type { Neighbour } from './neighbour.ts';
import type { Standing, StandingTable } from './standing.ts';

/** A statement taken apart, not checked yet. */
export type Read =
  | { readonly kind: 'result'; readonly issuer: string; readonly cose: CoseSign1; readonly content: AttestationResult }
  | { readonly kind: 'silence'; readonly issuer: string; readonly cose: CoseSign1; readonly content: Silence }
  /** `issuer` is whoever signed; it must be a centre. */
  | { readonly kind: 'release'; readonly issuer: ''; readonly cose: CoseSign1; readonly content: Release };

/** @throws EnerchainError (fault peer) */
export function readStatement(bytes: Uint8Array): Read {
  const cose = parseStatement(bytes);
  switch (cose.typ) {
    case RESULT_TYP: {
      const content = decodeResult(cose.payload);
      return { kind: 'result', issuer: content.verifier, cose, content };
    }
    case SILENCE_TYPE: {
      const content = decodeSilence(cose.payload);
      return { kind: 'silence', issuer: content.verifier, cose, content };
    }
    case RELEASE_TYPE:
      return { kind: 'release', issuer: '', cose, content: decodeRelease(cose.payload) };
    default:
      throw new TypeError(`a statement of type '${cose.typ ?? 'none'}' is not known here`);
  }
}

export const isAdverse = (read: Read): boolean =>
  read.kind === 'result'
    ? read.content.status === 'contraindicated'
    : read.kind === 'silence'
      ? read.content.silent
      : read.content.action === 'quarantine';

/** Roles whose word about a node counts. */
const VERIFIERS: ReadonlySet<string> = new Set(['edge', 'network', 'centre']);

/** What the gossip needs of its node. */
export interface GossipHost {
  readonly self: string;
  readonly table: StandingTable;
  readonly keys: KeyDirectory;
  now(): number;
  /** What a bad result is worth: `known` when the node is in quarantine already, `void` when a release has forgiven it. */
  worth(result: AttestationResult): 'evidence' | 'known' | 'void';
  /** Somebody says a node is bad; it is signed, and not proven. */
  accused(result: AttestationResult): void;
  /** Appraises evidence behind somebody else's result. @returns whether it shows what the result says */
  judge(result: AttestationResult, evidence: Uint8Array): Promise<boolean>;
  taken(read: Read, standing: Standing): void;
  pass(statement: Standing, ttl: number, from: Neighbour | undefined): void;
  violation(neighbour: Neighbour, code: string, text: string): void;
}

interface Fetch {
  readonly read: Read & { readonly kind: 'result' };
  readonly passing: Passing;
  readonly from: Neighbour;
  readonly at: number;
}

/** Milliseconds after which evidence that did not come is asked for no more. */
const FETCH_TIMEOUT = 10_000;
/** Hops a statement may go at most, whatever it says itself. */
export const MAX_TTL = 32;

export class Gossip {
  readonly #host: GossipHost;
  readonly #fetching = new Map<string, Fetch>();
  readonly counters = { taken: 0, repeated: 0, unsigned: 0, refuted: 0, fetched: 0, overloaded: 0 };

  constructor(host: GossipHost) {
    this.#host = host;
  }

  /** A statement has arrived from a neighbour. */
  receive(neighbour: Neighbour, passing: Passing): void {
    const { table } = this.#host;
    let read: Read;
    try {
      read = readStatement(passing.bytes);
    } catch (error) {
      this.#host.violation(neighbour, 'tcn.statement', `a statement cannot be read: ${(error as Error).message}`);
      return;
    }
    const { sequence, node } = read.content;
    if (read.issuer === this.#host.self) return;
    const before = table.get(read.kind, read.issuer, node);
    if (before && before.sequence >= sequence) {
      this.counters.repeated++;
      return;
    }
    // What a neighbour has found itself, over a channel that says who it is: its certificate adds nothing, and nobody is
    // told further.
    const routine = read.kind === 'result' && !isAdverse(read) && !before;
    if (routine && read.issuer === neighbour.name) {
      this.#host.taken(read, this.#standing(read, passing.bytes));
      return;
    }
    // What it says is being looked into already, and costs no second check; it comes again when it is true.
    if (read.kind === 'result' && isAdverse(read) && this.#isFetching(read.content)) {
      this.counters.repeated++;
      return;
    }
    if (!neighbour.buckets.statements.take(this.#host.now())) {
      neighbour.counters.droppedStatements++;
      this.counters.overloaded++;
      return;
    }
    const known = this.#host.keys.keyOf(read.cose.kid);
    if (known) this.#checked(neighbour, read, passing, known);
    else this.#ask(neighbour, read, passing);
  }

  /** A statement from elsewhere than a neighbour: an order from the centre by way of the link. @returns whether it was new */
  order(bytes: Uint8Array): boolean {
    const read = readStatement(bytes);
    const known = this.#host.keys.keyOf(read.cose.kid);
    if (read.kind !== 'release' || known?.role !== 'centre') return false;
    coseCheck1(read.cose, known.key, RELEASE_TYPE);
    return this.#take(read, { ttl: MAX_TTL, bytes }, undefined);
  }

  #standing(read: Read, bytes: Uint8Array): Standing {
    return {
      kind: read.kind,
      issuer: read.issuer,
      node: read.content.node,
      sequence: read.content.sequence,
      bytes,
      adverse: isAdverse(read),
      takenAt: this.#host.now(),
    };
  }

  /** Asks the neighbour for the certificate of who signed. */
  #ask(neighbour: Neighbour, read: Read, passing: Passing): void {
    const kid = hexOf(read.cose.kid);
    const waiting = neighbour.unverified.get(kid) ?? [];
    const total = [...neighbour.unverified.values()].reduce((sum, { length }) => sum + length, 0);
    if (total >= TCN_LIMITS.unverified) {
      this.counters.overloaded++;
      return;
    }
    if (waiting.length === 0) neighbour.send({ type: 'want', what: 'certificate', hashes: [read.cose.kid] });
    neighbour.unverified.set(kid, [...waiting, passing]);
  }

  /** A certificate has arrived that a statement waits for. */
  certificate(neighbour: Neighbour, der: Uint8Array): void {
    const kid = hexOf(sha256(der));
    const waiting = neighbour.unverified.get(kid);
    if (!waiting) return;
    neighbour.unverified.delete(kid);
    try {
      this.#host.keys.learn(der);
    } catch (error) {
      const text = `a certificate that signed a statement is not of our authority: ${(error as Error).message}`;
      this.#host.violation(neighbour, 'tcn.certificate', text);
      return;
    }
    for (const passing of waiting) this.receive(neighbour, passing);
  }

  #isFetching({ evidence, node }: AttestationResult): boolean {
    return this.#fetching.get(hexOf(evidence))?.read.content.node === node;
  }

  #checked(neighbour: Neighbour, read: Read, passing: Passing, known: KnownKey): void {
    const may =
      read.kind === 'release' ? known.role === 'centre' : known.name === read.issuer && VERIFIERS.has(known.role);
    try {
      if (!may) throw new Error(`${known.role} ${known.name} may not say this`);
      coseCheck1(read.cose, known.key, read.cose.typ);
    } catch (error) {
      this.counters.unsigned++;
      const text = `a statement about ${read.content.node} is not signed as it must be: ${(error as Error).message}`;
      this.#host.violation(neighbour, 'tcn.signature', text);
      return;
    }
    if (read.kind === 'result' && isAdverse(read)) this.#adverse(neighbour, read, passing);
    else this.#take(read, passing, neighbour);
  }

  #adverse(neighbour: Neighbour, read: Read & { readonly kind: 'result' }, passing: Passing): void {
    const { content } = read;
    const worth = this.#host.worth(content);
    if (worth === 'void') return;
    if (worth === 'known') {
      this.#take(read, passing, neighbour);
      return;
    }
    this.#host.accused(content);
    const digest = hexOf(content.evidence);
    if (this.#fetching.has(digest)) return;
    if (this.#fetching.size >= TCN_LIMITS.fetching) {
      this.counters.overloaded++;
      return;
    }
    this.#fetching.set(digest, { read, passing, from: neighbour, at: this.#host.now() });
    neighbour.send({ type: 'want', what: 'evidence', hashes: [content.evidence] });
  }

  /** Evidence has arrived that was asked for. */
  async evidence(bytes: Uint8Array): Promise<void> {
    const digest = hexOf(sha256(bytes));
    const fetch = this.#fetching.get(digest);
    if (!fetch) return;
    this.counters.fetched++;
    const { read, passing, from } = fetch;
    try {
      if (await this.#host.judge(read.content, bytes)) this.#take(read, passing, from);
      else this.counters.refuted++;
    } finally {
      this.#fetching.delete(digest);
    }
  }

  #take(read: Read, passing: Passing, from: Neighbour | undefined): boolean {
    const standing = this.#standing(read, passing.bytes);
    // A good word stands only where a bad one of the same issuer stood before.
    const stands =
      standing.adverse || read.kind !== 'result' || this.#host.table.get('result', read.issuer, standing.node);
    if (stands && !this.#host.table.put(standing)) return false;
    this.counters.taken++;
    this.#host.taken(read, standing);
    const ttl = Math.min(passing.ttl, MAX_TTL);
    if (stands && ttl > 0) this.#host.pass(standing, ttl - 1, from);
    return true;
  }

  /** Gives up on evidence that does not come: the next statement about the same asks somebody else. */
  tick(): void {
    for (const [digest, { at }] of this.#fetching) {
      if (this.#host.now() - at > FETCH_TIMEOUT) this.#fetching.delete(digest);
    }
  }
}
