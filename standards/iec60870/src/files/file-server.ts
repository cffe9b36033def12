import { type Clock, systemClock } from '@enerchain/transport';
import { type Asdu, asdu, type InformationObject, objectsPerAsdu, segmentRoom } from '../codec/asdu.ts';
import type { Cp56Time } from '../codec/time.ts';
import type { RequestContext } from '../server/handlers.ts';
import type { ReplyJob } from '../server/reply-job.ts';
import type { StationFiles, StationPeer } from '../server/station.ts';
import { COT } from '../spec/causes.ts';
import { completeParameters, type Parameters } from '../spec/parameters.ts';
import {
  AFQ,
  FILE_ERROR,
  FILE_TYPE_IDS,
  type FileElement,
  type FileStep,
  isFileElement,
  LSQ,
  NOT_READY,
  SCQ,
} from './file-elements.ts';
import { FileReceiver } from './file-receiver.ts';
import { FileSender } from './file-sender.ts';

/** An entry of a directory, F_DR_TA_1. */
export interface FileEntry {
  /** Information object address the file is reached by. */
  readonly address: number;
  /** Name of file NOF, 1 to 65535. */
  readonly file: number;
  readonly length: number;
  readonly time: Cp56Time;
  readonly subdirectory?: boolean;
}

type Answer<T> = T | Promise<T>;

/** Where the files of a station are. What is missing cannot be done: without `write` nothing can be sent to the station. */
export interface FileStore {
  list?(commonAddress: number): Answer<readonly FileEntry[]>;
  read?(commonAddress: number, address: number, file: number): Answer<Uint8Array | undefined>;
  /** Called with the whole file, its checksums verified; the positive acknowledgement leaves when it has resolved. */
  write?(commonAddress: number, address: number, file: number, content: Uint8Array): Answer<void>;
  /** Whether there was such a file. */
  delete?(commonAddress: number, address: number, file: number): Answer<boolean>;
  /** F_SC_NB_1: what a log or archive holds of a span of time. */
  query?(
    commonAddress: number,
    address: number,
    file: number,
    from: Cp56Time,
    to: Cp56Time,
  ): Answer<Uint8Array | undefined>;
}

export interface FileServerOptions {
  readonly store: FileStore;
  /** The same as the server's. */
  readonly parameters?: Partial<Parameters>;
  /** Longest file accepted from a peer, octets. Default 1 MiB. */
  readonly maxLength?: number;
  /** Transfers at the same time, over all connections. Default 8. */
  readonly maxTransfers?: number;
  /** Seconds without a word after which another connection may have the file. Default 60. */
  readonly idleTimeout?: number;
  readonly clock?: Clock;
}

export interface FileServerCounters {
  /** Files sent completely and acknowledged. */
  sent: number;
  /** Files received completely and stored. */
  received: number;
  directories: number;
  deleted: number;
  /** Selects, announcements and deletions refused. */
  refused: number;
  /** Transfers that ended without their file. */
  failed: number;
}

interface Transfer {
  readonly machine: FileSender | FileReceiver;
  readonly commonAddress: number;
  readonly address: number;
  touchedAt: number;
}

/**
 * File transfer of a controlled station (IEC 60870-5-101, 7.4.11) in both directions. A transfer belongs to the connection that
 * selected the file: nobody else can call its sections, and the file stays taken until the transfer ends, its connection
 * ends, or it has been idle too long. One transfer at a time for each connection.
 */
export class FileServer<P extends StationPeer> implements StationFiles<P> {
  readonly counters: FileServerCounters = { sent: 0, received: 0, directories: 0, deleted: 0, refused: 0, failed: 0 };
  readonly #options: FileServerOptions;
  readonly #parameters: Parameters;
  readonly #clock: Clock;
  readonly #transfers = new Map<P, Transfer>();

  constructor(options: FileServerOptions) {
    this.#options = options;
    this.#parameters = completeParameters(options.parameters);
    this.#clock = options.clock ?? systemClock;
  }

  /** Transfers under way. */
  get transfers(): number {
    return this.#transfers.size;
  }

