import { type Clock, systemClock } from '@enerchain/transport';
import { type Asdu, asdu, segmentRoom } from '../codec/asdu.ts';
import type { Cp56Time } from '../codec/time.ts';
import { callerError, Iec104Error } from '../errors.ts';
import { COT } from '../spec/causes.ts';
import { completeParameters, type Parameters } from '../spec/parameters.ts';
import {
  FILE_TYPE_IDS,
  type FileElement,
  type FileFailure,
  type FileStep,
  isFileElement,
  NOT_READY,
  SCQ,
} from './file-elements.ts';
import { FileReceiver } from './file-receiver.ts';
import { FileSender } from './file-sender.ts';
import type { FileEntry } from './file-server.ts';

export interface FileClientOptions {
  /** `Iec104Client.send`: false while the window is closed. */
  readonly send: (asdu: Asdu) => boolean;
  /** The same as the client's. */
  readonly parameters?: Partial<Parameters>;
  /** Longest file accepted, octets. Default 1 MiB. */
  readonly maxLength?: number;
  /** Seconds without a word from the station after which a transfer is given up. Default 30. */
  readonly timeout?: number;
  readonly originator?: number;
  readonly clock?: Clock;
}

interface Exchange {
  readonly commonAddress: number;
  readonly address: number;
  receive(asdu: Asdu, element: FileElement): void;
  fail(reason: FileFailure, text: string): void;
}

/** How long to wait before a closed window is looked at again, ms. */
const RETRY = 5;

/**
 * File transfer of a controlling station (IEC 60870-5-101, 7.4.11): hand every ASDU to `receive`, and call `end` when the
 * connection ends. One transfer at a time.
 *
 * ```ts
 * const files = new FileClient({ send: (asdu) => client.send(asdu) });
 * const content = await files.read(1, 30000, 1);
 * ```
 */
export class FileClient {
  readonly #options: FileClientOptions;
  readonly #parameters: Parameters;
  readonly #clock: Clock;
  #exchange: Exchange | undefined;
  /** Where the outgoing elements go, also the last ones of a transfer that is over. */
  #target = { commonAddress: 0, address: 0, cause: COT.file as number };
  #outgoing: Iterator<FileElement>[] = [];
  #held: FileElement | undefined;
  #cancelRetry: (() => void) | undefined;
  #cancelTimeout: (() => void) | undefined;

  constructor(options: FileClientOptions) {
    this.#options = options;
    this.#parameters = completeParameters(options.parameters);
    this.#clock = options.clock ?? systemClock;
  }

  /** Takes an ASDU; true when it belonged to the transfer under way. */
  receive(received: Asdu): boolean {
    const exchange = this.#exchange;
    const object = received.objects[0];
    if (exchange === undefined || received.commonAddress !== exchange.commonAddress) return false;
    if (received.typeId < FILE_TYPE_IDS.fileReady || received.typeId > FILE_TYPE_IDS.queryLog) return false;
    if (received.cause >= COT.unknownType) {
      exchange.fail('refused', `refused with cause ${received.cause}`);
      return true;
    }
    if (object === undefined) {
      if (received.typeId !== FILE_TYPE_IDS.directory) return false;
      this.#arm();
      exchange.receive(received, { kind: 'directory', file: 0, length: 0, status: 0x20 });
      return true;
    }
    if (!isFileElement(object.element)) return false;
    if (object.element.kind !== 'directory' && object.address !== exchange.address) return false;
    this.#arm();
    exchange.receive(received, object.element);
    this.#pump();
    return true;
  }

  /** The connection ended: a transfer under way fails. */
  end(): void {
    this.#exchange?.fail('connection ended', 'the connection ended');
  }

