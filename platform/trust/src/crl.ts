/**
 * Revocation lists of the authority (RFC 5280 § 5), one per issuing key, for whoever checks certificates later and
 * elsewhere: `GET /crl` gives all of them as PEM, `GET /crl/<key identifier>.crl` one in DER (RFC 5280 § 4.2.1.13).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, systemClock, toMillis } from '@enerchain/model';
import { buildCrl, type Certificate, keyIdentifier, sameName, toPem } from '@enerchain/pki';
import type { IssuingKey } from './authority-keys.ts';

/** Milliseconds for which a list is current. */
const CURRENT = 24 * 3_600_000;
/** Milliseconds after which another one is made although nothing was revoked. */
const AGE = 3_600_000;

export interface Revoked {
  readonly certificate: Certificate;
  readonly at: Date;
}

/** What the lists are made of. */
export interface CrlSource {
  /** Keys whose certificates may still be valid. */
  issuers(): readonly IssuingKey[];
  /** Everything revoked, in any order. */
  revoked(): Iterable<Revoked>;
  /** The next number of a list, greater than all before, over restarts too (§ 5.2.3). */
  nextNumber(): Promise<number>;
}

/** Not `RevocationLists` of pki, which keeps the lists of others. */
export class CrlPublisher {
  readonly #source: CrlSource;
  readonly #clock: Clock;
  /** DER by key identifier of the issuer, hex. */
  #lists: Promise<ReadonlyMap<string, Uint8Array>> | undefined;
  #madeAt = 0;

  constructor(source: CrlSource, clock: Clock = systemClock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** Something was revoked: the next who asks gets new lists. */
  changed(): void {
    this.#lists = undefined;
  }

  /** The current lists, by key identifier of the issuer. */
  async current(): Promise<ReadonlyMap<string, Uint8Array>> {
    const now = toMillis(this.#clock.now());
    if (!this.#lists || Math.abs(now - this.#madeAt) >= AGE) {
      this.#madeAt = now;
      const made = this.#make(new Date(now));
      this.#lists = made;
      made.catch(() => this.changed());
    }
    return this.#lists;
  }

  async #make(at: Date): Promise<ReadonlyMap<string, Uint8Array>> {
    const number = await this.#source.nextNumber();
    const revoked = [...this.#source.revoked()];
    const lists = new Map<string, Uint8Array>();
    for (const { certificate: issuer, signer } of this.#source.issuers()) {
      const entries = revoked
        .filter(({ certificate }) => sameName(certificate.issuerDer, issuer.subjectDer))
        .map(({ certificate, at: revokedAt }) => ({ serialNumber: certificate.serialNumber, revokedAt }));
      const fields = { issuer, number, thisUpdate: at, nextUpdate: new Date(at.getTime() + CURRENT), entries };
      lists.set(Buffer.from(keyIdentifier(issuer.spki)).toString('hex'), await buildCrl(fields, signer));
    }
    return lists;
  }
}

const PATH = /^\/crl(?:\/([0-9a-f]{40})\.crl)?$/;

/** @returns a handler that answers requests under `/crl` and says whether it did */
export function crlHandler(
  lists: CrlPublisher,
  onFailed?: (error: unknown) => void,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const match = PATH.exec((request.url ?? '/').split('?', 1)[0]!);
    if (!match) return false;
    const answer = (status: number, type: string, body: Uint8Array | string) =>
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-cache' }).end(body);
    if (request.method !== 'GET') {
      answer(405, 'text/plain', 'revocation lists are asked for with GET\n');
      return true;
    }
    const [, issuer] = match;
    lists.current().then(
      (all) => {
        const list = issuer === undefined ? undefined : all.get(issuer);
        if (issuer === undefined) {
          answer(200, 'application/x-pem-file', [...all.values()].map((each) => toPem('X509 CRL', each)).join(''));
        } else if (list) answer(200, 'application/pkix-crl', list);
        else answer(404, 'text/plain', 'no such issuer\n');
      },
      (error: unknown) => {
        onFailed?.(error);
        answer(500, 'text/plain', 'the list could not be made; see the log of the centre\n');
      },
    );
    return true;
  };
}
