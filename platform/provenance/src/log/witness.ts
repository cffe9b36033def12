/**
 * A witness remembers the newest checkpoint it has seen and signs only what grew out of it. It is the memory that a centre
 * cannot reach: a log that was rewritten, cut short or shown to two witnesses in two versions finds no signature, and the
 * witness keeps both notes as evidence.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { type Clock, EnerchainError } from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import { same } from '../tree/hash.ts';
import { isConsistent } from '../tree/proof.ts';
import { type Cosignature, cosign, isSignedBy, parseCheckpoint, type SignedCheckpoint } from './checkpoint.ts';

/** What a witness keeps. */
export interface WitnessMemory {
  /** The authority under which the log was met; another one is another system. */
  readonly authority: string;
  readonly origin: string;
  /** SubjectPublicKeyInfo of the log, PEM. */
  readonly key: string;
  /** The newest note that was found consistent. */
  readonly note: string;
}

/** Where it is kept. `save` returns when it is durable. */
export interface WitnessStore {
  load(): WitnessMemory | undefined;
  save(memory: WitnessMemory): void;
}

export interface WitnessEvent {
  readonly code:
    | 'provenance.fork'
    | 'provenance.shrunk'
    | 'provenance.foreign-log'
    | 'provenance.inconsistent'
    | 'provenance.log-signature'
    | 'provenance.witness.memory';
  readonly text: string;
  /** What was seen before, and what was shown now. */
  readonly notes: readonly string[];
}

/** What the log asks its witness. */
export interface WitnessRequest {
  readonly note: string;
  /** Size from which `proof` leads to the note; a witness that remembers another size answers with it. */
  readonly from: number;
  readonly proof: readonly Uint8Array[];
  /** SubjectPublicKeyInfo of the log, PEM; believed at the first meeting only. */
  readonly key: string;
}

export type WitnessAnswer =
  | { readonly kind: 'cosigned'; readonly cosignature: Cosignature }
  /** The proof does not begin where the witness stands: send one from `size`. */
  | { readonly kind: 'from'; readonly size: number }
  | { readonly kind: 'refused'; readonly code: WitnessEvent['code']; readonly text: string };

export interface WitnessOptions {
  /** Name in the witness's certificate. */
  readonly name: string;
  readonly signer: Signer;
  /** Fingerprint of the authority that the witness trusts. */
  readonly authority: string;
  readonly store: WitnessStore;
  readonly clock: Clock;
  /** A log that does not behave. */
  readonly onEvent: (event: WitnessEvent) => void;
}

export class Witness {
  readonly #options: WitnessOptions;
  #memory: WitnessMemory | undefined;
  #seen: SignedCheckpoint | undefined;
  /** One request after the other: two that overlap could both begin where the witness stood. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws EnerchainError `provenance.witness.memory` (environment) when what was kept cannot be read */
  constructor(options: WitnessOptions) {
    this.#options = options;
    const memory = options.store.load();
    // A new authority means that this node was enrolled anew: another system with a log of its own.
    if (memory?.authority !== options.authority) return;
    try {
      this.#seen = parseCheckpoint(memory.note);
      this.#memory = memory;
    } catch (cause) {
      const text = `what the witness ${options.name} remembers of the log cannot be read; nothing is cosigned`;
      throw new EnerchainError('environment', 'provenance.witness.memory', text, { cause });
    }
  }

  /** Size of the newest checkpoint seen; 0 before the first. */
  get size(): number {
    return this.#seen?.checkpoint.size ?? 0;
  }

  /** The newest checkpoint seen, as the log signed it. */
  get note(): string | undefined {
    return this.#memory?.note;
  }

  /** @throws EnerchainError (fault peer) when the request is malformed, or (environment) when nothing can be kept */
  answer(request: WitnessRequest): Promise<WitnessAnswer> {
    const answered = this.#turn.then(() => this.#answer(request));
    this.#turn = answered.catch(() => {});
    return answered;
  }

  async #answer({ note, from, proof, key: keyPem }: WitnessRequest): Promise<WitnessAnswer> {
    const { name, signer, clock, store, authority } = this.#options;
    const shown = parseCheckpoint(note);
    const key = publicKey(this.#memory?.key ?? keyPem);
    const { origin, size } = shown.checkpoint;
    const known = this.#memory;
    if (known && (known.origin !== origin || !publicKey(keyPem).equals(key))) {
      const what = known.origin === origin ? 'with another key' : `as the log ${origin}`;
      return this.#refuse('provenance.foreign-log', note, `the log ${known.origin} now comes ${what}`);
    }
    if (!isSignedBy(shown, key)) {
      return this.#refuse('provenance.log-signature', note, `a checkpoint of ${origin} is not signed by its key`);
    }
    const seen = this.#seen?.checkpoint;
    if (seen && size < seen.size) {
      const text = `the log ${origin} has ${size} records where it had ${seen.size}: it was cut short or restored from a copy`;
      return this.#refuse('provenance.shrunk', note, text);
    }
    if (seen && size === seen.size && !same(shown.checkpoint.root, seen.root)) {
      const text = `the log ${origin} shows two different versions of its first ${size} records`;
      return this.#refuse('provenance.fork', note, text);
    }
    if (seen && size > seen.size) {
      if (from !== seen.size) return { kind: 'from', size: seen.size };
      if (!isConsistent(seen, shown.checkpoint, proof)) {
        const text = `the log ${origin} of ${size} records does not begin with the ${seen.size} records it had: it was rewritten`;
        return this.#refuse('provenance.inconsistent', note, text);
      }
    }
    const cosignature = await cosign(signer, name, shown, clock.now());
    // Remembered before it is given out, so that a crash cannot make it sign two versions.
    const memory = { authority, origin, key: spkiPem(key), note };
    store.save(memory);
    this.#memory = memory;
    this.#seen = shown;
    return { kind: 'cosigned', cosignature };
  }

  #refuse(code: WitnessEvent['code'], note: string, text: string): WitnessAnswer {
    const before = this.#memory?.note;
    this.#options.onEvent({ code, text, notes: before === undefined ? [note] : [before, note] });
    return { kind: 'refused', code, text };
  }
}

export const spkiPem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string;

/** @throws EnerchainError `provenance.key` (fault peer) when it is no P-256 key */
export function publicKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new EnerchainError('peer', 'provenance.key', 'there is no public key in the PEM text', { cause });
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new EnerchainError('peer', 'provenance.key', 'the key is not one of P-256');
  }
  return key;
}
