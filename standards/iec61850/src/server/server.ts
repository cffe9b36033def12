/**
 * An IEC 61850 server (ACSI over MMS) from the model of an IED: what its file says is what clients see. Values are set by
 * the process through `update`; reports, data sets and controls follow the standard from there.
 */
import { createServer, type Server as NetServer } from 'node:net';
import {
  type Data,
  type ServerOptions as MmsServerOptions,
  MmsServerSession,
  type ServiceHandlers,
} from '@enerchain/mms';
import {
  type Clock,
  type SecurityEvent,
  socketTransport,
  systemClock,
  type TlsSettings,
  type Transport,
  tlsListener,
} from '@enerchain/transport';
import { Iec61850Error } from '../error.ts';
import type { IedModel } from '../scl/model.ts';
import type { FunctionalConstraint } from '../scl/schema/ied.ts';
import { Access, type AccessDecision } from './access.ts';
import type { ControlHandler } from './control.ts';
import { type Client, Device } from './device.ts';
import { type FileOptions, FileService } from './files/service.ts';
import { type LogStore, MemoryLog } from './logs/store.ts';
import type { NamedList } from './model.ts';
import { Services, type WriteRequest } from './services.ts';
import type { SettingGroupOptions } from './setting-groups.ts';

export interface Iec61850ServerOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Default 102 (3782 with TLS); 0 takes a free one. */
  readonly port?: number;
  readonly tls?: TlsSettings;
  readonly onSecurityEvent?: (event: SecurityEvent) => void;
  /**
   * Further associations are refused in an answer, for the moment. A connection that has not associated yet gives way to a
   * new one, so that those who only connect keep nobody out. Default 10.
   */
  readonly maxConnections?: number;
  readonly clock?: Clock;
  /** Who vendor, model and revision are, for Identify. */
  readonly identity?: { readonly vendor: string; readonly model: string; readonly revision: string };
  /** Whether a client may see and change; see `MmsServerSession`. */
  readonly authenticate?: MmsServerOptions['authenticate'];
  /**
   * Who may use which service, by right or by what it is about; `accessByRoles` decides by roles of IEC 62351-8. Without
   * it, what only looks is open, and what changes the device is refused: writing attributes (but see `onWrite`),
   * substitution, setting groups, clearing logs, files but to read them.
   */
  readonly access?: AccessDecision;
  /** Whether the process takes what a client writes into an attribute of SP, CF, DC, SV or BL; status never gets here. */
  readonly onWrite?: (request: WriteRequest) => boolean;
  /** What is done when a controllable object is operated, by `BCU1CTRL/QA1XCBR1.Pos`. Those without one are refused. */
  readonly controls?: Readonly<Record<string, ControlHandler>>;
  /** Bounds of each buffered control block. Default 10 000 entries, 4 MiB. */
  readonly buffer?: { readonly entries: number; readonly octets: number };
  /** Setting groups: where they outlast a restart, who looks at a change. */
  readonly settingGroups?: SettingGroupOptions;
  /** Where the entries of a log are kept, by `BCU1CTRL/LLN0$EventLog`. Default: in memory, 10 000 entries, 4 MiB. */
  readonly log?: (reference: string) => LogStore;
  /** The files that clients see. Default: none, and the services for files are unknown. */
  readonly files?: FileOptions;
  readonly association?: MmsServerOptions['association'];
  readonly onConnection?: (remote: string, connected: boolean) => void;
  /** Something of ours failed while a client was served. */
  readonly onError?: (error: unknown) => void;
}

/** Milliseconds for somebody who is to be refused to say what for. */
const REFUSE_WITHIN = 2_000;
/** Milliseconds of silence after which TCP asks whether the other side is still there (8-1 § 6.4). */
const KEEP_ALIVE = 30_000;

/** ```ts
 * const server = new Iec61850Server(models.get('BCU1'), { port: 102, controls: { 'BCU1CTRL/QA1CSWI1.Pos': { operate: … } } });
 * await server.listen();
 * server.update('BCU1CTRL/QA1XCBR1.Pos', { stVal: dbpos('on'), q, t });
 * ```
 */
export class Iec61850Server {
  readonly #options: Iec61850ServerOptions;
  readonly #clock: Clock;
  readonly #device: Device;
  readonly #clients = new Map<MmsServerSession, Client>();
  readonly #files: FileService | undefined;
  readonly #handlers: ServiceHandlers;
  /** Connections that are being told that there are too many. */
  #refusing = 0;
  #refused = 0;
  #listener: NetServer | undefined;

  constructor(model: IedModel, options: Iec61850ServerOptions = {}) {
    const { controls = {}, buffer = { entries: 10_000, octets: 4 << 20 } } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const access = new Access(options.access);
    const epoch = Math.floor(this.#clock.now() / 1000);
    this.#device = new Device(model, {
      clock: this.#clock,
      access,
      controls,
      buffer,
      settingGroups: options.settingGroups ?? {},
      log: options.log ?? (() => new MemoryLog({ entries: 10_000, octets: 4 << 20 }, epoch)),
      onError: (error) => options.onError?.(error),
    });
    this.#files = options.files && new FileService(options.files, access);
    const services = new Services(this.#device, access, this.#files, options);
    this.#handlers = services.handlers((session) => this.#clients.get(session)!);
  }

