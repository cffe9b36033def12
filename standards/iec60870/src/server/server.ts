import { createServer, type Server as NetServer, type Socket } from 'node:net';
import {
  type Clock,
  endpoint,
  type SecurityEvent,
  socketTransport,
  systemClock,
  type TlsSettings,
  type Transport,
  tlsListener,
} from '@enerchain/transport';
import { type Asdu, type AsduFields, asdu, encodeAsduInto, objectsPerAsdu } from '../codec/asdu.ts';
import { cp56FromEpochMillis } from '../codec/zone.ts';
import { callerError, Iec104Error } from '../errors.ts';
import type { ConnectionCounters } from '../session/counters.ts';
import { COT } from '../spec/causes.ts';
import { broadcastAddress, completeParameters, type Parameters } from '../spec/parameters.ts';
import { type DiscardPolicy, EventQueue, type EventQueueCounters, type QueueOverflow } from './event-queue.ts';
import type { ServerHandlers } from './handlers.ts';
import { type RedundancyGroupOptions, RedundancyGroups, type RedundancyMode } from './redundancy.ts';
import { SelectBook } from './select-book.ts';
import {
  type ConnectionLimits,
  DEFAULT_LIMITS,
  ServerConnection,
  type ServerConnectionCounters,
  type ServerGroup,
} from './server-connection.ts';
import { Station, type StationFiles } from './station.ts';

export interface QueueOptions {
  /** Most events kept for each redundancy group. Default 10 000. */
  readonly capacity?: number;
  /** What is given up at the bound. Default 'newest': `enqueue` answers false. */
  readonly discard?: DiscardPolicy;
  /** Single point that tells the peer, in order with the events: 1 where events begin to be missing, 0 where they end. */
  readonly overflowPoint?: { readonly commonAddress: number; readonly address: number; readonly timeTag?: boolean };
  readonly onOverflow?: (group: string, overflow: QueueOverflow) => void;
  readonly onRecovered?: (group: string, overflow: QueueOverflow) => void;
}

export interface Iec104ServerOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Default 2404 (19998 with TLS); 0 takes a free one, see `address`. */
  readonly port?: number;
  readonly tls?: TlsSettings;
  readonly parameters?: Partial<Parameters>;
  /** Further clients are refused. Default 32. */
  readonly maxConnections?: number;
  /** Default 'single-group'. */
  readonly redundancy?: RedundancyMode;
  /** For redundancy 'groups'. */
  readonly groups?: readonly RedundancyGroupOptions[];
  readonly queue?: QueueOptions;
  /** The stations behind this server. Absent: every common address is taken as it comes. */
  readonly commonAddresses?: readonly number[];
  readonly handlers?: ServerHandlers;
  /** File service, see `FileServer`. */
  readonly files?: StationFiles<ServerConnection>;
  /** Seconds that a select stands. Default 30. */
  readonly selectTimeout?: number;
  readonly limits?: Partial<ConnectionLimits>;
  readonly clock?: Clock;
  readonly onConnection?: (connection: ConnectionInfo) => void;
  readonly onStarted?: (connection: ConnectionInfo) => void;
  readonly onStopped?: (connection: ConnectionInfo) => void;
  /** Without an error the connection was closed in order. */
  readonly onClosed?: (connection: ConnectionInfo, error: Iec104Error | undefined) => void;
  /** Events that the peer has acknowledged: they have left the queue of this group, in this order. */
  readonly onAcknowledged?: (events: readonly Asdu[], group: string) => void;
  /** A malformed ASDU was dropped, or a handler failed; the connection goes on. */
  readonly onError?: (error: unknown, connection: ConnectionInfo | undefined) => void;
  readonly onSecurityEvent?: (event: SecurityEvent) => void;
}

/** A connection as it is at this moment. */
export interface ConnectionInfo {
  readonly id: number;
  readonly peer: string;
  readonly group: string;
  /** Whether it is the one that carries the user data of its group. */
  readonly started: boolean;
  /** Common name of the client's certificate, with TLS. */
  readonly subject?: string;
  readonly unacknowledged: number;
  readonly session: ConnectionCounters;
  readonly counters: ServerConnectionCounters;
}

