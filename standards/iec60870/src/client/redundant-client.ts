/**
 * A controlling station's redundancy group, IEC 60870-5-104 § 10: several connections to one station (or to its twin
 * computers), data transfer started on exactly one. The others are held open and tested every t3, so that a
 * switchover is a STARTDT and not a connect.
 */
import type { Asdu } from '../codec/asdu.ts';
import { callerError, Iec104Error } from '../errors.ts';
import type { Receipt } from '../session/connection.ts';
import { Iec104Client } from './client.ts';
import type { CommandOutcome } from './command-machine.ts';
import type { ClientState, CommandRequest, Iec104ClientOptions, RequestOptions } from './options.ts';
import type { InterrogationResult } from './procedures.ts';

/** One way to the station, and what differs on it. */
export interface RedundantConnection extends Pick<Iec104ClientOptions, 'host' | 'port' | 'tls' | 'transport'> {
  readonly name: string;
}

export interface Iec104RedundantClientOptions
  extends Omit<Iec104ClientOptions, 'host' | 'port' | 'transport' | 'onAsdu' | 'onState' | 'startTransfer'> {
  /** In order of preference; 2 or more. */
  readonly connections: readonly RedundantConnection[];
  /** ASDUs of whichever connection is active. */
  readonly onAsdu?: (asdu: Asdu, receipt: Receipt, connection: string) => void;
  /** `started` while data transfer runs on one of them. */
  readonly onState?: (state: ClientState, reason?: string) => void;
  readonly onConnectionState?: (connection: string, state: ClientState, reason?: string) => void;
  /** Data transfer has moved to another connection. What was unacknowledged may come once more. */
  readonly onSwitchover?: (to: string, from: string | undefined, reason: string) => void;
}

export class Iec104RedundantClient {
  readonly #options: Iec104RedundantClientOptions;
  readonly #clients: { readonly name: string; readonly client: Iec104Client }[];
  #active: number | undefined;
  /** The connection that has been asked to start and has not confirmed yet. */
  #starting: number | undefined;
  #last: number | undefined;
  #reason = 'start';
  #state: ClientState = 'disconnected';
  #switchovers = 0;