  /** Where it listens; undefined before `listen` and after `close`. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    const address = this.#listener?.address();
    return typeof address === 'object' && address !== null ? { host: address.address, port: address.port } : undefined;
  }

  get connections(): number {
    return this.#clients.size;
  }

  /** Connections that were refused, or gave way, because there were too many. */
  get refused(): number {
    return this.#refused;
  }

  /** Serves a connected transport, or refuses it when there are too many; see `maxConnections`. @param subject common name of the client's certificate */
  attach(transport: Transport, subject?: string): void {
    if (this.#clients.size >= (this.#options.maxConnections ?? 10)) {
      this.#refused++;
      const halfOpen = [...this.#clients.keys()].find((session) => session.initiate === undefined);
      if (!halfOpen) {
        this.#refuse(transport);
        return;
      }
      halfOpen.abort();
    }
    const { authenticate, association, onConnection, onError } = this.#options;
    const lists = new Map<string, NamedList>();
    const session = new MmsServerSession(transport, {
      handlers: this.#handlers,
      clock: this.#clock,
      ...(association ? { association } : {}),
      ...(authenticate ? { authenticate } : {}),
      onFailure: (_service, error) => onError?.(error),
      onAssociated: () => onConnection?.(transport.remote, true),
      onClose: () => {
        const client = this.#clients.get(session);
        if (!client) return;
        this.#clients.delete(session);
        this.#device.lost(client);
        this.#files?.lost(client);
        onConnection?.(transport.remote, false);
      },
    });
    this.#clients.set(session, {
      session,
      lists,
      owner: subject ?? transport.remote.replace(/:\d+$/, ''),
      identity: { remote: transport.remote, subject },
      send: (report) => session.reportEncoded(report),
      get maxPdu() {
        return session.initiate?.localDetail ?? 65_000;
      },
      abort: () => session.abort(),
    });
  }

  /** The refusal is an answer; who does not ask soon, or comes when many are being refused, gets none. */
  #refuse(transport: Transport): void {
    if (this.#refusing >= (this.#options.maxConnections ?? 10)) {
      transport.destroy();
      return;
    }
    this.#refusing++;
    new MmsServerSession(transport, {
      handlers: {},
      full: true,
      clock: this.#clock,
      association: { ...this.#options.association, associateTimeout: REFUSE_WITHIN },
      onClose: () => void this.#refusing--,
    });
  }

  /** @throws Iec61850Error `server.listen` (environment) when the address cannot be had */
  async listen(): Promise<{ readonly host: string; readonly port: number }> {
    const { host = '127.0.0.1', tls, onSecurityEvent } = this.#options;
    const port = this.#options.port ?? (tls === undefined ? 102 : 3782);
    const listener =
      tls === undefined
        ? createServer(
            { noDelay: true, pauseOnConnect: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE },
            (socket) => this.attach(socketTransport(socket)),
          )
        : tlsListener({
            service: 'mms',
            tls,
            onSocket: (socket, subject) => {
              socket.setKeepAlive(true, KEEP_ALIVE);
              this.attach(socketTransport(socket), subject);
            },
            ...(onSecurityEvent === undefined ? {} : { onSecurityEvent }),
          });
    // A handshake that is not finished counts as well: it is the cheapest way to fill a server.
    listener.maxConnections = (this.#options.maxConnections ?? 10) * 2;
    await new Promise<void>((resolve, reject) => {
      listener.once('error', (cause) => {
        reject(
          new Iec61850Error('environment', 'server.listen', `${host}:${port} cannot be listened on: ${cause.message}`, {
            cause,
          }),
        );
      });
      listener.listen(port, host, resolve);
    });
    this.#listener = listener;
    return this.address!;
  }

  async close(): Promise<void> {
    for (const { session } of this.#clients.values()) session.abort();
    const listener = this.#listener;
    this.#listener = undefined;
    if (listener) await new Promise<void>((resolve) => listener.close(() => resolve()));
  }

  /** The value at a reference. @throws Iec61850Error `server.reference` (caller) */
  value(reference: string, fc: FunctionalConstraint): Data {
    return this.#device.value(reference, fc);
  }

  /**
   * Sets attributes of a data object, all at once, and lets reports follow. A value that is the same is an update, not a
   * change. @param values by name below the object: `stVal`, `mag.f`
   * @throws Iec61850Error `server.reference`, `server.value` (caller): nothing was set
   */
  update(object: string, values: Readonly<Record<string, Data>>): void {
    this.#device.update(object, values);
  }

  /**
   * Puts a setting group into effect, as somebody at the device does. @param device name of the logical device
   * @throws Iec61850Error `server.reference`, `server.value` (caller), `server.settings` (environment) when it could not be kept
   */
  async activateSettingGroup(device: string, group: number): Promise<void> {
    const groups = this.#device.settingGroups.get(device);
    if (!groups) throw new Iec61850Error('caller', 'server.reference', `${device} has no setting groups`);
    const why = await groups.activate(group);
    if (why === undefined) return;
    const text = `group ${group} of ${device} did not come into effect: ${why}`;
    if (why === 'object-value-invalid') throw new Iec61850Error('caller', 'server.value', text);
    throw new Iec61850Error('environment', 'server.settings', text);
  }
}
