/**
 * A controlling station with one connection: connects, starts data transfer, reconnects, and offers the application
 * functions as promises. Every ASDU that arrives is handed to `onAsdu`, answers to requests included.
 */

import { type Clock, type Connect, systemClock, type Transport, tcpConnect, tlsConnect } from '@enerchain/transport';
import { type Asdu, asdu, type InformationObject } from '../codec/asdu.ts';
import type { Cp56Time } from '../codec/time.ts';
import { cp56FromEpochMillis } from '../codec/zone.ts';
import { callerError, Iec104Error } from '../errors.ts';
import { FileClient } from '../files/file-client.ts';
import type { Transfer } from '../machine/link.ts';
import { Connection } from '../session/connection.ts';
import { addCounters, emptyCounters } from '../session/counters.ts';
import { COT } from '../spec/causes.ts';
import { broadcastAddress, completeParameters, type Parameters } from '../spec/parameters.ts';
import { COUNTER_REQUEST, FIXED_TEST_PATTERN, FREEZE, QOI, QRP } from '../spec/qualifiers.ts';
import { typeName, typeSpec } from '../spec/types.ts';
import { Backoff } from './backoff.ts';
import { commandElement, parameterElement } from './command-element.ts';
import type { CommandOutcome } from './command-machine.ts';
import { Exchanges } from './exchanges.ts';
import type { ClientCounters, ClientState, CommandRequest, Iec104ClientOptions, RequestOptions } from './options.ts';
import { command, type InterrogationResult, interrogation, type RequestSpec, request } from './procedures.ts';

const CONFIRMED = [
  COT.activationConfirmation,
  COT.unknownType,
  COT.unknownCause,
  COT.unknownCommonAddress,
  COT.unknownObjectAddress,
] as readonly number[];

function connector(options: Iec104ClientOptions, clock: Clock): Connect {
  const { host, port, tls, onSecurityEvent } = options;
  if (host === undefined) throw callerError('client.options', 'A client needs a host (and port) or a transport');
  if (tls === undefined) return tcpConnect(host, port ?? 2404);
  const events = onSecurityEvent ? { onSecurityEvent } : {};
  return tlsConnect({ host, port: port ?? 19998, tls, clock, ...events });
}

export class Iec104Client {
  readonly parameters: Parameters;
  readonly #options: Iec104ClientOptions;
  readonly #clock: Clock;
  readonly #connect: Connect;
  readonly #backoff: Backoff;
  readonly #exchanges: Exchanges;
  readonly #past = { ...emptyCounters(), connects: 0, connectFailures: 0, disconnects: 0 };
  #state: ClientState = 'disconnected';
  #wantTransfer: boolean;
  #connection: Connection | undefined;
  #abort: AbortController | undefined;
  #cancelRetry: (() => void) | undefined;
  #startedAt = 0;
  #stopped: (() => void) | undefined;
  #running = false;
  #files: FileClient | undefined;