  constructor(options: Iec104RedundantClientOptions) {
    if (options.connections.length < 2)
      throw callerError('client.options', 'A redundancy group needs two connections or more');
    this.#options = options;
    const {
      connections,
      onAsdu,
      onState: _onState,
      onConnectionState: _other,
      onSwitchover: _switch,
      ...common
    } = options;
    this.#clients = connections.map(({ name, ...own }, index) => ({
      name,
      client: new Iec104Client({
        ...common,
        ...own,
        startTransfer: false,
        ...(onAsdu ? { onAsdu: (asdu: Asdu, receipt: Receipt) => onAsdu(asdu, receipt, name) } : {}),
        onState: (state, reason) => this.#onState(index, state, reason),
      }),
    }));
  }

  get state(): ClientState {
    return this.#state;
  }

  /** The name of the connection that carries data transfer. */
  get active(): string | undefined {
    return this.#active === undefined ? undefined : this.#clients[this.#active]!.name;
  }

  /** The client that carries data transfer, for everything that is not offered here. */
  get activeClient(): Iec104Client | undefined {
    return this.#active === undefined ? undefined : this.#clients[this.#active]!.client;
  }

  /** How often data transfer has moved to another connection. */
  get switchovers(): number {
    return this.#switchovers;
  }

  /** The clients of the group by name, for their counters and states. */
  get clients(): ReadonlyMap<string, Iec104Client> {
    return new Map(this.#clients.map(({ name, client }) => [name, client]));
  }

  get pendingReceipts(): number {
    return this.activeClient?.pendingReceipts ?? 0;
  }

  start(): void {
    for (const { client } of this.#clients) client.start();
  }

  async close(): Promise<void> {
    this.#setState('closed');
    await Promise.all(this.#clients.map(({ client }) => client.close()));
  }

  /**
   * Moves data transfer to another connection in order: STOPDT here, STARTDT there.
   * @param name default: the next one that is connected
   * @throws Iec104Error (environment) when that connection is not there
   */
  switchOver(name?: string): void {
    const candidates = this.#clients
      .map((_, index) => index)
      .filter((index) => index !== this.#active && this.#ready(index));
    const to = name === undefined ? candidates[0] : candidates.find((index) => this.#clients[index]!.name === name);
    if (to === undefined)
      throw new Iec104Error(
        'environment',
        'client.noStandby',
        `No standby connection ${name ?? ''} is connected; nothing was changed`,
      );
    this.#reason = 'switchover was asked for';
    const from = this.#active;
    if (from === undefined) {
      this.#begin(to);
    } else {
      this.#starting = to;
      this.#clients[from]!.client.stopTransfer();
    }
  }

  /** The active client. @throws Iec104Error (environment) when data transfer runs nowhere */
  get #current(): Iec104Client {
    const client = this.activeClient;
    if (client) return client;
    throw new Iec104Error(
      'environment',
      'client.notStarted',
      'No connection of the redundancy group is started; nothing was sent',
    );
  }

  send(asdu: Asdu): boolean {
    return this.activeClient?.send(asdu) ?? false;
  }
  async interrogate(ca: number, qoi?: number, options?: RequestOptions): Promise<InterrogationResult> {
    return this.#current.interrogate(ca, qoi, options);
  }
  async counterInterrogation(
    ca: number,
    qcc?: { readonly request?: number; readonly freeze?: number },
    options?: RequestOptions,
  ): Promise<InterrogationResult> {
    return this.#current.counterInterrogation(ca, qcc, options);
  }
  async synchronizeClock(
    ca: number,
    at?: number,
    options?: RequestOptions,
  ): ReturnType<Iec104Client['synchronizeClock']> {
    return this.#current.synchronizeClock(ca, at, options);
  }
  async read(ca: number, ioa: number, options?: RequestOptions): Promise<Asdu> {
    return this.#current.read(ca, ioa, options);
  }
  async test(ca: number, options?: RequestOptions & { readonly counter?: number }): Promise<void> {
    return this.#current.test(ca, options);
  }
  async resetProcess(ca: number, qrp?: number, options?: RequestOptions): Promise<void> {
    return this.#current.resetProcess(ca, qrp, options);
  }
  /** As `Iec104Client.command`. It is not carried over to another connection: a lost one makes the outcome unknown. */
  async command(request: CommandRequest): Promise<CommandOutcome> {
    return this.#current.command(request);
  }

  #ready(index: number): boolean {
    return this.#clients[index]!.client.state === 'connected';
  }

  #onState(index: number, state: ClientState, reason: string | undefined): void {
    const { name } = this.#clients[index]!;
    this.#options.onConnectionState?.(name, state, reason);
    if (this.#state === 'closed') return;
    if (state === 'started') {
      this.#starting = undefined;
      if (this.#last !== undefined && this.#last !== index) this.#switchovers++;
      const from = this.#last === undefined ? undefined : this.#clients[this.#last]!.name;
      this.#active = index;
      this.#last = index;
      this.#setState('started');
      if (from !== name) this.#options.onSwitchover?.(name, from, this.#reason);
      return;
    }
    if (index === this.#active) {
      this.#active = undefined;
      if (this.#starting === undefined) this.#reason = reason ?? 'data transfer ended';
      // In standby until it is its turn again; a lost connection comes back by its own back-off.
      this.#clients[index]!.client.stopTransfer();
      const to = this.#starting ?? this.#next(index);
      this.#starting = undefined;
      if (to === undefined) this.#setState('disconnected', reason);
      else this.#begin(to);
    } else if (index === this.#starting && state !== 'connected') {
      this.#starting = undefined;
      this.#clients[index]!.client.stopTransfer();
      const to = this.#next(index);
      if (to !== undefined) this.#begin(to);
    } else if (state === 'connected' && this.#active === undefined && this.#starting === undefined) {
      this.#begin(index);
    }
    if (this.#active === undefined && this.#state === 'started' && this.#starting === undefined)
      this.#setState('disconnected', reason);
  }

  #next(after: number): number | undefined {
    const order = this.#clients.map((_, index) => index).filter((index) => index !== after);
    return order.find((index) => this.#ready(index)) ?? (this.#ready(after) ? after : undefined);
  }

  #begin(index: number): void {
    this.#starting = index;
    this.#setState('connecting', this.#reason);
    // Not inside the callback that told us: the client has to finish what it is doing.
    queueMicrotask(() => {
      if (this.#state === 'closed' || this.#starting !== index) return;
      if (!this.#ready(index)) {
        this.#starting = undefined;
        return;
      }
      this.#clients[index]!.client.startTransfer();
    });
  }

  #setState(state: ClientState, reason?: string): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    this.#options.onState?.(state, reason);
  }
}
