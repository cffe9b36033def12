/** Neighbours show each other which bundle of the centre they hold; whoever holds an older one asks for the newer one. */
import { describeError, EnerchainError } from '@enerchain/model';
import { bundleSigner } from '../bundle.ts';
import type { KeyDirectory } from '../keys.ts';
import type { TrustBase } from '../trust-base.ts';
import { hexOf, sha256 } from './evidence-store.ts';
import type { Neighbour } from './neighbour.ts';

export interface BundleExchangeOptions {
  readonly base: TrustBase;
  readonly keys: KeyDirectory;
  readonly now: () => number;
  readonly violation: (neighbour: Neighbour, code: string, text: string) => void;
}

/** What was asked of a neighbour. */
interface Asked {
  readonly hash: string;
  readonly at: number;
  /** The bundle is here and waits for the certificate of who signed it. */
  bytes?: Uint8Array;
}

/** Milliseconds after which a neighbour is asked again. */
const AGAIN = 10_000;

export class BundleExchange {
  readonly #options: BundleExchangeOptions;
  readonly #asked = new Map<string, Asked>();

  constructor(options: BundleExchangeOptions) {
    this.#options = options;
  }

  announce(neighbour: Neighbour): void {
    const { held } = this.#options.base;
    if (held) neighbour.send({ type: 'bundle', sequence: held.sequence, hash: held.hash });
  }

  announced(neighbour: Neighbour, sequence: number, hash: Uint8Array): void {
    const { base, now } = this.#options;
    if (base.held && base.held.sequence >= sequence) return;
    const asked = this.#asked.get(neighbour.name);
    if (asked && asked.hash === hexOf(hash) && now() - asked.at < AGAIN) return;
    this.#asked.set(neighbour.name, { hash: hexOf(hash), at: now() });
    neighbour.send({ type: 'want', what: 'bundle', hashes: [hash] });
  }

  received(neighbour: Neighbour, bytes: Uint8Array): void {
    const asked = this.#asked.get(neighbour.name);
    if (asked?.hash !== hexOf(sha256(bytes))) return;
    const { base, keys } = this.#options;
    try {
      const kid = bundleSigner(bytes);
      if (!keys.keyOf(kid)) {
        asked.bytes = bytes;
        neighbour.send({ type: 'want', what: 'certificate', hashes: [kid] });
        return;
      }
      this.#asked.delete(neighbour.name);
      base.take(bytes);
    } catch (error) {
      this.#refused(neighbour, error);
    }
  }

  /** A certificate has come; it may be the one that a bundle waits for. */
  certificate(neighbour: Neighbour, der: Uint8Array): void {
    const bytes = this.#asked.get(neighbour.name)?.bytes;
    if (!bytes) return;
    const { base, keys } = this.#options;
    try {
      if (Buffer.compare(bundleSigner(bytes), sha256(der)) !== 0) return;
      this.#asked.delete(neighbour.name);
      keys.learn(der);
      base.take(bytes);
    } catch (error) {
      this.#refused(neighbour, error);
    }
  }

  #refused(neighbour: Neighbour, error: unknown): void {
    const code = error instanceof EnerchainError ? error.code : 'tcn.bundle';
    this.#options.violation(neighbour, code, `a bundle was refused: ${describeError(error)}`);
  }
}
