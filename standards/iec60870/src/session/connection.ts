/**
 * One connection, in either role: drives the link machine with frames from a transport and with time, and does what
 * the machine asks for. Knows ASDUs, but not what they mean.
 */

import { type Clock, systemClock, type Transport } from '@enerchain/transport';
import {
  APCI_LENGTH,
  ApduReader,
  MAX_APDU_LENGTH,
  U_FUNCTIONS,
  type UFunction,
  uFunction,
  writeControl,
  writeI,
} from '../codec/apdu.ts';
import { type Asdu, decodeAsdu, encodeAsduInto } from '../codec/asdu.ts';
import { Iec104Error, peerError } from '../errors.ts';
import {
  acknowledgeDue,
  closeLink,
  confirm,
  createLink,
  EFFECT,
  type Effects,
  type LinkState,
  nextDeadline,
  type Role,
  receiveI,
  receiveS,
  receiveU,
  release,
  requestStart,
  requestStop,
  sendI,
  sendWindow,
  supersede,
  type Transfer,
  tick,
} from '../machine/link.ts';
import type { Parameters } from '../spec/parameters.ts';
import { type ConnectionCounters, emptyCounters } from './counters.ts';

/**
 * Stands for one received ASDU. With manual acknowledgement the peer is told that it has been received only once it
 * is released; releasing one releases all before it. After the connection has ended, releasing does nothing.
 */
export interface Receipt {
  /** Running number of the I frame in this connection, from 1. */
  readonly number: number;
  release(): void;
}

export interface ConnectionHandler {
  onAsdu(asdu: Asdu, receipt: Receipt): void;
  /** Data transfer has started (STARTDT) or stopped (STOPDT), as confirmed. */
  onStarted?(): void;
  onStopped?(): void;
  /** The peer has acknowledged all I frames up to this running number; the window may have opened. */
  onAcknowledged?(upTo: number): void;
  /** An ASDU could not be read and was dropped; the connection goes on. */
  onMalformed?(error: Iec104Error): void;
  /** Exactly once. Without an error the connection was closed in order, by whichever side. */
  onClose?(error: Iec104Error | undefined): void;
}

export interface ConnectionOptions {
  readonly role: Role;
  readonly transport: Transport;
  readonly parameters: Parameters;
  readonly handler: ConnectionHandler;
  /** `manual`: N(R) moves only when receipts are released. Default `automatic`. */
  readonly acknowledge?: 'automatic' | 'manual';
  readonly clock?: Clock;
}

const SLAB = 65536;

class AsduReceipt implements Receipt {
  readonly number: number;
  readonly #connection: Connection;

  constructor(connection: Connection, number: number) {
    this.#connection = connection;
    this.number = number;
  }

  release(): void {
    this.#connection.releaseUpTo(this.number);
  }
}

export class Connection {
  readonly role: Role;
  readonly remote: string;
  readonly parameters: Parameters;
  readonly counters: ConnectionCounters = emptyCounters();
  readonly #transport: Transport;
  readonly #handler: ConnectionHandler;
  readonly #clock: Clock;
  readonly #link: LinkState;
  readonly #reader = new ApduReader();
  /** Reading stops when this many receipts are unreleased: a peer that ignores k cannot fill our memory. */
  readonly #receiptLimit: number;
  /** Written octets that may wait for the peer before it counts as not reading. */
  readonly #bufferLimit: number;
  #now: number;
  #reading = false;
  #paused = false;
  #closed = false;
  #slab: Uint8Array = Buffer.allocUnsafeSlow(SLAB);
  #slabFlushed = 0;
  #slabUsed = 0;
  #flushScheduled = false;
  #acknowledgedSeen = 0;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  /** Running numbers of malformed ASDUs that wait until all before them are released. */
  #skipped: number[] = [];

