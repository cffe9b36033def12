/** Certificate revocation lists (RFC 5280 § 5), built. */
import { algorithmIdentifier } from '../algorithm.ts';
import type { Certificate } from '../certificate.ts';
import * as der from '../der-writer.ts';
import { encodeExtensionList } from '../extension.ts';
import { OID } from '../oid.ts';
import { REVOCATION_REASONS, type RevocationReason } from '../revocation.ts';
import { keyIdentifier, signObject } from '../signed.ts';
import type { Signer } from '../signer.ts';
import type { RevokedCertificate } from './revocation-index.ts';

/** Which certificates a list speaks about. */
export type CrlScope = 'all' | 'endEntities' | 'authorities';

export interface CrlFields {
  /** Whose certificates are revoked; its key signs. */
  readonly issuer: Certificate;
  /** Grows from list to list (§ 5.2.3). */
  readonly number: number | bigint;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly entries: Iterable<Omit<RevokedCertificate, 'reason'> & { readonly reason?: RevocationReason }>;
  /** `all` when absent. */
  readonly scope?: CrlScope;
}

/** Builds and signs. @returns DER */
export function buildCrl(fields: CrlFields, signer: Signer): Promise<Uint8Array> {
  const { issuer } = fields;
  const entries: Uint8Array[] = [];
  for (const entry of fields.entries) entries.push(encodeEntry(entry));
  const scope = fields.scope ?? 'all';
  const extensions = [
    {
      oid: OID.authorityKeyIdentifier,
      critical: false,
      value: der.sequence(
        der.implicitPrimitive(0, issuer.extensions.subjectKeyIdentifier ?? keyIdentifier(issuer.spki)),
      ),
    },
    { oid: OID.crlNumber, critical: false, value: der.integer(fields.number) },
    ...(scope === 'all'
      ? []
      : [
          {
            oid: OID.issuingDistributionPoint,
            critical: true,
            value: der.sequence(der.implicitPrimitive(scope === 'endEntities' ? 1 : 2, Uint8Array.of(0xff))),
          },
        ]),
  ];
  const toBeSigned = der.sequence(
    der.integer(1),
    algorithmIdentifier(signer.algorithm),
    issuer.subjectDer,
    der.time(fields.thisUpdate),
    der.time(fields.nextUpdate),
    // § 5.1.2.6: absent when there is none. Joined first, since a call cannot take a hundred thousand arguments.
    ...(entries.length === 0 ? [] : [der.sequence(Buffer.concat(entries))]),
    der.explicit(0, encodeExtensionList(extensions)),
  );
  return signObject(toBeSigned, signer);
}

function encodeEntry({
  serialNumber,
  revokedAt,
  reason,
  invalidSince,
}: Omit<RevokedCertificate, 'reason'> & { reason?: RevocationReason }): Uint8Array {
  const extensions = [
    // § 5.3.1: `unspecified` is left out.
    ...(reason === undefined || reason === 'unspecified'
      ? []
      : [{ oid: OID.reasonCode, critical: false, value: der.enumerated(REVOCATION_REASONS[reason]) }]),
    ...(invalidSince ? [{ oid: OID.invalidityDate, critical: false, value: der.generalizedTime(invalidSince) }] : []),
  ];
  return der.sequence(
    der.unsignedInteger(serialNumber),
    der.time(revokedAt),
    ...(extensions.length === 0 ? [] : [encodeExtensionList(extensions)]),
  );
}