/** The queue of a redundancy group as it is at this moment. */
export interface QueueInfo {
  readonly group: string;
  readonly size: number;
  readonly capacity: number;
  readonly overflowed: boolean;
  readonly counters: EventQueueCounters;
}

export interface ServerCounters {
  connectionsAccepted: number;
  /** Over `maxConnections`, or from an address that no group allows. */
  connectionsRefused: number;
  connectionsClosed: number;
  /** STARTDT of one connection that ended another's. */
  takeovers: number;
  malformed: number;
}

/** What has to be said about an event; the cause is spontaneous unless said otherwise. */
export type EventFields = Omit<AsduFields, 'cause'> & { readonly cause?: number };

/**
 * A controlled station (IEC 60870-5-104): listens, answers, and keeps events until a controlling station has acknowledged them.
 *
 * ```ts
 * const server = new Iec104Server({ port: 2404, commonAddresses: [1], handlers: { interrogation: () => image() } });
 * await server.listen();
 * server.enqueue({ typeId: 1, commonAddress: 1, objects: [{ address: 7, element: { kind: 'single', value: 1, quality: 0 } }] });
 * ```
 */
export class Iec104Server {
  readonly parameters: Parameters;
  readonly counters: ServerCounters = {
    connectionsAccepted: 0,
    connectionsRefused: 0,
    connectionsClosed: 0,
    takeovers: 0,
    malformed: 0,
  };
  readonly station: Station<ServerConnection>;
  readonly #options: Iec104ServerOptions;
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #selects: SelectBook<ServerConnection>;
  readonly #groups: RedundancyGroups<ServerConnection, EventQueue<Asdu>>;
  readonly #connections = new Set<ServerConnection>();
  readonly #pending = new Set<Socket>();
  readonly #scratch = new Uint8Array(512);
  #listener: NetServer | undefined;
  #nextId = 1;
  #closed = false;

