/**
 * Keeps the certificate of a process valid: at about a third of its life another one is asked for, for the same key. With
 * 72 hours that is once a day, and two days without the authority are survived.
 * The key stays, so nothing that was signed or that is connected breaks; what names the certificate (the key identifier
 * in signatures, the next handshake) changes when `onRenewed` is called. A key that is old gives way to another one.
 */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock, toMillis } from '@enerchain/model';
import { type NextKeys, renew, rotateKey } from './enrolment-client.ts';
import type { EvidenceMaker } from './enrolment-est.ts';
import { hasOwnTlsKey, IDENTITY_FILES, type Identity } from './identity.ts';

/** Share of its life after which a certificate is renewed. */
const DUE = 1 / 3;
/** Share of its life by which that is brought forward at random, so that a fleet does not come at once. */
const SPREAD = 1 / 20;
/** Milliseconds between looks at the clock at most: it may be set in between. */
const LOOK = 3_600_000;
/** Milliseconds between attempts: a tenth of what is left, within these. */
const RETRY = { least: 1_000, most: 3_600_000 } as const;

export interface RenewalOptions {
  /** Folder of the identity; the new certificate replaces the old one there. */
  readonly dir: string;
  readonly identity: Identity;
  /** `https://host:port` or `wss://host:port` of the centre. */
  readonly url: string;
  readonly clock?: Clock;
  /** Calls back after so many milliseconds. Returns cancel. */
  readonly after?: (milliseconds: number, act: () => void) => () => void;
  /** 0 ≤ x < 1. */
  readonly random?: () => number;
  readonly ask?: typeof renew;
  /** Days after which the key gives way to another one at the next renewal; absent: it stays. */
  readonly keyDays?: number;
  readonly rotate?: typeof rotateKey;
  /** Where the next key is made when the present one lies in an HSM or TPM; absent: it stays. */
  readonly keys?: NextKeys | undefined;
  /** Shown at each renewal. */
  readonly evidence?: EvidenceMaker;
  onRenewed(identity: Identity): void;
  /** It is tried again until the certificate ends, and after. */
  onFailed?(error: unknown, expires: Date): void;
}

const systemAfter = (milliseconds: number, act: () => void): (() => void) => {
  const timer = setTimeout(act, milliseconds).unref();
  return () => clearTimeout(timer);
};

export class Renewal {
  readonly #options: RenewalOptions;
  readonly #clock: Clock;
  readonly #url: string;
  readonly #stop = new AbortController();
  #identity: Identity;
  #due = 0;
  #cancel: () => void = () => undefined;

  /** Begins at once. */
  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#url = `https://${new URL(options.url).host}`;
    this.#identity = options.identity;
    this.#schedule();
  }

  /** The identity with the certificate that is newest. */
  get identity(): Identity {
    return this.#identity;
  }

  /**
   * Makes another key now, instead of renewing the certificate of the present one.
   * @throws what `rotateKey` throws; it is not tried again then
   */
  async rotate(): Promise<Identity> {
    this.#cancel();
    try {
      this.#take(await this.#ask(this.#options.rotate ?? rotateKey));
    } finally {
      this.#schedule(RETRY.least);
    }
    return this.#identity;
  }

  close(): void {
    this.#cancel();
    this.#stop.abort();
  }

  #now(): number {
    return toMillis(this.#clock.now());
  }

  /** @param least milliseconds before which nothing is asked */
  #schedule(least = 0): void {
    const { notBefore, notAfter } = this.#identity.certificate;
    const life = notAfter.getTime() - notBefore.getTime();
    const share = DUE - SPREAD * (this.#options.random ?? Math.random)();
    this.#due = Math.max(notBefore.getTime() + life * share, this.#now() + least);
    this.#wait();
  }

  #wait(): void {
    if (this.#stop.signal.aborted) return;
    const left = this.#due - this.#now();
    const act = () => (this.#now() >= this.#due ? void this.#renew() : this.#wait());
    this.#cancel = (this.#options.after ?? systemAfter)(Math.min(Math.max(left, 0), LOOK), act);
  }

  #ask(how: typeof rotateKey): Promise<Identity> {
    const { dir, evidence, keys } = this.#options;
    const { signal } = this.#stop;
    const asking = { dir, identity: this.#identity, url: this.#url, signal };
    return how({ ...asking, ...(evidence && { evidence }), ...(keys && { keys }) });
  }

  #take(renewed: Identity): void {
    this.#identity = renewed;
    this.#options.onRenewed(renewed);
  }

  async #keyIsOld(): Promise<boolean> {
    const { dir, keyDays, keys } = this.#options;
    const apart = hasOwnTlsKey(this.#identity);
    if (keyDays === undefined || (apart && !keys)) return false;
    const { mtimeMs } = await stat(join(dir, apart ? IDENTITY_FILES.keyNumber : IDENTITY_FILES.key));
    return this.#now() - mtimeMs > keyDays * 86_400_000;
  }

  async #renew(): Promise<void> {
    const { ask = renew, rotate = rotateKey, onFailed } = this.#options;
    const { signal } = this.#stop;
    try {
      const renewed = await this.#ask((await this.#keyIsOld()) ? rotate : ask);
      if (signal.aborted) return;
      this.#take(renewed);
      // A certificate that is due as it comes (clocks far apart) must not make us ask without end.
      const { notBefore, notAfter } = renewed.certificate;
      this.#schedule(Math.max(RETRY.least, (notAfter.getTime() - notBefore.getTime()) * SPREAD));
    } catch (error) {
      if (signal.aborted) return;
      const { notAfter } = this.#identity.certificate;
      onFailed?.(error, notAfter);
      const left = (notAfter.getTime() - this.#now()) / 10;
      this.#due = this.#now() + (left > 0 ? Math.min(Math.max(left, RETRY.least), RETRY.most) : RETRY.most);
      this.#wait();
    }
  }
}
