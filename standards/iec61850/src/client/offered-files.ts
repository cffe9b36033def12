/** What a client brings to a device (SetFile, IEC 61850-7-2 § 23; ObtainFile, 8-1 § 23.3): the device opens and reads it, as a client does elsewhere. */
import { type Handlers, MmsRefusal, serviceErrorOf } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { cleanedName, generalizedTime } from '../mapping/file-names.ts';

/** Octets of an answer that are not the file's. */
const OVERHEAD = 100;
/** Times that a device may have one open. */
const MAX_OPEN = 4;

interface Offer {
  readonly content: Uint8Array;
  readonly onRead: (octets: number) => void;
}

export class OfferedFiles {
  readonly #now: () => number;
  readonly #offers = new Map<string, Offer>();
  readonly #open = new Map<number, { readonly offer: Offer; position: number }>();
  #next = 0;
  /** Octets of the largest PDU; known once the association is there. */
  maxPdu = 1_000;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A file is there for the device while the action runs. @throws Iec61850Error `files.offered` (caller) for a second one of the name */
  async during<T>(name: string, content: Uint8Array, onRead: Offer['onRead'], action: () => Promise<T>): Promise<T> {
    const key = cleanedName(name);
    if (this.#offers.has(key))
      throw new Iec61850Error('caller', 'files.offered', `${name} is being brought to the device already`);
    const offer = { content, onRead };
    this.#offers.set(key, offer);
    try {
      return await action();
    } finally {
      this.#offers.delete(key);
      for (const [frsm, opened] of this.#open) if (opened.offer === offer) this.#open.delete(frsm);
    }
  }

  /** Nothing is there but what is offered. */
  readonly handlers: Handlers<undefined> = {
    fileOpen: ({ name, position }) => {
      const offer = this.#offers.get(cleanedName(name.join('/')));
      if (!offer) throw refusal('file-non-existent');
      if (position > offer.content.length) throw refusal('position-invalid');
      if (this.#open.size >= MAX_OPEN) throw refusal('file-busy');
      this.#next = (this.#next % 0x7fff_ffff) + 1;
      this.#open.set(this.#next, { offer, position });
      const lastModified = generalizedTime(this.#now());
      return { frsm: this.#next, attributes: { size: offer.content.length, lastModified } };
    },
    fileRead: (frsm) => {
      const opened = this.#open.get(frsm);
      if (!opened) throw refusal('file-non-existent');
      const { offer, position } = opened;
      const data = offer.content.subarray(position, position + Math.max(1, this.maxPdu - OVERHEAD));
      opened.position += data.length;
      offer.onRead(opened.position);
      return { data, moreFollows: opened.position < offer.content.length };
    },
    fileClose: (frsm) => {
      if (!this.#open.delete(frsm)) throw refusal('file-non-existent');
      return null;
    },
  };
}

const refusal = (problem: string): MmsRefusal => new MmsRefusal({ error: serviceErrorOf('file', problem) });