  /** @throws Iec104Error (caller) for parameters out of range */
  constructor(options: Iec104ClientOptions) {
    this.#options = options;
    this.parameters = completeParameters(options.parameters);
    this.#clock = options.clock ?? systemClock;
    if (options.acknowledge === 'manual' && !options.onAsdu)
      throw callerError(
        'client.options',
        'Manual acknowledgement needs onAsdu: nobody else could release the receipts',
      );
    this.#connect = options.transport ?? connector(options, this.#clock);
    this.#backoff = new Backoff(options.reconnect === false ? {} : options.reconnect, options.random);
    this.#exchanges = new Exchanges(this.#clock);
    this.#wantTransfer = options.startTransfer ?? true;
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Phase of data transfer; `closed` without a connection. */
  get transfer(): Transfer {
    return this.#connection?.transfer ?? 'closed';
  }

  /** I frames received on this connection whose receipts are not released; at w or more it is time to release. */
  get pendingReceipts(): number {
    return this.#connection?.pendingReceipts ?? 0;
  }

  get counters(): ClientCounters {
    const sum = { ...this.#past, requests: { ...this.#exchanges.counters } };
    if (this.#connection) addCounters(sum, this.#connection.counters);
    return sum;
  }

  /** File transfer with the station, both directions. */
  get files(): FileClient {
    this.#files ??= new FileClient({
      send: (asdu) => this.send(asdu),
      parameters: this.parameters,
      originator: this.#options.originator ?? 0,
      clock: this.#clock,
    });
    return this.#files;
  }

  /** Connects and keeps connected; with `reconnect: false` one attempt, and `start` may be called again after it. */
  start(): void {
    if (this.#running || this.#state === 'closed') return;
    this.#running = true;
    this.#attempt();
  }

  /** Ends data transfer in order (STOPDT), closes, and does not connect again. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#running = false;
    this.#cancelRetry?.();
    this.#abort?.abort(new Error('the client was closed'));
    const connection = this.#connection;
    if (connection && connection.transfer === 'started') {
      await new Promise<void>((resolve) => {
        this.#stopped = resolve;
        connection.stop();
      });
    }
    this.#exchanges.lose('the client was closed');
    this.#setState('closed');
    connection?.close();
  }

  /** Closes the connection at once and connects anew by the back-off. */
  reconnect(reason = 'reconnect was asked for'): void {
    this.#connection?.fail(new Iec104Error('caller', 'client.reconnect', reason));
  }

  /** Leaves standby: STARTDT on this connection and on those that follow. */
  startTransfer(): void {
    this.#wantTransfer = true;
    this.#connection?.start();
  }

  /** Goes to standby: STOPDT; the connection stays and is tested every t3. */
  stopTransfer(): void {
    this.#wantTransfer = false;
    this.#connection?.stop();
  }

  /**
   * Sends an ASDU as it is, outside the requests below.
   * @returns false when transfer is not started or k I frames are unacknowledged; nothing was sent then
   */
  send(asdu: Asdu): boolean {
    return (this.#connection?.send(asdu) ?? 0) > 0;
  }

  /**
   * General (QOI 20) or group interrogation (21 to 36); the values arrive through `onAsdu`.
   * @param ca a station, or the broadcast address for all of them
   * @throws Iec104Refusal, or Iec104Error when not started, timed out, or lost
   */
  interrogate(ca: number, qoi: number = QOI.station, options: RequestOptions = {}): Promise<InterrogationResult> {
    return this.#interrogation(100, ca, { kind: 'interrogation', qualifier: qoi }, qoi, options);
  }

  /**
   * Counter interrogation, § 7.2.6.23.
   * @param qcc which counters (RQT 1 to 4 groups, 5 general) and whether to freeze or reset them (FRZ)
   */
  counterInterrogation(
    ca: number,
    qcc: { readonly request?: number; readonly freeze?: number } = {},
    options: RequestOptions = {},
  ): Promise<InterrogationResult> {
    const rqt = qcc.request ?? COUNTER_REQUEST.general;
    const cause = rqt === COUNTER_REQUEST.general ? COT.requestedByGeneralCounter : COT.requestedByGeneralCounter + rqt;
    const element = { kind: 'counterInterrogation', request: rqt, freeze: qcc.freeze ?? FREEZE.read } as const;
    return this.#interrogation(101, ca, element, cause, options);
  }

  /**
   * Sets the station's clock. Broadcast is possible; the first answer counts then.
   * @param at milliseconds since 1970-01-01 UTC; default now. Sent in the client's `zone`.
   * @returns the time that the station says it had
   */
  synchronizeClock(ca: number, at?: number, options: RequestOptions = {}): Promise<Cp56Time | undefined> {
    const time = cp56FromEpochMillis(at ?? this.#clock.now(), this.#zone());
    return this.#ask(
      103,
      ca,
      { address: 0, element: { kind: 'none' }, time },
      (answer) => answer.objects[0]?.time as Cp56Time | undefined,
      options,
    );
  }

  /** Reads one information object (C_RD_NA_1); resolves with the ASDU that carries it. */
  read(ca: number, ioa: number, options: RequestOptions = {}): Promise<Asdu> {
    return this.#request({
      name: `C_RD_NA_1 CA ${ca} IOA ${ioa}`,
      asdu: this.#asdu(102, COT.request, ca, { address: ioa, element: { kind: 'none' } }),
      seconds: options.actcon ?? 10,
      answers: (answer) =>
        answer.commonAddress === ca &&
        (answer.typeId === 102
          ? answer.objects[0]?.address === ioa && (answer.negative || answer.cause >= COT.unknownType)
          : answer.cause === COT.request && answer.objects.some((object) => object.address === ioa)),
      result: (answer) => answer,
    });
  }

  /** Test command: C_TS_NA_1, or C_TS_TA_1 when a counter is given. Resolves when the station has mirrored it. */
  test(ca: number, options: RequestOptions & { readonly counter?: number } = {}): Promise<void> {
    const { counter } = options;
    const object =
      counter === undefined
        ? { address: 0, element: { kind: 'test', pattern: FIXED_TEST_PATTERN } as const }
        : {
            address: 0,
            element: { kind: 'test', pattern: counter } as const,
            time: cp56FromEpochMillis(this.#clock.now(), this.#zone()),
          };
    return this.#ask(counter === undefined ? 104 : 107, ca, object, () => undefined, options);
  }

  /** Reset process. @param qrp 1 = general reset, 2 = reset of time-tagged events that wait */
  resetProcess(ca: number, qrp: number = QRP.general, options: RequestOptions = {}): Promise<void> {
    return this.#ask(
      105,
      ca,
      { address: 0, element: { kind: 'resetProcess', qualifier: qrp } },
      () => undefined,
      options,
    );
  }

  /**
   * Loads a parameter of a measured value (types 110 to 112).
   * @param parameter `value` is the raw int16 for 110 and 111; `qualifier` QPM, see `PARAMETER_KIND`
   */
  setParameter(
    parameter: {
      readonly ca: number;
      readonly ioa: number;
      readonly typeId: number;
      readonly value: number;
      readonly qualifier: number;
    },
    options: RequestOptions = {},
  ): Promise<void> {
    const { ca, ioa, typeId, value, qualifier } = parameter;
    const object = { address: ioa, element: parameterElement(typeId, value, qualifier) };
    return this.#ask(typeId, ca, object, () => undefined, options);
  }

  /** Activates or deactivates a parameter (P_AC_NA_1). @param qpa see `QPA` */
  activateParameter(ca: number, ioa: number, qpa: number, active = true, options: RequestOptions = {}): Promise<void> {
    const object = { address: ioa, element: { kind: 'parameterActivation', qualifier: qpa } } as const;
    return this.#ask(113, ca, object, () => undefined, options, active ? COT.activation : COT.deactivation);
  }

  /**
   * A command, once. See `CommandOutcome` for what can become of it; it is never repeated.
   * @throws Iec104Error (caller, or environment when not started); then nothing was sent
   */
  async command(given: CommandRequest): Promise<CommandOutcome> {
    const mode = given.mode ?? 'direct';
    const qualifier = given.qualifier ?? 0;
    const spec = typeSpec(given.typeId);
    const object = (select: boolean): InformationObject => {
      const bits = mode === 'deactivate' && spec?.element === 'bitstringCommand';
      const element = commandElement(given.typeId, given.value, qualifier, select && !bits);
      if (spec?.time !== 'CP56') return { address: given.ioa, element };
      return {
        address: given.ioa,
        element,
        time: given.time ?? cp56FromEpochMillis(this.#clock.now(), this.#zone()),
      };
    };
    // A value that cannot be sent is refused before the exchange begins.
    object(mode !== 'direct' && mode !== 'execute');
    this.#mustBeStarted(`${typeName(given.typeId)} CA ${given.ca} IOA ${given.ioa}`);
    const outcome = command(this.#exchanges, {
      typeId: given.typeId,
      ca: given.ca,
      originator: this.#options.originator ?? 0,
      test: given.test ?? false,
      mode,
      object,
      actcon: given.timeouts?.actcon ?? 10,
      actterm: given.timeouts?.actterm ?? 10,
      pump: this.#pump,
    });
    this.#pump();
    return outcome;
  }

  #zone(): { zone?: string } {
    return this.#options.zone === undefined ? {} : { zone: this.#options.zone };
  }