  constructor(options: ConnectionOptions) {
    const { role, transport, parameters, handler } = options;
    this.role = role;
    this.remote = transport.remote;
    this.parameters = parameters;
    this.#transport = transport;
    this.#handler = handler;
    this.#clock = options.clock ?? systemClock;
    this.#receiptLimit = Math.min(30_000, 4 * Math.max(parameters.k, parameters.w));
    this.#bufferLimit = parameters.k * MAX_APDU_LENGTH + 1_048_576;
    this.#now = this.#clock.monotonic();
    this.#link = createLink(role, parameters, options.acknowledge === 'manual', this.#now);
    transport.open({
      onData: (chunk) => this.#onData(chunk),
      onClose: (error) => this.#onTransportClosed(error),
    });
    this.#arm();
  }

  get transfer(): Transfer {
    return this.#link.transfer;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** How many ASDUs `send` takes now. */
  get window(): number {
    return sendWindow(this.#link);
  }

  /** I frames sent that the peer has not acknowledged. */
  get unacknowledged(): number {
    return this.#link.sent - this.#link.acknowledged;
  }

  /** I frames received that the application has not released. */
  get pendingReceipts(): number {
    return this.#link.received - this.#link.released;
  }

  /** Sends STARTDT act (controlling station); `onStarted` follows, or t1 closes the connection. */
  start(): void {
    this.#now = this.#clock.monotonic();
    this.#apply(requestStart(this.#link, this.#now));
    this.#settle();
  }

  /** Controlled close of data transfer: acknowledges and sends STOPDT act; `onStopped` follows. */
  stop(): void {
    this.#now = this.#clock.monotonic();
    this.#apply(requestStop(this.#link, this.#now));
    this.#settle();
  }

  /** Stops data transfer of a controlled station without a word, because another connection of its group was started. */
  supersede(): void {
    supersede(this.#link);
  }

  /**
   * Sends an ASDU if the window is open.
   * @returns its running number, as `onAcknowledged` will say it; 0 when k is exhausted or transfer is not started
   * @throws Iec104Error (caller) when the ASDU cannot be encoded; nothing was sent then
   */
  send(asdu: Asdu): number {
    const link = this.#link;
    if (this.#closed || sendWindow(link) === 0) {
      this.counters.sendRefused++;
      return 0;
    }
    const at = this.#room();
    const slab = this.#slab;
    const end = encodeAsduInto(asdu, this.parameters, slab, at + APCI_LENGTH);
    if (!this.#reading) this.#now = this.#clock.monotonic();
    const sent = sendI(link, this.#now);
    const received = confirm(link);
    writeI(slab, at, end, sent, received);
    this.#slabUsed = end;
    this.counters.iSent++;
    this.#settle();
    return link.sent;
  }

  /** Releases the receipts up to a running number (manual acknowledgement). */
  releaseUpTo(number: number): void {
    if (this.#closed || number <= this.#link.released) return;
    if (!this.#reading) this.#now = this.#clock.monotonic();
    release(this.#link, this.#now, number);
    this.#releaseSkipped();
    if (this.#paused && this.pendingReceipts < this.#receiptLimit) {
      this.#paused = false;
      this.#transport.resume();
    }
    this.#settle();
  }

  /** Acknowledges what is released and closes; `onClose` follows without an error. */
  close(): void {
    if (this.#closed) return;
    if (this.#link.released > this.#link.confirmed) this.#sendControl(1, confirm(this.#link));
    this.#flush();
    this.#finish(undefined);
    this.#transport.end();
  }

  /** Closes at once because of an error; `onClose` gets it. */
  fail(error: Iec104Error): void {
    if (this.#closed) return;
    this.#flush();
    this.#finish(error);
    this.#transport.destroy();
  }

  #onData(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.#now = this.#clock.monotonic();
    this.counters.octetsReceived += chunk.length;
    this.#reading = true;
    try {
      this.#reader.push(chunk, this.#onFrame);
    } catch (error) {
      // Framing errors come from the reader. Anything else was thrown by who handles what arrives: it must not take
      // the process down with it, and going on would skip the ASDU that was not handled.
      this.fail(
        error instanceof Iec104Error && error.fault === 'peer'
          ? new Iec104Error(error.fault, error.code, `IEC 104 ${this.remote}: ${error.message}; connection closed`)
          : new Iec104Error(
              'caller',
              'session.handler',
              `IEC 104 ${this.remote}: a handler threw (${String(error)}); connection closed`,
              { cause: error },
            ),
      );
    }
    this.#reading = false;
    if (this.#closed) return;
    this.#tellAcknowledged();
    this.#settle();
    this.#flush();
    if (!this.#paused && this.pendingReceipts >= this.#receiptLimit) {
      this.#paused = true;
      this.counters.readPauses++;
      this.#transport.pause();
    }
  }

  readonly #onFrame = (bytes: Uint8Array, start: number, end: number): boolean => {
    const first = bytes[start + 2]!;
    if ((first & 1) === 0) {
      const effects = receiveI(
        this.#link,
        this.#now,
        (first >>> 1) | (bytes[start + 3]! << 7),
        (bytes[start + 4]! >>> 1) | (bytes[start + 5]! << 7),
      );
      if ((effects & ~(EFFECT.deliver | EFFECT.acknowledged)) !== 0) this.#apply(effects);
      if ((effects & EFFECT.deliver) !== 0) this.#deliver(bytes, start + APCI_LENGTH, end);
    } else if (end - start !== APCI_LENGTH) {
      throw peerError('apdu.length', `S or U format APDU of ${end - start} octets; it has exactly 6`);
    } else if ((first & 3) === 1) {
      this.counters.sReceived++;
      this.#apply(receiveS(this.#link, this.#now, (bytes[start + 4]! >>> 1) | (bytes[start + 5]! << 7)));
    } else {
      const name = uFunction(first);
      if (name === undefined)
        throw peerError('apdu.function', `U format APDU with unknown control function 0x${first.toString(16)}`);
      this.counters.uReceived++;
      this.#apply(receiveU(this.#link, this.#now, name));
    }
    return !this.#closed;
  };

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    const counters = this.counters;
    counters.iReceived++;
    const number = this.#link.received;
    let asdu: Asdu;
    try {
      asdu = decodeAsdu(bytes, this.parameters, start, end);
    } catch (error) {
      if (!(error instanceof Iec104Error)) throw error;
      counters.asdusMalformed++;
      this.#skipped.push(number);
      this.#releaseSkipped();
      this.#handler.onMalformed?.(
        new Iec104Error(
          error.fault,
          error.code,
          `IEC 104 ${this.remote}: ${error.message}; ASDU dropped, connection kept`,
        ),
      );
      return;
    }
    counters.objectsReceived += asdu.objects.length;
    if (asdu.opaque !== undefined) counters.asdusUnknown++;
    this.#handler.onAsdu(asdu, new AsduReceipt(this, number));
  }

  /** A malformed ASDU has no receipt; it counts as released as soon as everything before it is. */
  #releaseSkipped(): void {
    const skipped = this.#skipped;
    while (skipped.length > 0 && skipped[0]! <= this.#link.released + 1) {
      release(this.#link, this.#now, skipped[0]!);
      skipped.shift();
    }
  }

  #apply(effects: Effects): void {
    if (effects === EFFECT.none || this.#closed) return;
    if ((effects & EFFECT.close) !== 0) {
      const { code, text } = this.#link.closed!;
      this.fail(peerError(code, `IEC 104 ${this.remote}: ${text}`));
      return;
    }
    if ((effects & EFFECT.stopped) !== 0) this.#tellAcknowledged();
    if ((effects & EFFECT.sendS) !== 0 && this.#link.released > this.#link.confirmed)
      this.#sendControl(1, confirm(this.#link));
    if ((effects & EFFECT.sendTestCon) !== 0) this.#sendU('TESTFR con');
    if ((effects & EFFECT.sendTestAct) !== 0) {
      this.counters.testsSent++;
      this.#sendU('TESTFR act');
    }
    if ((effects & EFFECT.sendStartAct) !== 0) this.#sendU('STARTDT act');
    if ((effects & EFFECT.sendStartCon) !== 0) this.#sendU('STARTDT con');
    if ((effects & EFFECT.sendStopAct) !== 0) this.#sendU('STOPDT act');
    if ((effects & EFFECT.sendStopCon) !== 0) this.#sendU('STOPDT con');
    if ((effects & EFFECT.started) !== 0) this.#handler.onStarted?.();
    if ((effects & EFFECT.stopped) !== 0) this.#handler.onStopped?.();
  }

  #tellAcknowledged(): void {
    const { acknowledged } = this.#link;
    if (acknowledged === this.#acknowledgedSeen) return;
    this.#acknowledgedSeen = acknowledged;
    this.#handler.onAcknowledged?.(acknowledged);
  }

  #sendU(name: UFunction): void {
    this.#sendControl(U_FUNCTIONS[name], 0);
  }

  #sendControl(first: number, received: number): void {
    const at = this.#room();
    this.#slabUsed = writeControl(this.#slab, at, first, received);
    if (first === 1) this.counters.sSent++;
    else this.counters.uSent++;
  }

  /** Where the next frame goes; there is room for the longest. */
  #room(): number {
    if (this.#slabUsed + MAX_APDU_LENGTH > SLAB) {
      this.#flush();
      this.#slab = Buffer.allocUnsafeSlow(SLAB);
      this.#slabUsed = 0;
      this.#slabFlushed = 0;
    }
    return this.#slabUsed;
  }

  /** After every change: acknowledge if due, send what is written once this turn is over, set the timer. */
  #settle(): void {
    if (this.#reading || this.#closed) return;
    if (acknowledgeDue(this.#link)) this.#sendControl(1, confirm(this.#link));
    if (this.#slabUsed > this.#slabFlushed && !this.#flushScheduled) {
      this.#flushScheduled = true;
      queueMicrotask(this.#flushLater);
    }
    this.#arm();
  }

  readonly #flushLater = (): void => {
    this.#flushScheduled = false;
    this.#flush();
  };

  #flush(): void {
    if (this.#slabUsed === this.#slabFlushed || this.#closed) return;
    const bytes = this.#slab.subarray(this.#slabFlushed, this.#slabUsed);
    this.#slabFlushed = this.#slabUsed;
    this.counters.octetsSent += bytes.length;
    this.#transport.write(bytes);
    if (this.#transport.bufferedBytes > this.#bufferLimit)
      this.fail(
        peerError(
          'session.notReading',
          `IEC 104 ${this.remote}: the peer does not read; ${this.#transport.bufferedBytes} octets wait; connection closed`,
        ),
      );
  }

  /** One timer serves t1 to t3. It may fire early and look again; it is set anew only for an earlier moment. */
  #arm(): void {
    const at = nextDeadline(this.#link);
    if (at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.schedule(Math.max(0, at - this.#clock.monotonic()), this.#onTimer);
  }

  readonly #onTimer = (): void => {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#cancelTimer = undefined;
    if (this.#closed) return;
    this.#now = this.#clock.monotonic();
    this.#apply(tick(this.#link, this.#now));
    this.#settle();
  };

  #onTransportClosed(error: Error | undefined): void {
    if (this.#closed) return;
    this.#finish(
      error === undefined
        ? undefined
        : new Iec104Error('environment', 'session.lost', `IEC 104 ${this.remote}: connection lost (${error.message})`, {
            cause: error,
          }),
    );
  }

  #finish(error: Iec104Error | undefined): void {
    this.#closed = true;
    closeLink(this.#link);
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#tellAcknowledged();
    this.#handler.onClose?.(error);
  }
}
