/** One connection as a link server sees it, from the hello to the end. */
import type { KeyObject } from 'node:crypto';
import { type Clock, describeError, EnerchainError, SourceReport, toMillis, validator } from '@enerchain/model';
import { type CborValue, checkedCertificate, type Holder, maySign, PLATFORM_TLS_PROFILE } from '@enerchain/trust';
import { decodeBatch } from './batch.ts';
import { Connection, type Ending, type LinkCounters, newCounters, type SessionMessage } from './connection.ts';
import { CENTRE_METHOD, type Hello, RENEWED_METHOD } from './message.ts';
import type { LinkEvent, LinkPeer, LinkServerOptions } from './policy.ts';
import type { RequestContext, RequestOptions, StreamOptions } from './rpc.ts';
import { costOf } from './schedule.ts';
import type { After, LinkTransport } from './transport.ts';

/** Bytes of batches under way that one source may have, unless said otherwise. */
const WINDOW = 8 * 1024 * 1024;
/** Milliseconds from the connection to the welcome. */
const HELLO_TIMEOUT = 10_000;
/** Milliseconds between looks at the certificate's end: the wall clock may be set in between. */
const EXPIRY_CHECK = 3_600_000;
/** Bytes not yet on the wire above which no command is given to a peer. */
const COMMAND_MARK = 4 * 1024 * 1024;
const reports = validator(SourceReport, 'peer');

/** The server as its sessions see it. */
export interface House {
  /** The session knows its name and takes its place. @throws EnerchainError `link.in-use` */
  enter(session: Session): Promise<void>;
  leave(session: Session): void;
}

export class Session implements LinkPeer {
  readonly counters: LinkCounters = newCounters();
  readonly #options: LinkServerOptions;
  readonly #clock: Clock;
  readonly #after: After;
  readonly #house: House;
  readonly #total: LinkCounters;
  readonly #transport: LinkTransport;
  readonly #connection: Connection;
  readonly #keys = new Map<string, KeyObject>();
  readonly #cancelHello: () => void;
  readonly #window: number;
  #holder: Holder | undefined;
  #hello: Hello | undefined;
  #state: 'new' | 'greeting' | 'online' | 'over' = 'new';
  #admitted = false;
  #ending: Ending | undefined;
  /** The key with which the connection was made. */
  #key: KeyObject | undefined;
  /** When the certificate of the connection ends. */
  #expiry = new Date(0);
  #cancelExpiry: () => void = () => undefined;
  #cancelLife: () => void = () => undefined;
  #credit: number;
  #pending = 0;
  /** Epochs of which a batch was rejected. */
  readonly #blocked = new Set<number>();
  /** Kept but not acknowledged yet: highest sequence number per epoch, sent at the end of the turn. */
  readonly #acks = new Map<number, number>();
  #creditDue = 0;
  #flushing = false;
  #resolveSettled: () => void = () => undefined;
  /** Resolves when the connection has ended and no batch is being kept any more. */
  readonly settled: Promise<void>;

