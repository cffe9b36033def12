/** The publisher of one stream of sampled values (IEC 61850-9-2): samples go in, every so many a message comes out. Pure. */
import { utcTimeFromMillis } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { SampleCodec, type SampleLayout } from './layout.ts';
import { encodeSv, type SmpMode, type SvAsdu, SvView } from './message.ts';

export interface SvPublication {
  readonly appId: number;
  readonly svId: string;
  /** Sent when it is given. */
  readonly datSet?: string;
  readonly confRev: number;
  readonly layout: SampleLayout;
  /** smpCnt counts up to it and is 0 on the second. */
  readonly samplesPerSecond: number;
  /** ASDUs in a message. */
  readonly asdus: number;
  /** Sent when they are given. */
  readonly smpRate?: number;
  readonly smpMod?: SmpMode;
  /** Eight octets. */
  readonly gmIdentity?: Uint8Array;
  /** Whether each sample says when it was taken. */
  readonly refreshTime?: boolean;
  /** Sent by a test set in place of the real device. */
  readonly simulation?: boolean;
}

/** Where the parts of an ASDU that change stand in the message. */
interface Places {
  readonly smpCnt: number;
  readonly smpSynch: number;
  /** 0 when it is not sent. */
  readonly refrTm: number;
  readonly sample: number;
}

/** Octets behind the EtherType that a frame takes. */
const MAX_OCTETS = 1500;

export class SvPublisher {
  readonly #publication: SvPublication;
  readonly #codec: SampleCodec;
  /** One message, written into again and again. */
  readonly #message: Uint8Array;
  readonly #places: readonly Places[];
  #smpCnt = 0;
  #filled = 0;
  /** What the samples are synchronised to: 0 none, 1 local, 2 global, 5 … 254 a local clock. */
  smpSynch = 0;

  /** @throws Iec61850Error `sv.publication` (caller) when a message does not fit into a frame, or a second not into smpCnt */
  constructor(publication: SvPublication) {
    const { layout, asdus, samplesPerSecond, svId, appId, simulation = false } = publication;
    if (!(samplesPerSecond >= 1 && samplesPerSecond <= 65_536 && Number.isInteger(samplesPerSecond)))
      throw refused(publication, `${samplesPerSecond} samples a second`);
    const { datSet, confRev, smpRate, smpMod, gmIdentity, refreshTime = false } = publication;
    const asdu: SvAsdu = {
      svId,
      ...(datSet === undefined ? {} : { datSet }),
      smpCnt: 0,
      confRev,
      ...(refreshTime ? { refrTm: { seconds: 0, fraction: 0, quality: 0 } } : {}),
      smpSynch: 0,
      ...(smpRate === undefined ? {} : { smpRate }),
      sample: new Uint8Array(layout.octets),
      ...(smpMod === undefined ? {} : { smpMod }),
      ...(gmIdentity === undefined ? {} : { gmIdentity }),
    };
    this.#publication = publication;
    this.#codec = new SampleCodec(layout);
    this.#message = encodeSv({ appId, simulated: simulation, asdus: Array.from({ length: asdus }, () => asdu) });
    if (this.#message.length > MAX_OCTETS)
      throw refused(publication, `${asdus} ASDUs are ${this.#message.length} octets, which do not fit into a frame`);
    const view = new SvView().read(this.#message);
    const places: Places[] = [];
    while (view.next())
      places.push({ smpCnt: view.smpCntAt, smpSynch: view.smpSynchAt, refrTm: view.refrTmAt, sample: view.sampleAt });
    this.#places = places;
  }

  /** Of the next sample. */
  get smpCnt(): number {
    return this.#smpCnt;
  }

  /** Sets the counter, to 0 on the second; samples that wait for their message are dropped. */
  set smpCnt(count: number) {
    if (!(Number.isInteger(count) && count >= 0 && count < this.#publication.samplesPerSecond))
      throw refused(this.#publication, `smpCnt ${count} with ${this.#publication.samplesPerSecond} samples a second`);
    this.#smpCnt = count;
    this.#filled = 0;
  }

  /**
   * The next sample, in the units of the layout's channels. @param qualities words, from `sampleQualityWord`; good when left out
   * @param wall when it was taken, ms since 1970, for refrTm
   * @returns the octets behind the EtherType when a message is full, true until the next call
   */
  add(values: ArrayLike<number>, qualities?: ArrayLike<number>, wall = 0): Uint8Array | undefined {
    const message = this.#message;
    const at = this.#places[this.#filled]!;
    message[at.smpCnt] = this.#smpCnt >> 8;
    message[at.smpCnt + 1] = this.#smpCnt;
    message[at.smpSynch] = this.smpSynch;
    if (at.refrTm > 0) {
      const { seconds, fraction } = utcTimeFromMillis(wall);
      const view = new DataView(message.buffer, message.byteOffset);
      view.setUint32(at.refrTm, seconds);
      view.setUint32(at.refrTm + 4, ((fraction << 8) | (this.smpSynch === 2 ? 0x0a : 0x2a)) >>> 0);
    }
    this.#codec.write(message, at.sample, values, qualities);
    this.#smpCnt = this.#smpCnt + 1 === this.#publication.samplesPerSecond ? 0 : this.#smpCnt + 1;
    if (++this.#filled < this.#places.length) return undefined;
    this.#filled = 0;
    return message;
  }
}

function refused({ svId }: SvPublication, text: string): Iec61850Error {
  return new Iec61850Error('caller', 'sv.publication', `SV ${svId}: ${text}; nothing is published`);
}
