/** A sampled value message (IEC 61850-9-2 § 8.5, savPdu): several ASDUs, read in place or as values; written. */
import { BerWriter, type UtcTime, writeLatin } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { type ApduHeader, ApduScanner, latin, withHeader } from '../multicast/apdu.ts';

const SAV_PDU = 0x60;
/** svID and datSet have at most 129 octets. */
const MAX_TEXT = 255;
/** A frame has 1500 octets; the smallest ASDU has more than twenty. */
const MAX_ASDUS = 64;

/** What smpSynch says (9-2 edition 2): 5 … 254 is the number of a local clock. */
export const SMP_SYNCH = { none: 0, local: 1, global: 2 } as const;

/** What smpRate counts: samples in a period of the nominal frequency, in a second, or seconds between samples. */
export const SMP_MODES = ['SmpPerPeriod', 'SmpPerSec', 'SecPerSmp'] as const;
export type SmpMode = (typeof SMP_MODES)[number];

export interface SvAsdu {
  readonly svId: string;
  readonly datSet?: string;
  /** 0 … 65535, 0 on the second. */
  readonly smpCnt: number;
  readonly confRev: number;
  readonly refrTm?: UtcTime;
  readonly smpSynch: number;
  readonly smpRate?: number;
  /** The values of the data set, each of its own length, one behind the other. */
  readonly sample: Uint8Array;
  readonly smpMod?: SmpMode;
  /** Eight octets: identity of the grandmaster clock (61869-9). */
  readonly gmIdentity?: Uint8Array;
}

export interface SvMessage extends ApduHeader {
  readonly asdus: readonly SvAsdu[];
}

/**
 * The ASDUs of a message one after the other, as they lie in a frame. Used again for each message; it makes nothing. What it shows
 * is true until the next `read` or `next`, and as long as the frame is there.
 */
export class SvView {
  readonly #scanner = new ApduScanner('SV');
  /** How many ASDUs the message says it has. */
  asdus = 0;
  #left = 0;
  svIdAt = 0;
  svIdEnd = 0;
  /** Both 0 when it is left out, as with the others. */
  datSetAt = 0;
  datSetEnd = 0;
  smpCntAt = 0;
  smpCnt = 0;
  confRev = 0;
  refrTmAt = 0;
  smpSynchAt = 0;
  smpSynch = 0;
  /** -1 when it is left out. */
  smpRate = -1;
  sampleAt = 0;
  sampleEnd = 0;
  /** -1 when it is left out. */
  smpMod = -1;
  gmIdentityAt = 0;

  get bytes(): Uint8Array {
    return this.#scanner.bytes;
  }
  get start(): number {
    return this.#scanner.start;
  }
  get appId(): number {
    return this.#scanner.appId;
  }
  get simulated(): boolean {
    return this.#scanner.simulated;
  }

  /** Goes in front of the first ASDU. @param start of APPID @throws Iec61850Error `apdu.*`, `sv.count` (peer) */
  read(bytes: Uint8Array, start = 0, end: number = bytes.length): this {
    const scanner = this.#scanner;
    this.#left = 0;
    scanner.open(bytes, start, end, SAV_PDU);
    scanner.expect(0x80, 'noASDU');
    this.asdus = scanner.unsigned('noASDU');
    // [1] is reserved for security.
    if (!scanner.take(0x81)) scanner.take(0xa1);
    scanner.expect(0xa2, 'seqASDU');
    if (scanner.at !== scanner.end) throw this.#count('octets behind its ASDUs');
    if (this.asdus < 1 || this.asdus > MAX_ASDUS) throw this.#count(`${this.asdus} ASDUs`);
    scanner.enter();
    this.#left = this.asdus;
    return this;
  }

  /** Goes to the next ASDU. @returns false when there is none @throws Iec61850Error `apdu.*`, `sv.count` (peer) */
  next(): boolean {
    const scanner = this.#scanner;
    if (this.#left === 0) {
      if (scanner.at !== scanner.end) throw this.#count(`more ASDUs than the ${this.asdus} it says`);
      return false;
    }
    this.#left--;
    scanner.expect(0x30, 'ASDU');
    const outer = scanner.enter();
    scanner.expect(0x80, 'svID');
    if (scanner.to - scanner.from > MAX_TEXT) throw this.#count(`svID of ${scanner.to - scanner.from} octets`);
    this.svIdAt = scanner.from;
    this.svIdEnd = scanner.to;
    const named = scanner.take(0x81);
    this.datSetAt = named ? scanner.from : 0;
    this.datSetEnd = named ? scanner.to : 0;
    scanner.expect(0x82, 'smpCnt');
    scanner.sized(2, 'smpCnt');
    this.smpCntAt = scanner.from;
    this.smpCnt = scanner.unsigned('smpCnt');
    scanner.expect(0x83, 'confRev');
    this.confRev = scanner.unsigned('confRev');
    this.refrTmAt = 0;
    if (scanner.take(0x84)) {
      scanner.sized(8, 'refrTm');
      this.refrTmAt = scanner.from;
    }
    scanner.expect(0x85, 'smpSynch');
    this.smpSynchAt = scanner.from;
    this.smpSynch = scanner.unsigned('smpSynch');
    this.smpRate = scanner.take(0x86) ? scanner.unsigned('smpRate') : -1;
    scanner.expect(0x87, 'sample');
    this.sampleAt = scanner.from;
    this.sampleEnd = scanner.to;
    this.smpMod = scanner.take(0x88) ? scanner.unsigned('smpMod') : -1;
    this.gmIdentityAt = 0;
    if (scanner.take(0x89)) {
      scanner.sized(8, 'gmIdentity');
      this.gmIdentityAt = scanner.from;
    }
    scanner.leave(outer);
    return true;
  }