  async handle(peer: P, _context: RequestContext, request: Asdu): Promise<void> {
    const object = request.objects[0];
    if (object === undefined || !isFileElement(object.element)) return;
    const element = object.element;
    if (element.kind === 'fileCall') {
      const qualifier = element.qualifier & 0x0f;
      if (request.cause === COT.request || qualifier === SCQ.default) return this.#directory(peer, request);
      if (qualifier === SCQ.selectFile) {
        const read = () => this.#options.store.read?.(request.commonAddress, object.address, element.file);
        return this.#offer(peer, request, object.address, element.file, read);
      }
      if (qualifier === SCQ.deleteFile) return this.#delete(peer, request, object.address, element.file);
    }
    if (element.kind === 'queryLog') {
      const query = () =>
        this.#options.store.query?.(request.commonAddress, object.address, element.file, element.from, element.to);
      return this.#offer(peer, request, object.address, element.file, query);
    }
    if (element.kind === 'fileReady') this.#accept(peer, request, object.address, element.file);
    const transfer = this.#transfers.get(peer);
    if (
      transfer === undefined ||
      transfer.commonAddress !== request.commonAddress ||
      transfer.address !== object.address
    ) {
      return this.#unexpected(peer, request, element);
    }
    transfer.touchedAt = this.#clock.monotonic();
    await this.#apply(peer, request, transfer, transfer.machine.receive(element));
  }

