/** Captures of our own: pcap with nanoseconds, which every Wireshark since 1.2 and tcpdump since 4.3 read. */
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { EthernetError } from '../errors.ts';
import type { Filter, LinkLayer } from '../link-layer.ts';

const SNAP_LENGTH = 262_144;
const NANOS = 1_000_000_000n;

/** The 24 octets that a capture begins with. */
export function captureHeader(): Uint8Array {
  const view = new DataView(new ArrayBuffer(24));
  view.setUint32(0, 0xa1b23c4d);
  view.setUint16(4, 2);
  view.setUint16(6, 4);
  view.setUint32(16, SNAP_LENGTH);
  view.setUint32(20, 1);
  return new Uint8Array(view.buffer);
}

/**
 * One frame with its 16 octets before it.
 * @param at ns since the Unix epoch; the format ends in 2106
 */
export function captureRecord(frame: Uint8Array, at: bigint): Uint8Array {
  const record = new Uint8Array(16 + frame.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, Number(at / NANOS));
  view.setUint32(4, Number(at % NANOS));
  view.setUint32(8, frame.length);
  view.setUint32(12, frame.length);
  record.set(frame, 16);
  return record;
}

/** Octets that may wait for the disk; frames beyond are lost, and counted. */
const MOST_WAITING = 64 << 20;

export interface Recording {
  readonly counters: { readonly recorded: number; readonly lost: number };
  /** Stops, and resolves when all is in the file. @throws EthernetError (environment, `capture.write`) */
  stop(): Promise<void>;
}

/**
 * Writes what comes over a link into a new file.
 * @throws EthernetError (environment, `capture.write`) when the file is there already or cannot be made
 */
export async function record(link: LinkLayer, path: string, filter?: Filter): Promise<Recording> {
  const file: WriteStream = createWriteStream(path, { flags: 'wx' });
  const failed = (cause: unknown) =>
    new EthernetError('environment', 'capture.write', `${path}: ${(cause as Error).message}`, { cause });
  let failure: Error | undefined;
  try {
    await once(file, 'open');
  } catch (cause) {
    throw failed(cause);
  }
  file.on('error', (cause) => {
    failure ??= failed(cause);
  });
  file.write(captureHeader());
  let recorded = 0;
  let lost = 0;
  const unlisten = link.listen((frame, at) => {
    if (failure || file.writableLength > MOST_WAITING) lost++;
    else {
      file.write(captureRecord(frame, at));
      recorded++;
    }
  }, filter);
  return {
    get counters() {
      return { recorded, lost };
    },
    async stop() {
      unlisten();
      if (!failure) await new Promise<void>((resolve) => file.end(() => resolve()));
      if (failure) throw failure;
    },
  };
}