  /** @throws Iec104Error (caller) or RangeError for options that cannot be meant */
  constructor(options: Iec104ServerOptions = {}) {
    this.#options = options;
    this.parameters = completeParameters(options.parameters);
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#selects = new SelectBook({ timeout: (options.selectTimeout ?? 30) * 1000, limit: 4096 });
    this.#groups = new RedundancyGroups(options.redundancy ?? 'single-group', options.groups ?? [], (group) =>
      this.#makeQueue(group),
    );
    this.station = new Station<ServerConnection>({
      handlers: options.handlers ?? {},
      ...(options.commonAddresses === undefined ? {} : { commonAddresses: options.commonAddresses }),
      broadcast: broadcastAddress(this.parameters),
      selects: this.#selects,
      now: () => this.#clock.monotonic(),
      objectsPerAsdu: (typeId, sequence) => Math.max(1, objectsPerAsdu(typeId, sequence, this.parameters)),
      ...(options.files === undefined ? {} : { files: options.files }),
      onHandlerError: (error) => options.onError?.(error, undefined),
    });
  }

  /** Where it listens; undefined before `listen` and after `close`. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    const address = this.#listener?.address();
    return typeof address === 'object' && address !== null ? { host: address.address, port: address.port } : undefined;
  }

  /** @throws Iec104Error (environment) when the address cannot be had */
  async listen(): Promise<{ readonly host: string; readonly port: number }> {
    const { host = '127.0.0.1', tls, onSecurityEvent } = this.#options;
    const port = this.#options.port ?? (tls === undefined ? 2404 : 19998);
    if (this.#listener !== undefined || this.#closed) {
      throw callerError(
        'server.listen',
        `IEC 104 server ${endpoint(host, port)} ${this.#closed ? 'is closed' : 'listens already'}`,
      );
    }
    const listener =
      tls === undefined
        ? createServer({ noDelay: true }, (socket) => this.attach(socketTransport(socket)))
        : tlsListener({
            service: 'iec104',
            tls,
            onSocket: (socket, subject) => this.attach(socketTransport(socket), subject),
            ...(onSecurityEvent === undefined ? {} : { onSecurityEvent }),
          });
    // Sockets in the middle of a TLS handshake count too: they are the cheapest way to fill a server.
    listener.on('connection', (socket: Socket) => {
      if (this.#pending.size >= this.#maxConnections * 2) {
        this.counters.connectionsRefused++;
        socket.destroy();
        return;
      }
      this.#pending.add(socket);
      socket.once('close', () => this.#pending.delete(socket));
    });
    this.#listener = listener;
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error) => {
        this.#listener = undefined;
        reject(
          new Iec104Error(
            'environment',
            'server.listen',
            `IEC 104 server: cannot listen on ${endpoint(host, port)}: ${error.message}`,
            {
              cause: error,
            },
          ),
        );
      };
      listener.once('error', failed);
      listener.listen(port, host, () => {
        listener.removeListener('error', failed);
        listener.on('error', (error) => this.#options.onError?.(error, undefined));
        resolve();
      });
    });
    return this.address!;
  }

  /** Takes a transport that somebody else accepted; refuses it when there are too many or no group allows its address. */
  attach(transport: Transport, subject?: string): void {
    const room = !this.#closed && this.#connections.size < this.#maxConnections;
    const group = room ? this.#groups.groupFor(hostOf(transport.remote)) : undefined;
    if (group === undefined) {
      this.counters.connectionsRefused++;
      transport.destroy();
      return;
    }
    const connection = new ServerConnection(
      this.#nextId++,
      group,
      transport,
      {
        station: this.station,
        parameters: this.parameters,
        limits: this.#limits,
        clock: this.#clock,
        started: (c) => this.#started(c),
        stopped: (c) => this.#stopped(c),
        closed: (c, error) => this.#closedConnection(c, error),
        malformed: (c, error) => {
          this.counters.malformed++;
          this.#options.onError?.(error, this.#info(c));
        },
        acknowledged: (c, events) => this.#options.onAcknowledged?.(events, c.group.name),
        failed: (c, error) => this.#options.onError?.(error, this.#info(c)),
      },
      subject,
    );
    this.#connections.add(connection);
    this.counters.connectionsAccepted++;
    this.#options.onConnection?.(this.#info(connection));
  }

  /**
   * Puts an event into the queue of every redundancy group.
   * @returns false when at least one group did not keep it (counted and reported there), or when there is no group at all, as
   * with redundancy 'per-connection' and nobody connected
   * @throws Iec104Error (caller) for an event that cannot be encoded
   */
  enqueue(event: Asdu | EventFields): boolean {
    const complete = this.#complete(event);
    let kept = true;
    let groups = 0;
    for (const group of this.#groups.all()) {
      groups++;
      if (!group.queue.offer(complete)) kept = false;
      else group.started?.pump();
    }
    return kept && groups > 0;
  }

  /**
   * Sends a value to every started connection without keeping it: for cyclic values and background scans, which the next
   * cycle makes obsolete.
   * @returns how many connections took it
   */
  transmit(value: Asdu | AsduFields): number {
    const complete = this.#complete(value);
    let taken = 0;
    for (const group of this.#groups.all()) if (group.started?.transmit(complete)) taken++;
    return taken;
  }

  /** The queue of a group; without a name that of the only one. */
  queue(group?: string): QueueInfo | undefined {
    const found = group === undefined ? this.#groups.all().next().value : this.#groups.get(group);
    return found === undefined ? undefined : queueInfo(found);
  }

  queues(): QueueInfo[] {
    return [...this.#groups.all()].map(queueInfo);
  }

  connections(): ConnectionInfo[] {
    return [...this.#connections].map((connection) => this.#info(connection));
  }

  /** Ends a connection; true when there was one of this number. */
  disconnect(id: number): boolean {
    for (const connection of this.#connections) {
      if (connection.id !== id) continue;
      connection.close();
      return true;
    }
    return false;
  }

  /** Stops listening and ends every connection. Events not acknowledged stay in the queues of this object. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const connection of [...this.#connections]) connection.close();
    const listener = this.#listener;
    this.#listener = undefined;
    if (listener === undefined) return;
    await new Promise<void>((resolve) => {
      listener.close(() => resolve());
      // A peer that does not answer our FIN would hold the listener open.
      const cancel = this.#clock.schedule(1000, () => {
        for (const socket of this.#pending) socket.destroy();
      });
      listener.once('close', cancel);
    });
  }

  get #maxConnections(): number {
    return this.#options.maxConnections ?? 32;
  }

  #complete(event: Asdu | EventFields): Asdu {
    const complete = asdu({ cause: COT.spontaneous, ...event });
    // Here and not when it is sent, where nobody could be told.
    encodeAsduInto(complete, this.parameters, this.#scratch, 0);
    return complete;
  }

  #makeQueue(group: string): EventQueue<Asdu> {
    const { capacity = 10_000, discard, overflowPoint: point, onOverflow, onRecovered } = this.#options.queue ?? {};
    return new EventQueue<Asdu>({
      capacity,
      ...(discard === undefined ? {} : { discard }),
      ...(point === undefined ? {} : { mark: (overflowed: boolean) => this.#overflowMark(point, overflowed) }),
      ...(onOverflow === undefined ? {} : { onOverflow: (overflow: QueueOverflow) => onOverflow(group, overflow) }),
      ...(onRecovered === undefined ? {} : { onRecovered: (overflow: QueueOverflow) => onRecovered(group, overflow) }),
    });
  }

  /** M_SP_NA_1, or M_SP_TB_1 with the time (UTC) of the moment the overflow was noticed. */
  #overflowMark(point: NonNullable<QueueOptions['overflowPoint']>, overflowed: boolean): Asdu {
    const element = { kind: 'single', value: overflowed ? 1 : 0, quality: 0 } as const;
    const { commonAddress, address } = point;
    return asdu({
      typeId: point.timeTag === true ? 30 : 1,
      cause: COT.spontaneous,
      commonAddress,
      objects: [
        point.timeTag === true
          ? { address, element, time: cp56FromEpochMillis(this.#clock.now()) }
          : { address, element },
      ],
    });
  }

  #started(connection: ServerConnection): void {
    const previous = connection.group.start(connection);
    if (previous !== undefined) {
      this.counters.takeovers++;
      this.#forget(previous);
      previous.supersede();
      this.#options.onStopped?.(this.#info(previous));
    }
    this.#options.onStarted?.(this.#info(connection));
    connection.pump();
  }

  #stopped(connection: ServerConnection): void {
    this.#forget(connection);
    if (connection.group.stop(connection)) this.#options.onStopped?.(this.#info(connection));
  }

  #closedConnection(connection: ServerConnection, error: Iec104Error | undefined): void {
    if (!this.#connections.delete(connection)) return;
    this.counters.connectionsClosed++;
    this.#forget(connection);
    this.#groups.leave(connection, connection.group);
    this.#options.onClosed?.(this.#info(connection), error);
  }

  /** What a connection had selected is free when it carries no user data any more. */
  #forget(connection: ServerConnection): void {
    this.#selects.release(connection);
    this.#options.files?.release?.(connection);
  }

  #info(connection: ServerConnection): ConnectionInfo {
    return {
      id: connection.id,
      peer: connection.peer,
      group: connection.group.name,
      started: connection.started,
      ...(connection.subject === undefined ? {} : { subject: connection.subject }),
      unacknowledged: connection.unacknowledged,
      session: { ...connection.session },
      counters: { ...connection.counters },
    };
  }
}

function queueInfo(group: ServerGroup): QueueInfo {
  const { size, capacity, overflowed, counters } = group.queue;
  return { group: group.name, size, capacity, overflowed, counters };
}

/** The host of `host:port` or `[host]:port`. */
function hostOf(remote: string): string {
  const bracketed = /^\[(.*)\](?::\d+)?$/.exec(remote);
  return bracketed?.[1] ?? remote.replace(/:\d+$/, '');
}
