/** When a neighbour is said to be silent, and when that is taken back. */
import type { TrustPolicy } from '@enerchain/attestation';
import type { Clock } from '@enerchain/model';
import { toMillis } from '@enerchain/model';
import { signSilence } from '../statement.ts';
import type { Timing } from './cycle.ts';
import type { TcnIdentity } from './ports.ts';
import type { NodeRecord } from './record.ts';
import type { Standing } from './standing.ts';

export interface SilenceOptions {
  readonly identity: TcnIdentity;
  readonly policy: () => TrustPolicy | undefined;
  readonly timing: () => Timing;
  readonly clock: Clock;
  readonly publish: (standing: Standing) => void;
}

export class SilenceWatch {
  readonly #options: SilenceOptions;
  readonly #sequences = new Map<string, number>();

  constructor(options: SilenceOptions) {
    this.#options = options;
  }

  /** A silence is repeated while it lasts, and forgotten when nobody repeats it, milliseconds. */
  get #repeat(): number {
    const { policy, timing } = this.#options;
    return Math.max((policy()?.validFor ?? 60) * 1000, 5 * timing().period);
  }

  get expiry(): number {
    return 3 * this.#repeat;
  }

  /** Declares or takes back, as the record says. */
  look(record: NodeRecord): void {
    if (!this.#options.policy()) return;
    const now = this.#options.clock.monotonic();
    const { missingSince, declaredSilent } = record;
    if (missingSince === undefined) {
      if (declaredSilent === undefined) return;
      record.declaredSilent = undefined;
      void this.#say(record.name, false);
    } else if (
      now - missingSince > this.#patience(record) &&
      (declaredSilent === undefined || now - declaredSilent > this.#repeat)
    ) {
      record.declaredSilent = now;
      void this.#say(record.name, true);
    }
  }

  /** A network that has just been switched on is given more time. */
  #patience({ own }: NodeRecord): number {
    const { timing, policy } = this.#options;
    const period = 2 * timing().period;
    return own ? period : Math.max(period, (policy()?.validFor ?? 0) * 1000);
  }

  async #say(node: string, silent: boolean): Promise<void> {
    const { identity, clock } = this.#options;
    const at = clock.now();
    // Over a restart the wall clock carries the number on.
    const sequence = Math.max((this.#sequences.get(node) ?? 0) + 1, Math.floor(toMillis(at)));
    this.#sequences.set(node, sequence);
    const bytes = await signSilence(identity.signer, identity.kid, {
      verifier: identity.name,
      node,
      sequence,
      silent,
      at,
    });
    const takenAt = clock.monotonic();
    this.#options.publish({ kind: 'silence', issuer: identity.name, node, sequence, bytes, adverse: silent, takenAt });
  }
}