  /** The directory of a station. @throws Iec104Error when it refuses, or does not answer */
  directory(commonAddress: number, address = 0): Promise<FileEntry[]> {
    const entries: FileEntry[] = [];
    return this.#run<FileEntry[]>(
      commonAddress,
      address,
      'directory',
      (done) => {
        this.#queue([{ kind: 'fileCall', file: 0, section: 0, qualifier: SCQ.default }]);
        return (received) => {
          for (const { address: at, element, time } of received.objects) {
            if (element.kind !== 'directory') continue;
            const subdirectory = (element.status & 0x40) !== 0;
            entries.push({
              address: at,
              file: element.file,
              length: element.length,
              time: time as Cp56Time,
              ...(subdirectory ? { subdirectory } : {}),
            });
            if ((element.status & 0x20) !== 0) done(entries);
          }
          if (received.objects.length === 0) done(entries);
        };
      },
      COT.request,
    );
  }

  /** Reads a file. @throws Iec104Error when the station refuses, or the transfer fails; nothing half is returned */
  read(commonAddress: number, address: number, file: number): Promise<Uint8Array> {
    const receiver = this.#receiver(file);
    return this.#transfer(commonAddress, address, `file ${file}`, receiver, receiver.select());
  }

  /** Reads what a log or archive file holds of a span of time (F_SC_NB_1). @throws as `read` */
  query(commonAddress: number, address: number, file: number, from: Cp56Time, to: Cp56Time): Promise<Uint8Array> {
    return this.#transfer(commonAddress, address, `file ${file}`, this.#receiver(file), {
      kind: 'queryLog',
      file,
      from,
      to,
    });
  }

  /** Sends a file to the station. @throws Iec104Error when the station refuses it, or the transfer fails */
  async write(commonAddress: number, address: number, file: number, content: Uint8Array): Promise<void> {
    const sender = new FileSender({ file, content, segmentRoom: segmentRoom(this.#parameters) });
    await this.#transfer(commonAddress, address, `file ${file}`, sender, sender.fileReady());
  }

  /** Deletes a file. @throws Iec104Error when the station refuses */
  delete(commonAddress: number, address: number, file: number): Promise<void> {
    return this.#run<void>(commonAddress, address, `deletion of file ${file}`, (done, fail) => {
      this.#queue([{ kind: 'fileCall', file, section: 0, qualifier: SCQ.deleteFile }]);
      return (_received, element) => {
        if (element.kind !== 'fileReady') return;
        if ((element.qualifier & NOT_READY) !== 0) fail('refused', 'the station refused');
        else done();
      };
    });
  }

  #receiver(file: number): FileReceiver {
    return new FileReceiver({ file, maxLength: this.#options.maxLength ?? 1_048_576 });
  }

  #transfer(
    commonAddress: number,
    address: number,
    what: string,
    machine: FileReceiver | FileSender,
    first: FileElement,
  ): Promise<Uint8Array> {
    return this.#run<Uint8Array>(commonAddress, address, what, (done, fail) => {
      this.#queue([first]);
      return (_received, element) => {
        const step: FileStep = machine.receive(element);
        this.#queue(step.send);
        if (step.outcome === undefined) return;
        if (step.outcome.ok) done(step.outcome.content);
        else fail(step.outcome.reason, step.outcome.text);
      };
    });
  }

  #run<T>(
    commonAddress: number,
    address: number,
    what: string,
    begin: (
      done: (value: T) => void,
      fail: (reason: FileFailure, text: string) => void,
    ) => (received: Asdu, element: FileElement) => void,
    cause: number = COT.file,
  ): Promise<T> {
    if (this.#exchange !== undefined) {
      return Promise.reject(
        callerError(
          'file.busy',
          `IEC 104 CA ${commonAddress} IOA ${address}: ${what} refused, another transfer is under way`,
        ),
      );
    }
    return new Promise<T>((resolve, reject) => {
      const finish = () => {
        this.#exchange = undefined;
        this.#cancelTimeout?.();
      };
      const fail = (reason: FileFailure, text: string) => {
        finish();
        if (reason === 'connection ended' || reason === 'timeout') this.#forget();
        const fault = reason === 'connection ended' || reason === 'timeout' ? 'environment' : 'peer';
        reject(
          new Iec104Error(
            fault,
            `file.${reason.replaceAll(' ', '-')}`,
            `IEC 104 CA ${commonAddress} IOA ${address}: ${what}: ${text}`,
          ),
        );
      };
      this.#forget();
      this.#target = { commonAddress, address, cause };
      const receive = begin((value) => {
        finish();
        resolve(value);
      }, fail);
      this.#exchange = { commonAddress, address, receive, fail };
      this.#arm();
      this.#pump();
    });
  }

  #queue(elements: Iterable<FileElement>): void {
    this.#outgoing.push(elements[Symbol.iterator]());
  }

  /** Sends what the window takes; the rest waits a moment. */
  #pump(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    for (;;) {
      if (this.#held === undefined) {
        const iterator = this.#outgoing[0];
        if (iterator === undefined) return;
        const step = iterator.next();
        if (step.done) {
          this.#outgoing.shift();
          continue;
        }
        this.#held = step.value;
      }
      const element = this.#held;
      const { commonAddress, address, cause } = this.#target;
      const { originator = 0, send } = this.#options;
      const sent = send(
        asdu({
          typeId: FILE_TYPE_IDS[element.kind],
          cause,
          commonAddress,
          originator,
          objects: [{ address, element }],
        }),
      );
      if (!sent) {
        this.#cancelRetry = this.#clock.schedule(RETRY, () => this.#pump());
        return;
      }
      this.#held = undefined;
      // Our own sending is progress too: a large file on a slow link is not a silent station.
      if (this.#exchange !== undefined) this.#arm();
    }
  }

  #forget(): void {
    this.#outgoing = [];
    this.#held = undefined;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  #arm(): void {
    this.#cancelTimeout?.();
    const seconds = this.#options.timeout ?? 30;
    this.#cancelTimeout = this.#clock.schedule(seconds * 1000, () =>
      this.#exchange?.fail('timeout', `no word from the station for ${seconds} s`),
    );
  }
}
