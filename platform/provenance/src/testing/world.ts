/** What the tests of provenance share: keys, a clock that stands still, a log in a folder of its own. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import {
  leafHashOf,
  MemoryMedium,
  originOf,
  spkiPem,
  TransparencyLog,
  type TreeMedium,
  Witness,
  type WitnessEvent,
  type WitnessMemory,
  type WitnessRequest,
} from '../index.ts';

export const NOW = 1_790_000_000_000_000_000n;

export class StillClock implements Clock {
  at = NOW;
  now(): bigint {
    return this.at;
  }
  monotonic(): number {
    return Number((this.at - NOW) / 1_000_000n);
  }
}

export function newSigner(): Signer & { readonly privateKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    algorithm: 'ES256',
    origin: 'file',
    publicKey,
    privateKey,
    sign: (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

const folders: string[] = [];
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
/** Gone when the process ends. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-provenance-'));
  folders.push(folder);
  return folder;
}

export const leaves = (from: number, to: number, salt = ''): Uint8Array[] =>
  Array.from({ length: to - from }, (_, i) => leafHashOf(Buffer.from(`${salt}${from + i}`)));

export const ORIGIN = originOf('00112233445566778899aabbccddeeff');

/** A log that can be grown, copied and falsified. */
export class LogWorld {
  readonly signer = newSigner();
  readonly clock = new StillClock();
  readonly folder = newFolder();
  readonly medium: MemoryMedium;
  log: TransparencyLog;

  constructor(medium: TreeMedium = new MemoryMedium()) {
    this.medium = medium as MemoryMedium;
    this.log = this.open();
  }

  open(): TransparencyLog {
    const { folder, signer, clock, medium } = this;
    this.log = TransparencyLog.open({ folder, origin: ORIGIN, signer, clock, medium });
    return this.log;
  }

  /** Grows to `size` and signs. @returns the note */
  async grow(size: number, salt = ''): Promise<string> {
    this.log.append(leaves(this.log.size, size, salt));
    const note = await this.log.makeCheckpoint();
    if (note === undefined) throw new Error(this.log.trouble?.text ?? 'nothing was signed');
    return note;
  }

  request(note: string, from = 0): WitnessRequest {
    const { size } = this.log.checkpoint!;
    return { note, from, proof: this.log.consistency(from, size), key: spkiPem(this.signer.publicKey) };
  }
}

/** A witness whose memory outlives it. */
export class WitnessWorld {
  readonly signer = newSigner();
  readonly events: WitnessEvent[] = [];
  memory: WitnessMemory | undefined;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  open(authority = 'aa'): Witness {
    return new Witness({
      name: this.name,
      signer: this.signer,
      authority,
      clock: new StillClock(),
      store: {
        load: () => this.memory,
        save: (memory) => {
          this.memory = memory;
        },
      },
      onEvent: (event) => this.events.push(event),
    });
  }
}
