/** The centre's own identity, issued by its own authority and renewed while it runs. */
import { isIP } from 'node:net';
import { type Clock, systemClock, toMillis } from '@enerchain/model';
import type { GeneralName } from '@enerchain/pki';
import {
  type DevelopmentCa,
  type Identity,
  obtainIdentity,
  openIdentity,
  Renewal,
  type RenewalOptions,
  type Signer,
  TLS_ONLY,
} from '@enerchain/trust';
import { CENTRE } from './ingest/own-chain.ts';

/** Share of its life after which a certificate is renewed at a start. */
const DUE = 1 / 3;

export interface CentreIdentityOptions {
  readonly dir: string;
  readonly ca: DevelopmentCa;
  /** Names and addresses under which sources reach the centre, besides this machine's own. */
  readonly reachedAs: readonly string[];
  /** Holds the key when that lies in an HSM or TPM; the connections then have another, in a file. */
  readonly signer?: Signer | undefined;
  readonly clock?: Clock;
  readonly after?: NonNullable<RenewalOptions['after']>;
  onFailed?(error: unknown, expires: Date): void;
}

export class CentreIdentity {
  readonly #renewal: Renewal;
  readonly #listeners = new Set<(identity: Identity) => void>();

  private constructor(options: CentreIdentityOptions, identity: Identity, ask: () => Promise<Identity>) {
    const { dir, clock, after, onFailed } = options;
    this.#renewal = new Renewal({
      dir,
      identity,
      url: 'https://centre',
      ask,
      ...(clock && { clock }),
      ...(after && { after }),
      ...(onFailed && { onFailed }),
      onRenewed: (renewed) => {
        for (const listener of this.#listeners) listener(renewed);
      },
    });
  }

  /** Opens it, and obtains it where there is none, where it is due, or where it does not name what the centre is reached as. */
  static async open(options: CentreIdentityOptions): Promise<CentreIdentity> {
    const { dir, ca, reachedAs } = options;
    const hosts = [...new Set(['localhost', '127.0.0.1', '::1', ...reachedAs])]
      .filter((host) => host !== '' && host !== '0.0.0.0' && host !== '::')
      .map((host): GeneralName => (isIP(host) ? { kind: 'ip', value: host } : { kind: 'dns', value: host }));
    const holder = { name: CENTRE, role: 'centre' } as const;
    const { signer } = options;
    const apart = signer && {
      signer,
      tls: (request: Uint8Array) => ca.issue(request, { ...holder, hosts: [...hosts, TLS_ONLY] }),
    };
    const issue = async (request: Uint8Array) => ({
      certificate: await ca.issue(request, { ...holder, hosts }),
      ca: ca.certificatePem,
    });
    const obtain = () => obtainIdentity(dir, holder, issue, { hosts, ...(apart && { apart }) });
    const kept = await openIdentity(dir, signer).catch((error) => {
      // Where the key lies elsewhere than before, the certificates in the folder are those of another.
      if (error?.code === 'trust.identity.missing' || error?.code === 'trust.identity') return undefined;
      throw error;
    });
    const now = toMillis((options.clock ?? systemClock).now());
    const identity = kept && kept.caPem === ca.certificatePem && covers(kept, hosts, now) ? kept : await obtain();
    return new CentreIdentity(options, identity, obtain);
  }

  /** With the newest certificate. */
  get current(): Identity {
    return this.#renewal.identity;
  }

  /** Called with each renewed certificate; the key stays. */
  onRenewed(listener: (identity: Identity) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#renewal.close();
  }
}

function covers({ tls: { certificate } }: Identity, hosts: readonly GeneralName[], now: number): boolean {
  const names = certificate.extensions.subjectAltName ?? [];
  const has = (host: GeneralName) => names.some((name) => JSON.stringify(name) === JSON.stringify(host));
  const [from, to] = [certificate.notBefore.getTime(), certificate.notAfter.getTime()];
  return now < from + (to - from) * DUE && hosts.every(has);
}
