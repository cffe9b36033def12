/**
 * A relay between tiers (a data diode's neighbour, a DMZ, a regional node): sources connect to it as if it were the centre,
 * and it stands in for each of them towards the centre. Batches pass unopened, with the signatures of their sources;
 * commands pass with the signature of the centre. The relay itself can neither make nor change either.
 *
 * A source is acknowledged when the centre has acknowledged, so that a relay may stop at any moment and nothing is lost. Only
 * a store that says it is durable is believed: then the source is acknowledged as soon as the store has its batch.
 */
import { type Clock, describeError, EnerchainError } from '@enerchain/model';
import type { CborValue, Identity } from '@enerchain/trust';
import { decodeBatch } from './batch.ts';
import { type ChainState, ChainVerifier } from './chain.ts';
import { LinkClient, type LinkState } from './client.ts';
import type { LivenessTimes } from './connection.ts';
import type { Hello, Welcome } from './message.ts';
import type { Admission, LinkEvent, LinkPeer, LinkPolicy } from './policy.ts';
import type { RequestContext } from './rpc.ts';
import { LinkServer } from './server.ts';
import type { BatchStore, WritableBatchStore } from './store.ts';
import { type After, systemAfter } from './transport.ts';
import type { Connect } from './websocket.ts';

/** A store of a relay that outlives it. */
export interface DurableRelayStore extends BatchStore {
  readonly durable: true;
  /** How the chain of the source stood after the last `append`; `undefined` when there was none. */
  chain(): ChainState | undefined;
  /** Keeps the batch and the state of the chain together, or neither. */
  append(position: { epoch: number; sequence: number }, bytes: Uint8Array, chain: ChainState): Promise<void> | void;
}
export type RelayStore = DurableRelayStore | (WritableBatchStore & { readonly durable?: false });

export interface RelayOptions {
  /** Its own identity, of role `relay`. */
  readonly identity: Identity;
  /** The centre, or the next relay. */
  readonly url: string;
  readonly software: string;
  /** Makes (or opens) the store of a source. A store that is not durable is made anew for each connection. */
  storeOf(source: string): RelayStore;
  /** Which sources it serves; all that the CA vouches for unless said otherwise. */
  serves?(source: string): boolean;
  readonly connect?: Connect;
  readonly clock?: Clock;
  readonly after?: After;
  readonly liveness?: LivenessTimes;
  onEvent?(event: LinkEvent): void;
  /** State of the connection towards the centre on behalf of a source. */
  onState?(source: string, state: LinkState, reason?: string): void;
}

/** Milliseconds a source waits for the centre when it connects; less than its own patience for the welcome. */
const UPSTREAM_TIMEOUT = 8_000;

export class Relay {
  /** Give it connections with `serveWebSocket`. */
  readonly server: LinkServer;
  readonly #options: RelayOptions;
  readonly #branches = new Map<string, Branch>();
  /** Certificate with which the centre signs commands, once known. */
  #centre: Uint8Array | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    const { clock, after, liveness, onEvent } = options;
    const policy: LinkPolicy = {
      admit: (hello) => this.#admit(hello),
      onBatch: (peer, bytes) => this.#branch(peer).take(bytes),
      onStatus: (peer, report) => this.#branch(peer).client.status(report),
      onRequest: (peer, method, params, context) =>
        passOn(this.#branch(peer).client.stream(method, params, { signal: context.signal }), context),
      onDisconnect: (peer) => void this.#left(peer.source),
      ...(onEvent ? { onEvent } : {}),
    };
    this.server = new LinkServer({
      identity: options.identity,
      policy,
      commandCertificate: () => this.#centre ?? options.identity.certificate.der,
      ...(clock ? { clock } : {}),
      ...(after ? { after } : {}),
      ...(liveness ? { liveness } : {}),
    });
  }

  /** Sources it stands in for, with the state of their connection to the centre and what waits. */
  branches(): { source: string; state: LinkState; waiting: number }[] {
    return [...this.#branches].map(([source, branch]) => ({
      source,
      state: branch.client.state,
      waiting: branch.store.epochs().reduce((sum, { first, last }) => sum + last - first + 1, 0),
    }));
  }

  async close(): Promise<void> {
    await this.server.close();
    await Promise.all([...this.#branches.values()].map((branch) => branch.close('the relay is shutting down')));
    this.#branches.clear();
  }

  #branch(peer: LinkPeer): Branch {
    const branch = this.#branches.get(peer.source);
    if (!branch) throw new EnerchainError('environment', 'link.relay', `${peer.source} has no way to the centre here`);
    return branch;
  }

  async #admit(hello: Hello): Promise<Admission> {
    const { source } = hello;
    if (this.#options.serves && !this.#options.serves(source)) {
      throw new EnerchainError('peer', 'link.refused', `this relay does not serve ${source}`);
    }
    const existing = this.#branches.get(source);
    if (existing && !existing.durable) await existing.close(`${source} connected anew`);
    const branch = existing?.durable
      ? existing
      : new Branch(this.#options, hello, {
          command: (bytes) => this.#command(source, bytes),
          centre: (certificate) => {
            this.#centre = certificate;
            this.server.renewed(source);
          },
          peer: () => this.server.peer(source),
        });
    this.#branches.set(source, branch);
    try {
      this.#centre = await branch.ready();
      return branch.admission();
    } catch (error) {
      if (!branch.durable) {
        this.#branches.delete(source);
        await branch.close(describeError(error));
      }
      throw error;
    }
  }

  #command(source: string, bytes: Uint8Array): void {
    try {
      this.server.peer(source)?.command(bytes);
    } catch (error) {
      // The centre sees the missing answer; a command is never repeated.
      this.#options.onState?.(source, 'online', `a command was not passed on: ${describeError(error)}`);
    }
  }

  async #left(source: string): Promise<void> {
    const branch = this.#branches.get(source);
    if (!branch || branch.durable || this.server.peer(source)) return;
    this.#branches.delete(source);
    await branch.close(`${source} has gone`);
  }
}