  release(peer: P): void {
    if (this.#transfers.delete(peer)) this.counters.failed++;
  }

  async #directory(peer: P, request: Asdu): Promise<void> {
    const entries = (await this.#options.store.list?.(request.commonAddress)) ?? [];
    this.counters.directories++;
    const objects = entries.map((entry, i): InformationObject => {
      const last = i === entries.length - 1 ? 0x20 : 0;
      const busy = this.#takenBy(request.commonAddress, entry.address) === undefined ? 0 : 0x80;
      const status = last | busy | (entry.subdirectory === true ? 0x40 : 0);
      return {
        address: entry.address,
        element: { kind: 'directory', file: entry.file, length: entry.length, status },
        time: entry.time,
      };
    });
    const most = objectsPerAsdu(FILE_TYPE_IDS.directory, false, this.#parameters);
    const rows: InformationObject[][] = [];
    for (let i = 0; i < objects.length; i += most) rows.push(objects.slice(i, i + most));
    // An empty directory is one answer without entries: the peer has asked and is to hear something.
    if (rows.length === 0) rows.push([]);
    this.#stream(
      peer,
      request,
      rows.map((row) => this.#asdu(request, FILE_TYPE_IDS.directory, row, COT.request)),
    );
  }

  async #offer(
    peer: P,
    request: Asdu,
    address: number,
    file: number,
    read: () => Answer<Uint8Array | undefined> | undefined,
  ): Promise<void> {
    this.#end(peer);
    const content = this.#isFree(peer, request.commonAddress, address) ? await read() : undefined;
    // Asked again: somebody else may have selected it while it was being read.
    if (content === undefined || peer.closed || !this.#isFree(peer, request.commonAddress, address)) {
      this.counters.refused++;
      return this.#reply(peer, request, address, { kind: 'fileReady', file, length: 0, qualifier: NOT_READY });
    }
    const machine = new FileSender({ file, content, segmentRoom: segmentRoom(this.#parameters) });
    this.#transfers.set(peer, {
      machine,
      commonAddress: request.commonAddress,
      address,
      touchedAt: this.#clock.monotonic(),
    });
    this.#reply(peer, request, address, machine.fileReady());
  }

  /** A file in control direction begins with the peer's file ready. */
  #accept(peer: P, request: Asdu, address: number, file: number): void {
    this.#end(peer);
    if (this.#options.store.write === undefined || !this.#isFree(peer, request.commonAddress, address)) return;
    const machine = new FileReceiver({ file, maxLength: this.#options.maxLength ?? 1_048_576 });
    this.#transfers.set(peer, {
      machine,
      commonAddress: request.commonAddress,
      address,
      touchedAt: this.#clock.monotonic(),
    });
  }

  async #delete(peer: P, request: Asdu, address: number, file: number): Promise<void> {
    const free = this.#takenBy(request.commonAddress, address) === undefined;
    const deleted = free && ((await this.#options.store.delete?.(request.commonAddress, address, file)) ?? false);
    if (deleted) this.counters.deleted++;
    else this.counters.refused++;
    this.#reply(peer, request, address, { kind: 'fileReady', file, length: 0, qualifier: deleted ? 0 : NOT_READY });
  }

  async #apply(peer: P, request: Asdu, transfer: Transfer, step: FileStep): Promise<void> {
    const { outcome } = step;
    if (outcome === undefined) return this.#sendStep(peer, request, transfer.address, step.send);
    this.#transfers.delete(peer);
    if (!outcome.ok) {
      this.counters.failed++;
    } else if (transfer.machine instanceof FileSender) {
      this.counters.sent++;
    } else {
      const { file } = transfer.machine;
      try {
        await this.#options.store.write?.(transfer.commonAddress, transfer.address, file, outcome.content);
        this.counters.received++;
      } catch {
        // The peer has to hear that its file is not kept; why is the store's to tell.
        this.counters.failed++;
        const qualifier = AFQ.fileFailed | (FILE_ERROR.noMemory << 4);
        return this.#reply(peer, request, transfer.address, { kind: 'fileAcknowledge', file, section: 0, qualifier });
      }
    }
    this.#sendStep(peer, request, transfer.address, step.send);
  }

  /** What belongs to no transfer of this connection is refused in its own terms; stray segments are not worth an answer each. */
  #unexpected(peer: P, request: Asdu, element: FileElement): void {
    const address = request.objects[0]!.address;
    const { file } = element;
    this.counters.refused++;
    if (element.kind === 'fileCall') {
      this.#reply(peer, request, address, {
        kind: 'lastSection',
        file,
        section: 0,
        qualifier: LSQ.fileDeactivated,
        checksum: 0,
      });
      return;
    }
    const announces = element.kind === 'fileReady' || element.kind === 'sectionReady';
    const ends = element.kind === 'lastSection' && element.qualifier !== LSQ.fileDeactivated;
    if (!announces && !ends) return;
    const qualifier = AFQ.fileFailed | (FILE_ERROR.unexpectedService << 4);
    this.#reply(peer, request, address, { kind: 'fileAcknowledge', file, section: 0, qualifier });
  }

  #takenBy(commonAddress: number, address: number): P | undefined {
    for (const [peer, transfer] of this.#transfers) {
      if (transfer.commonAddress === commonAddress && transfer.address === address) return peer;
    }
    return undefined;
  }

  #isFree(peer: P, commonAddress: number, address: number): boolean {
    const idle = this.#clock.monotonic() - (this.#options.idleTimeout ?? 60) * 1000;
    for (const [other, transfer] of this.#transfers) if (transfer.touchedAt <= idle) this.#end(other);
    const holder = this.#takenBy(commonAddress, address);
    return (holder === undefined || holder === peer) && this.#transfers.size < (this.#options.maxTransfers ?? 8);
  }

  #end(peer: P): void {
    if (this.#transfers.delete(peer)) this.counters.failed++;
  }

  #sendStep(peer: P, request: Asdu, address: number, elements: Iterable<FileElement>): void {
    if (Array.isArray(elements)) {
      for (const element of elements as readonly FileElement[]) this.#reply(peer, request, address, element);
      return;
    }
    this.#stream(peer, request, this.#asdus(request, address, elements));
  }

  *#asdus(request: Asdu, address: number, elements: Iterable<FileElement>): Generator<Asdu> {
    for (const element of elements) yield this.#asdu(request, FILE_TYPE_IDS[element.kind], [{ address, element }]);
  }

  #stream(peer: P, request: Asdu, asdus: Iterable<Asdu>): void {
    const iterator = asdus[Symbol.iterator]();
    const job: ReplyJob = {
      request,
      next: () => iterator.next().value as Asdu | undefined,
      cancel: () => void iterator.return?.(),
    };
    if (peer.stream(job)) return;
    job.cancel();
    this.#end(peer);
  }

  #reply(peer: P, request: Asdu, address: number, element: FileElement): void {
    peer.reply(this.#asdu(request, FILE_TYPE_IDS[element.kind], [{ address, element }]));
  }

  #asdu(request: Asdu, typeId: number, objects: readonly InformationObject[], cause: number = COT.file): Asdu {
    const { commonAddress, originator } = request;
    return asdu({ typeId, cause, commonAddress, originator, objects });
  }
}
