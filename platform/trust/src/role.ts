/** Who a certificate speaks for: CN = name, URI SAN = `urn:enerchain:<role>:<name>`. */
import { EnerchainError } from '@enerchain/model';
import {
  type Certificate,
  commonNameOf,
  type GeneralName,
  parseCertificate,
  thumbprint,
  validatePath,
} from '@enerchain/pki';
import { readBundle } from './ca-bundle.ts';

/**
 * `edge`, `service`: sources with a chain; `relay`: passes batches of others on; `centre`: signs commands; `network`: a node of
 * the Trusted Core Network that carries no values. Tokens name a role by its place here: new ones come last.
 */
export const ROLES = ['edge', 'service', 'relay', 'centre', 'network'] as const;
export type Role = (typeof ROLES)[number];

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** A name as a certificate may carry it: at most 64 characters (X.520 ub-common-name). */
export const isName = (text: string): boolean => NAME.test(text);

/** @throws EnerchainError `trust.name` (fault caller) */
export function checkName(name: string): void {
  if (!isName(name)) {
    throw new EnerchainError(
      'caller',
      'trust.name',
      `'${name}' cannot be a name: letters, digits, '.', '_' and '-', at most 64, beginning with a letter or digit`,
    );
  }
}

export interface Holder {
  readonly name: string;
  readonly role: Role;
}

export const holderUri = ({ role, name }: Holder): GeneralName => ({
  kind: 'uri',
  value: `urn:enerchain:${role}:${name}`,
});

/** Marks a certificate whose key makes connections and signs nothing else. */
export const TLS_ONLY = { kind: 'uri', value: 'urn:enerchain:use:tls' } as const satisfies GeneralName;

/** Extended key usage of a TPM's attestation key (TCG OID registry, tcg-kp-AIKCertificate): it signs evidence alone. */
export const ATTESTATION_USAGE = '2.23.133.8.3';

/** Whether batches and other messages may be signed with the key of this certificate. */
export const maySign = ({ extensions }: Pick<Certificate, 'extensions'>): boolean =>
  !extensions.subjectAltName?.some((name) => name.kind === 'uri' && name.value === TLS_ONLY.value) &&
  !extensions.extKeyUsage?.includes(ATTESTATION_USAGE);

/** @throws EnerchainError `trust.certificate.holder` (fault peer) when the certificate names no role or two names */
export function holderOf(certificate: Certificate): Holder {
  const name = commonNameOf(certificate.subject);
  for (const each of certificate.extensions.subjectAltName ?? []) {
    const match = each.kind === 'uri' ? /^urn:enerchain:([a-z]+):(.+)$/.exec(each.value) : null;
    const role = ROLES.find((known) => known === match?.[1]);
    if (role && name !== undefined && match?.[2] === name && isName(name)) return { role, name };
  }
  throw new EnerchainError(
    'peer',
    'trust.certificate.holder',
    `the certificate of ${name ?? 'nobody'} does not say for whom and in which role it stands`,
  );
}

/** A certificate that was checked, and for whom it stands. */
export interface HeldCertificate extends Certificate {
  readonly holder: Holder;
  /** Key identifier in signatures: SHA-256 of the DER. */
  readonly kid: Uint8Array;
}

/**
 * Reads a certificate that came from outside and checks the path from it to the anchor, with every end of validity on it.
 * @param caPem anchor and issuing certificates, see `readBundle`
 * @param at wall-clock time
 * @throws PkiError or EnerchainError (fault peer)
 */
export function checkedCertificate(der: Uint8Array, caPem: string, at: Date): HeldCertificate {
  const certificate = parseCertificate(der);
  const { anchor, issuing } = readBundle(caPem);
  validatePath(certificate, { anchors: [anchor], intermediates: issuing, at });
  return { ...certificate, holder: holderOf(certificate), kid: thumbprint(certificate) };
}