/** One source on its way to the centre. */
class Branch {
  readonly client: LinkClient;
  readonly store: RelayStore;
  readonly #source: string;
  readonly #after: After;
  /** Follows the chain without signatures: enough to know where it stands, the centre checks the rest. */
  #verifier: ChainVerifier | undefined;
  #welcome: Welcome | undefined;
  #onWelcome: (() => void)[] = [];
  /** Batches whose source waits for the centre's acknowledgement, in order of arrival. */
  #waiting: { epoch: number; sequence: number; settle(error?: EnerchainError): void }[] = [];

  constructor(
    options: RelayOptions,
    hello: Hello,
    down: { command(bytes: Uint8Array): void; centre(certificate: Uint8Array): void; peer(): LinkPeer | undefined },
  ) {
    this.#source = hello.source;
    this.#after = options.after ?? systemAfter;
    this.store = options.storeOf(hello.source);
    const { clock, after, connect, liveness } = options;
    this.client = new LinkClient({
      url: options.url,
      identity: options.identity,
      software: `${hello.software} via ${options.software}`,
      store: this.store,
      source: hello.source,
      certificates: hello.certificates,
      onCommand: (bytes) => down.command(bytes),
      onRequest: (method, params, context) => {
        const peer = down.peer();
        if (!peer)
          throw new EnerchainError('environment', 'link.offline', `${hello.source} is not connected to the relay`);
        return passOn(peer.stream(method, params, { signal: context.signal }), context);
      },
      onState: (state, reason) => options.onState?.(hello.source, state, reason),
      onWelcome: (welcome) => {
        const before = this.#welcome?.certificate;
        this.#welcomed(welcome);
        if (before && Buffer.compare(before, welcome.certificate) !== 0) down.centre(welcome.certificate);
      },
      onCentre: ({ der }) => {
        if (this.#welcome) this.#welcome = { ...this.#welcome, certificate: der };
        down.centre(der);
      },
      onAcknowledged: (position) =>
        this.#settle((each) => each.epoch === position.epoch && each.sequence <= position.sequence),
      onReject: ({ epoch, sequence, code, text }) =>
        this.#settle(
          (each) => each.epoch === epoch && each.sequence >= sequence,
          new EnerchainError('peer', code, text),
        ),
      ...(clock ? { clock } : {}),
      ...(after ? { after } : {}),
      ...(connect ? { connect } : {}),
      ...(liveness ? { liveness } : {}),
    });
    this.client.start();
  }

  get durable(): boolean {
    return this.store.durable === true;
  }

  /** Waits until the centre has spoken once. @returns DER of its certificate */
  async ready(): Promise<Uint8Array> {
    if (!this.#welcome) {
      await new Promise<void>((resolve, reject) => {
        const cancel = this.#after(UPSTREAM_TIMEOUT, () =>
          reject(
            new EnerchainError('environment', 'link.relay', `the relay does not reach the centre for ${this.#source}`),
          ),
        );
        this.#onWelcome.push(() => {
          cancel();
          resolve();
        });
      });
    }
    return this.#welcome!.certificate;
  }

  admission(): Admission {
    const { completed, cursors } = this.#welcome!;
    this.#verifier ??= new ChainVerifier((this.store.durable && this.store.chain()) || { completed, epochs: cursors });
    return { completed: this.#verifier.completed, cursors: this.#verifier.cursors() };
  }

  async take(bytes: Uint8Array): Promise<{ epoch: number; sequence: number }> {
    const batch = decodeBatch(bytes);
    const { epoch, sequence, source } = batch.header;
    const position = { epoch, sequence };
    if (source !== this.#source) {
      throw new EnerchainError('peer', 'link.batch', `${this.#source} sent a batch in the name of ${source}`);
    }
    const verifier = this.#verifier!;
    const verdict = verifier.check(batch);
    if (verdict.kind === 'broken') throw new EnerchainError('peer', `link.chain.${verdict.reason}`, verdict.text);
    if (verdict.kind === 'duplicate') return position;
    verifier.accept(batch);
    if (this.store.durable) {
      await this.store.append(position, bytes, verifier.state());
      this.client.send({ ...position, bytes });
      return position;
    }
    const acknowledged = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ ...position, settle: (error) => (error ? reject(error) : resolve()) });
    });
    await this.store.append(position, bytes);
    this.client.send({ ...position, bytes });
    await acknowledged;
    return position;
  }

  async close(reason: string): Promise<void> {
    this.#settle(() => true, new EnerchainError('environment', 'link.relay', reason));
    await this.client.close();
  }

  #welcomed(welcome: Welcome): void {
    this.#welcome = welcome;
    this.#settle(
      ({ epoch, sequence }) =>
        epoch <= welcome.completed || welcome.cursors.some((each) => each.epoch === epoch && each.sequence >= sequence),
    );
    for (const wake of this.#onWelcome.splice(0)) wake();
  }

  #settle(which: (position: { epoch: number; sequence: number }) => boolean, error?: EnerchainError): void {
    const due = this.#waiting.filter(which);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((each) => !which(each));
    for (const each of due) each.settle(error);
  }
}

/** Hands a stream on, item by item, at the pace of whoever asked. */
async function passOn(stream: AsyncGenerator<CborValue, CborValue>, context: RequestContext): Promise<CborValue> {
  try {
    for (;;) {
      const { value, done } = await stream.next();
      if (done) return value;
      await context.write(value);
    }
  } finally {
    await stream.return(null);
  }
}