  constructor(
    options: LinkServerOptions,
    clock: Clock,
    after: After,
    total: LinkCounters,
    transport: LinkTransport,
    house: House,
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#after = after;
    this.#house = house;
    this.#total = total;
    this.#transport = transport;
    this.#window = options.window ?? WINDOW;
    this.#credit = this.#window;
    this.settled = new Promise((resolve) => {
      this.#resolveSettled = resolve;
    });
    this.#connection = new Connection({
      transport,
      clock,
      after,
      counters: this.counters,
      liveness: options.liveness,
      rpcLimits: options.rpcLimits,
      onRequest: (method, params, context) => this.#request(method, params, context),
      onMessage: (message) => this.#receive(message),
      onDrained: () => undefined,
      onEnd: (ending) => this.#over(ending),
    });
    this.#cancelHello = after(HELLO_TIMEOUT, () => this.#connection.abort('link.silent', 'the greeting took too long'));
  }

  open(): void {
    this.#connection.open();
  }

  get ended(): boolean {
    return this.#connection.ended;
  }

  /** Nor does it last for ever: the next one begins with a handshake, and with both certificates (IEC 62351-3). */
  #limitLife(): void {
    const longest = (this.#options.longestSession ?? PLATFORM_TLS_PROFILE.maxSessionSeconds) * 1000;
    this.#cancelLife = this.#after(longest, () => {
      this.close('link.lifetime', 'the longest time that a connection may last is over; make another');
    });
  }

  /** A connection does not outlive the certificate it rests on (IEC 62351-3). */
  #expire(at: Date): void {
    const left = at.getTime() - toMillis(this.#clock.now());
    if (left <= 0) {
      this.#event('link.certificate', `the certificate of ${this.holder.name} expired; the connection was closed`);
      this.close('link.expired', `the certificate expired on ${at.toISOString()}; renew it`);
      return;
    }
    this.#cancelExpiry = this.#after(Math.min(left, EXPIRY_CHECK), () => this.#expire(at));
  }

  get source(): string {
    return this.#hello?.source ?? '';
  }
  get holder(): Holder {
    return this.#holder ?? { name: '', role: 'edge' };
  }
  get software(): string {
    return this.#hello?.software ?? '';
  }
  get hello(): Hello {
    return this.#hello ?? { source: '', software: '', epochs: [], certificates: [] };
  }
  exporter(): Uint8Array {
    return this.#transport.exporter();
  }
  get remote(): string {
    return this.#transport.remote;
  }
  get pending(): number {
    return this.#pending;
  }

  keyOf(kid: Uint8Array): KeyObject | undefined {
    return this.#keys.get(Buffer.from(kid).toString('hex'));
  }

  command(bytes: Uint8Array): void {
    this.#check('a command');
    if (this.#connection.buffered > COMMAND_MARK) {
      throw new EnerchainError(
        'environment',
        'link.congested',
        `${this.source} does not take what it is sent; the command was not sent`,
      );
    }
    this.counters.commandsSent++;
    this.#connection.send({ type: 'command', bytes });
  }

  async request(method: string, params: CborValue, options?: RequestOptions): Promise<CborValue> {
    this.#check(method);
    return this.#connection.rpc.request(method, params, options);
  }

  stream(method: string, params: CborValue, options?: StreamOptions): AsyncGenerator<CborValue, CborValue> {
    this.#check(method);
    return this.#connection.rpc.stream(method, params, options);
  }

  #commandCertificate(): Uint8Array {
    return this.#options.commandCertificate?.() ?? this.#options.identity.certificate.der;
  }

  /**
   * A peer that does not know the method takes no commands until it comes again. One that finds another key in the certificate
   * has to come again: with the welcome comes the new one.
   */
  centreRenewed(): void {
    if (this.#state !== 'online') return;
    this.request(CENTRE_METHOD, { certificate: this.#commandCertificate() }).catch((error: unknown) => {
      if (error instanceof EnerchainError && error.code === 'link.certificate') {
        this.close('link.rekeyed', 'commands are signed with another key now');
      }
    });
  }

  close(code: string, text: string): void {
    this.#connection.close(code, text);
  }

  #check(what: string): void {
    if (this.#state === 'online') return;
    throw new EnerchainError('environment', 'link.offline', `${what} was not sent: ${this.source} is not connected`);
  }

  #event(code: LinkEvent['code'], text: string): void {
    const source = this.#hello ? { source: this.#hello.source } : {};
    this.#options.policy.onEvent?.({ code, remote: this.remote, text, ...source });
  }

  #receive(message: SessionMessage): void {
    if (message.type === 'hello' && this.#state === 'new') {
      this.#state = 'greeting';
      const { type: _, ...hello } = message;
      void this.#greet(hello);
      return;
    }
    if (this.#state !== 'online') {
      throw new EnerchainError('peer', 'link.protocol', `a message '${message.type}' came before the welcome`);
    }
    switch (message.type) {
      case 'batch':
        void this.#batch(message.bytes);
        return;
      case 'status':
        this.#options.policy.onStatus?.(this, reports.parse(message.report, `the status of ${this.source}`));
        return;
      default:
        throw new EnerchainError('peer', 'link.protocol', `a message '${message.type}' is not for a centre`);
    }
  }

  async #greet(hello: Hello): Promise<void> {
    const { policy } = this.#options;
    try {
      this.#hello = hello;
      this.#holder = this.#identify(hello);
      await this.#house.enter(this);
      if (this.#connection.ended) return;
      const admission = await policy.admit(this.#hello, this.#holder);
      this.#admitted = true;
      if (this.#ending) {
        // Whoever admitted it must hear that it has gone.
        policy.onDisconnect?.(this, this.#ending);
        return;
      }
      this.#cancelHello();
      this.#state = 'online';
      this.#expire(this.#expiry);
      this.#limitLife();
      this.counters.connections++;
      const certificate = this.#commandCertificate();
      this.#connection.send({ type: 'welcome', ...admission, window: this.#window, certificate });
      policy.onConnect?.(this);
    } catch (error) {
      const known = error instanceof EnerchainError ? error : undefined;
      // What is our own trouble is no refusal: the source shall come again soon.
      const ours = known ? known.fault === 'environment' || known.fault === 'local' : !isPeerFault(error);
      if (!ours && known?.code !== 'link.in-use') this.#event('link.hello.refused', describeError(error));
      const code = ours ? 'link.unavailable' : known?.code === 'link.in-use' ? known.code : 'link.refused';
      this.#connection.close(code, describeError(error));
    }
  }

  /** Whose connection it is, and with which keys its batches may be signed. @throws when it may not speak for the source */
  #identify(hello: Hello): Holder {
    const { policy, identity } = this.#options;
    const now = new Date(toMillis(this.#clock.now()));
    const own = checkedCertificate(this.#transport.peerCertificate, identity.caPem, now);
    const { holder } = own;
    this.#expiry = own.notAfter;
    this.#key = own.publicKey;
    const relayed = holder.role === 'relay' && (policy.mayRelay?.(holder.name, hello.source) ?? false);
    const itself = (holder.role === 'edge' || holder.role === 'service') && holder.name === hello.source;
    if (!relayed && !itself) {
      throw new EnerchainError(
        'peer',
        'link.refused',
        `${holder.role} ${holder.name} may not speak for ${hello.source}`,
      );
    }
    if (itself) {
      if (maySign(own)) this.#keys.set(Buffer.from(own.kid).toString('hex'), own.publicKey);
      this.#hello = { ...hello, certificates: [own.der, ...hello.certificates] };
    }
    for (const der of hello.certificates) {
      try {
        const certificate = checkedCertificate(der, identity.caPem, now);
        const { name, role } = certificate.holder;
        if (name !== hello.source || (role !== 'edge' && role !== 'service')) {
          throw new EnerchainError('peer', 'link.certificate', `it is that of ${role} ${name}`);
        }
        if (!maySign(certificate))
          throw new EnerchainError('peer', 'link.certificate', 'its key makes connections only');
        this.#keys.set(Buffer.from(certificate.kid).toString('hex'), certificate.publicKey);
      } catch (error) {
        this.#event(
          'link.certificate',
          `a certificate that ${hello.source} sent along is not used: ${describeError(error)}`,
        );
      }
    }
    return holder;
  }

  async #batch(bytes: Uint8Array): Promise<void> {
    const cost = costOf(bytes);
    // A batch larger than the window may go alone; anything else must be within the credit.
    if (cost > this.#credit && this.#credit < this.#window) {
      this.#event('link.credit.exceeded', `${this.source} sent more than it had credit for; the connection was closed`);
      this.#connection.close('link.credit', 'more was sent than there was credit for');
      return;
    }
    this.#credit -= cost;
    this.counters.batchesReceived++;
    this.#pending++;
    let at: { epoch: number; sequence: number } | undefined;
    try {
      const { header } = decodeBatch(bytes);
      at = { epoch: header.epoch, sequence: header.sequence };
      if (!this.#blocked.has(at.epoch)) {
        const kept = await this.#options.policy.onBatch(this, bytes);
        this.#acks.set(kept.epoch, Math.max(kept.sequence, this.#acks.get(kept.epoch) ?? 0));
      }
    } catch (error) {
      this.#refuse(at, error);
    } finally {
      this.#pending--;
      this.#creditDue += cost;
      this.#flushLater();
      if (this.#pending === 0 && this.#connection.ended) this.#resolveSettled();
    }
  }

  #refuse(at: { epoch: number; sequence: number } | undefined, error: unknown): void {
    const text = describeError(error).slice(0, 500);
    if (!at || !isPeerFault(error)) {
      if (!at) this.#event('link.protocol', `${this.source}: ${text}`);
      this.#connection.close(at ? 'link.unavailable' : 'link.protocol', text);
      return;
    }
    if (this.#blocked.has(at.epoch)) return;
    this.#blocked.add(at.epoch);
    this.counters.rejected++;
    this.#event('link.batch.rejected', text);
    const code = error instanceof EnerchainError ? error.code : 'link.batch';
    this.#connection.send({ type: 'reject', ...at, code, text });
  }

  /** One acknowledgement per epoch and one grant per turn, however many batches were kept in it. */
  #flushLater(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      for (const [epoch, sequence] of this.#acks) {
        this.counters.acknowledgements++;
        this.#connection.send({ type: 'ack', epoch, sequence });
      }
      this.#acks.clear();
      const bytes = this.#creditDue;
      this.#creditDue = 0;
      this.#credit += bytes;
      this.#connection.send({ type: 'credit', bytes });
    });
  }

  /**
   * Another certificate for a key that was shown: for that of the connection, so that it may go on beyond the first one's
   * end, or for one of the hello that signs.
   */
  #renewed(params: CborValue): null {
    const { policy, identity } = this.#options;
    const der = (params as { certificate?: unknown } | null)?.certificate;
    if (!(der instanceof Uint8Array)) throw new EnerchainError('peer', 'link.certificate', 'there is no certificate');
    const certificate = checkedCertificate(der, identity.caPem, new Date(toMillis(this.#clock.now())));
    const { name, role } = certificate.holder;
    const ofConnection = this.#key?.equals(certificate.publicKey) ?? false;
    const known = ofConnection || [...this.#keys.values()].some((key) => key.equals(certificate.publicKey));
    if (name !== this.holder.name || role !== this.holder.role || !known) {
      throw new EnerchainError('peer', 'link.certificate', `it is not another certificate of ${this.holder.name}`);
    }
    policy.onRenewed?.(this, certificate);
    if (this.holder.name === this.source && role !== 'relay' && maySign(certificate)) {
      this.#keys.set(Buffer.from(certificate.kid).toString('hex'), certificate.publicKey);
    }
    if (ofConnection && certificate.notAfter > this.#expiry) {
      this.#expiry = certificate.notAfter;
      this.#cancelExpiry();
      this.#expire(this.#expiry);
    }
    return null;
  }

  #request(method: string, params: CborValue, context: RequestContext): Promise<CborValue> | CborValue {
    if (this.#state === 'online' && method === RENEWED_METHOD) return this.#renewed(params);
    const { onRequest } = this.#options.policy;
    if (this.#state !== 'online' || !onRequest) {
      throw new EnerchainError('unsupported', 'link.method', `requests '${method}' are not answered here`);
    }
    return onRequest.call(this.#options.policy, this, method, params, context);
  }

  #over(ending: Ending): void {
    this.#state = 'over';
    this.#ending = ending;
    this.#cancelHello();
    this.#cancelExpiry();
    this.#cancelLife();
    this.#house.leave(this);
    for (const [name, value] of Object.entries(this.counters)) this.#total[name as keyof LinkCounters] += value;
    if (!ending.byPeer && ending.code === 'link.silent') this.#event('link.silent', ending.text);
    if (!ending.byPeer && this.counters.protocolErrors > 0) this.#event('link.protocol', ending.text);
    if (this.#pending === 0) this.#resolveSettled();
    if (this.#admitted) this.#options.policy.onDisconnect?.(this, ending);
  }
}

/** Errors of pki carry a fault like ours. */
function isPeerFault(error: unknown): boolean {
  const fault = error instanceof Error ? (error as Error & { fault?: unknown }).fault : undefined;
  return fault === 'peer' || fault === 'unsupported';
}