  #asdu(typeId: number, cause: number, commonAddress: number, object: InformationObject): Asdu {
    return asdu({ typeId, cause, commonAddress, originator: this.#options.originator ?? 0, objects: [object] });
  }

  /** A request that the station answers by mirroring it with its confirmation. */
  #ask<T>(
    typeId: number,
    ca: number,
    object: InformationObject,
    result: (answer: Asdu) => T,
    options: RequestOptions,
    cause: number = COT.activation,
  ): Promise<T> {
    const broadcast = ca === broadcastAddress(this.parameters);
    const confirmation = cause === COT.deactivation ? COT.deactivationConfirmation : COT.activationConfirmation;
    return this.#request({
      name: `${typeName(typeId)} CA ${ca} IOA ${object.address}`,
      asdu: this.#asdu(typeId, cause, ca, object),
      seconds: options.actcon ?? 10,
      answers: (answer) =>
        answer.typeId === typeId &&
        (broadcast || answer.commonAddress === ca) &&
        (answer.cause === confirmation || (answer.cause >= COT.unknownType && CONFIRMED.includes(answer.cause))) &&
        (answer.objects[0]?.address === object.address || answer.objects.length === 0),
      result,
    });
  }

  async #request<T>(spec: RequestSpec<T>): Promise<T> {
    this.#mustBeStarted(spec.name);
    const answer = request(this.#exchanges, spec);
    this.#pump();
    return answer;
  }

  async #interrogation(
    typeId: 100 | 101,
    ca: number,
    element: InformationObject['element'],
    dataCause: number,
    options: RequestOptions,
  ): Promise<InterrogationResult> {
    const name = `${typeName(typeId)} CA ${ca} cause ${dataCause}`;
    this.#mustBeStarted(name);
    const result = interrogation(this.#exchanges, {
      name,
      asdu: this.#asdu(typeId, COT.activation, ca, { address: 0, element }),
      dataCause,
      broadcast: ca === broadcastAddress(this.parameters),
      actcon: options.actcon ?? 10,
      actterm: options.actterm ?? 60,
      quiet: options.quiet ?? 2,
    });
    this.#pump();
    return result;
  }

  #mustBeStarted(what: string): void {
    if (this.#state !== 'started')
      throw new Iec104Error(
        'environment',
        'client.notStarted',
        `${what}: the client is ${this.#state}; nothing was sent`,
      );
  }

  readonly #pump = (): void => this.#exchanges.pump(this.#sendOne);

  readonly #sendOne = (asdu: Asdu): boolean => {
    const connection = this.#connection;
    return connection !== undefined && connection.window > 0 && connection.send(asdu) > 0;
  };

  #setState(state: ClientState, reason?: string): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    this.#options.onState?.(state, reason);
  }

  #attempt(): void {
    this.#past.connects++;
    this.#setState('connecting');
    const abort = new AbortController();
    this.#abort = abort;
    const { t0 } = this.parameters;
    const cancel = this.#clock.schedule(t0 * 1000, () => abort.abort(new Error(`no answer within t0 (${t0} s)`)));
    this.#connect(abort.signal).then(
      (transport) => {
        cancel();
        if (abort.signal.aborted || !this.#running) transport.destroy();
        else this.#onConnected(transport);
      },
      (error: unknown) => {
        cancel();
        this.#past.connectFailures++;
        this.#retry(error instanceof Error ? error.message : String(error));
      },
    );
  }

  #onConnected(transport: Transport): void {
    const connection: Connection = new Connection({
      role: 'controlling',
      transport,
      parameters: this.parameters,
      clock: this.#clock,
      acknowledge: this.#options.acknowledge ?? 'automatic',
      handler: {
        onAsdu: (received, receipt) => {
          if (this.#exchanges.size > 0 && received.cause > COT.spontaneous) this.#exchanges.receive(received);
          this.#files?.receive(received);
          this.#options.onAsdu?.(received, receipt);
        },
        onStarted: () => {
          this.#startedAt = this.#clock.monotonic();
          this.#setState('started');
        },
        onStopped: () => {
          this.#exchanges.lose('data transfer was stopped');
          this.#files?.end();
          if (this.#stopped) this.#stopped();
          else this.#setState('connected', 'data transfer was stopped');
        },
        onAcknowledged: this.#pump,
        onMalformed: (error) => this.#options.onMalformed?.(error),
        onClose: (error) => this.#onClosed(connection, error),
      },
    });
    this.#connection = connection;
    this.#setState('connected');
    if (this.#wantTransfer) connection.start();
  }

  #onClosed(connection: Connection, error: Iec104Error | undefined): void {
    addCounters(this.#past, connection.counters);
    this.#connection = undefined;
    this.#past.disconnects++;
    const reason = error?.message ?? `IEC 104 ${connection.remote}: the station closed the connection`;
    // A connection that held for a while shows that the station is well; one that falls at once does not.
    if (this.#startedAt > 0 && this.#clock.monotonic() - this.#startedAt >= this.#backoff.maximum * 1000)
      this.#backoff.reset();
    this.#startedAt = 0;
    this.#exchanges.lose(reason);
    this.#files?.end();
    this.#stopped?.();
    if (this.#running) this.#retry(reason);
  }

  #retry(reason: string): void {
    this.#setState('disconnected', reason);
    if (!this.#running) return;
    if (this.#options.reconnect === false) {
      this.#running = false;
      return;
    }
    this.#cancelRetry = this.#clock.schedule(this.#backoff.next(), () => {
      this.#cancelRetry = undefined;
      if (this.#running) this.#attempt();
    });
  }
}
