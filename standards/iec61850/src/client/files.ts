/** Files of a device (IEC 61850-7-2 § 23): fault records in COMTRADE, event lists, settings. */
import type { MmsClient } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';

export interface FileEntry {
  /** With folders, parted by slashes. */
  readonly name: string;
  /** Octets. */
  readonly size: number;
  /** GeneralizedTime as the device gives it. */
  readonly lastModified: string | undefined;
}

const MAX_ENTRIES = 100_000;
/** Octets; the largest fault records have some tens of MB. */
const MAX_SIZE = 1 << 30;

export class Files {
  readonly #mms: MmsClient;

  constructor(mms: MmsClient) {
    this.#mms = mms;
  }

  /** What a folder holds; without one, everything the device tells. */
  async list(folder?: string): Promise<FileEntry[]> {
    const all: FileEntry[] = [];
    let continueAfter: readonly string[] | undefined;
    for (;;) {
      const { entries, moreFollows } = await this.#mms.call('fileDirectory', {
        ...(folder === undefined ? {} : { specification: [folder] }),
        ...(continueAfter ? { continueAfter } : {}),
      });
      for (const { name, attributes } of entries) {
        all.push({ name: name.join('/'), size: attributes.size, lastModified: attributes.lastModified });
      }
      continueAfter = entries.at(-1)?.name;
      if (!moreFollows || !continueAfter) return all;
      if (all.length > MAX_ENTRIES)
        throw new Iec61850Error('peer', 'files.limit', `the device lists more than ${MAX_ENTRIES} files`);
    }
  }

  /** In pieces as the device gives them. The file is closed whatever happens. */
  async *read(name: string): AsyncGenerator<Uint8Array> {
    const { frsm } = await this.#mms.call('fileOpen', { name: [name], position: 0 });
    let octets = 0;
    try {
      for (;;) {
        const { data, moreFollows } = await this.#mms.call('fileRead', frsm);
        octets += data.length;
        if (octets > MAX_SIZE)
          throw new Iec61850Error('peer', 'files.limit', `${name} has more than ${MAX_SIZE} octets`);
        if (data.length > 0) yield data;
        if (!moreFollows) return;
      }
    } finally {
      await this.#mms.call('fileClose', frsm).catch(() => {});
    }
  }

  async delete(name: string): Promise<void> {
    await this.#mms.call('fileDelete', [name]);
  }
}