  get svId(): string {
    return latin(this.bytes, this.svIdAt, this.svIdEnd);
  }
  get datSet(): string | undefined {
    return this.datSetAt === 0 ? undefined : latin(this.bytes, this.datSetAt, this.datSetEnd);
  }
  get refrTm(): UtcTime | undefined {
    return this.refrTmAt === 0 ? undefined : this.#scanner.time(this.refrTmAt);
  }

  #count(text: string): Iec61850Error {
    const appId = this.appId.toString(16).toUpperCase().padStart(4, '0');
    return new Iec61850Error('peer', 'sv.count', `SV with APPID ${appId}: ${text}; the message is refused`);
  }
}

/** A message as a value of its own, nothing of which refers to the frame. @throws Iec61850Error `apdu.*`, `sv.count` (peer) */
export function decodeSv(bytes: Uint8Array, start = 0, end: number = bytes.length): SvMessage {
  const view = new SvView().read(bytes, start, end);
  const asdus: SvAsdu[] = [];
  while (view.next()) {
    const { datSet, refrTm } = view;
    const smpMod = SMP_MODES[view.smpMod];
    asdus.push({
      svId: view.svId,
      ...(datSet === undefined ? {} : { datSet }),
      smpCnt: view.smpCnt,
      confRev: view.confRev,
      ...(refrTm === undefined ? {} : { refrTm }),
      smpSynch: view.smpSynch,
      ...(view.smpRate < 0 ? {} : { smpRate: view.smpRate }),
      sample: bytes.slice(view.sampleAt, view.sampleEnd),
      ...(smpMod === undefined ? {} : { smpMod }),
      ...(view.gmIdentityAt === 0 ? {} : { gmIdentity: bytes.slice(view.gmIdentityAt, view.gmIdentityAt + 8) }),
    });
  }
  return { appId: view.appId, simulated: view.simulated, asdus };
}

/** The octets behind the EtherType: APPID, length, reserved fields, savPdu. @throws Iec61850Error `sv.asdu` (caller) */
export function encodeSv({ appId, simulated, asdus }: SvMessage): Uint8Array<ArrayBuffer> {
  const writer = new BerWriter(1500);
  const element = (tag: number, content: () => void): void => {
    const before = writer.length;
    content();
    writer.header(tag, before);
  };
  const fixed = (tag: number, value: number, octets: 1 | 2 | 4): void => {
    if (!(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * octets)))
      throw new Iec61850Error(
        'caller',
        'sv.asdu',
        `SV: ${value} does not fit into ${octets} octets; no message was made`,
      );
    element(tag, () => {
      for (let i = 0, rest = value; i < octets; i++, rest = Math.floor(rest / 256)) writer.octet(rest & 0xff);
    });
  };
  if (asdus.length < 1 || asdus.length > MAX_ASDUS)
    throw new Iec61850Error('caller', 'sv.asdu', `SV: ${asdus.length} ASDUs; no message was made`);
  for (const asdu of [...asdus].reverse()) {
    element(0x30, () => {
      const { gmIdentity, smpMod, sample, smpRate, refrTm, datSet } = asdu;
      if (gmIdentity) element(0x89, () => writer.octets(gmIdentity));
      if (smpMod) fixed(0x88, SMP_MODES.indexOf(smpMod), 2);
      element(0x87, () => writer.octets(sample));
      if (smpRate !== undefined) fixed(0x86, smpRate, 2);
      fixed(0x85, asdu.smpSynch, 1);
      if (refrTm)
        element(0x84, () => {
          writer.uint32(((refrTm.fraction << 8) | refrTm.quality) >>> 0);
          writer.uint32(refrTm.seconds);
        });
      fixed(0x83, asdu.confRev, 4);
      fixed(0x82, asdu.smpCnt, 2);
      if (datSet !== undefined) element(0x81, () => writeLatin(writer, datSet));
      element(0x80, () => writeLatin(writer, asdu.svId));
    });
  }
  writer.header(0xa2, 0);
  const before = writer.length;
  writer.octet(asdus.length);
  writer.header(0x80, before);
  writer.header(SAV_PDU, 0);
  return withHeader({ appId, simulated }, writer.finish());
}
