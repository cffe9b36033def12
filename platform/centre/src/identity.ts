/** The centre's own identity, issued by its own authority and renewed while it runs. */
import { isIP } from 'node:net';
import { type Clock, systemClock, toMillis } from '@enerchain/model';
import { cmc, type GeneralName, parseRequest } from '@enerchain/pki';
import {
  checkedCertificate,
  type DevelopmentCa,
  type Identity,
  type KeyLine,
  nextKeyIn,
  obtainIdentity,
  openIdentity,
  Renewal,
  type RenewalOptions,
  requestFor,
  type Signer,
  TLS_ONLY,
  takeNextKey,
} from '@enerchain/trust';
import { CENTRE } from './ingest/own-chain.ts';

/** Share of its life after which a certificate is renewed at a start. */
const DUE = 1 / 3;

export interface CentreIdentityOptions {
  readonly dir: string;
  readonly ca: DevelopmentCa;
  /** Names and addresses under which sources reach the centre, besides this machine's own. */
  readonly reachedAs: readonly string[];
  /** Hold the key when that lies in an HSM or TPM; the connections then have another, in a file. */
  readonly keys?: Pick<KeyLine, 'present' | 'next' | 'taken'> | undefined;
  /** Days after which the key gives way to another one; absent: it stays. */
  readonly keyDays?: number | undefined;
  readonly clock?: Clock;
  readonly after?: NonNullable<RenewalOptions['after']>;
  onFailed?(error: unknown, expires: Date): void;
}

export class CentreIdentity {
  readonly #renewal: Renewal;
  readonly #listeners = new Set<(identity: Identity) => void>();

  private constructor(
    options: CentreIdentityOptions,
    identity: Identity,
    how: { readonly ask: () => Promise<Identity>; readonly rotate: (from: Identity) => Promise<Identity> },
  ) {
    const { dir, clock, after, keys, keyDays, onFailed } = options;
    this.#renewal = new Renewal({
      dir,
      identity,
      url: 'https://centre',
      ask: how.ask,
      rotate: ({ identity }) => how.rotate(identity),
      ...(keys && { keys }),
      ...(keyDays !== undefined && { keyDays }),
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
    const { dir, ca, keys, reachedAs } = options;
    const hosts = [...new Set(['localhost', '127.0.0.1', '::1', ...reachedAs])]
      .filter((host) => host !== '' && host !== '0.0.0.0' && host !== '::')
      .map((host): GeneralName => (isIP(host) ? { kind: 'ip', value: host } : { kind: 'dns', value: host }));
    const holder = { name: CENTRE, role: 'centre' } as const;
    const now = () => toMillis((options.clock ?? systemClock).now());
    const issue = async (request: Uint8Array) => ({
      certificate: await ca.issue(request, { ...holder, hosts }),
      ca: ca.certificatePem,
    });
    const tls = (request: Uint8Array) => ca.issue(request, { ...holder, hosts: [...hosts, TLS_ONLY] });
    const obtain = (signer: Signer | undefined = keys?.present) =>
      obtainIdentity(dir, holder, issue, { hosts, ...(signer && { apart: { signer, tls } }) });
    const rotate = async (from: Identity) => {
      const next = keys ? await keys.next() : await nextKeyIn(dir);
      const request = await requestFor(holder, next, hosts);
      // As with any node, the present key says which one follows, and gives way to it for good.
      const old = checkedCertificate(from.certificate.der, ca.certificatePem, new Date(now()));
      await ca.supersede(old, parseRequest(request).spki, await cmc.buildFullRequest(request, [], from));
      if (!keys) {
        await takeNextKey(dir, (await issue(request)).certificate);
        return openIdentity(dir);
      }
      const rotated = await obtain(next);
      keys.taken(next);
      return rotated;
    };
    const kept = await openIdentity(dir, keys?.present).catch((error) => {
      // Where the key lies elsewhere than before, the certificates in the folder are those of another.
      if (error?.code === 'trust.identity.missing' || error?.code === 'trust.identity') return undefined;
      throw error;
    });
    const identity = kept && kept.caPem === ca.certificatePem && covers(kept, hosts, now()) ? kept : await obtain();
    return new CentreIdentity(options, identity, { ask: () => obtain(), rotate });
  }

  /** With the newest certificate. */
  get current(): Identity {
    return this.#renewal.identity;
  }

  /** Called with each renewed certificate; the key stays, or is another one from now on. */
  onRenewed(listener: (identity: Identity) => void): void {
    this.#listeners.add(listener);
  }

  /** Makes another key now. What the present one has signed is verified as before. */
  async rotateKey(): Promise<Identity> {
    return this.#renewal.rotate();
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
