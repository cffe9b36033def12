/**
 * Certification paths (RFC 5280 § 6): found among the certificates at hand and checked, from the end entity to a trust
 * anchor. Certificate policies are held to one required policy; policy mappings and constraints are critical extensions that
 * are not understood here, so a path that uses them is refused.
 */
import type { KeyObject } from 'node:crypto';
import type { Certificate } from './certificate.ts';
import { PkiError } from './error.ts';
import type { KeyUsage } from './extension.ts';
import { commonNameOf, sameName } from './name.ts';
import { outsideOf } from './name-constraints.ts';
import { OID } from './oid.ts';
import type { RevocationCheck } from './revocation.ts';
import { signedBy } from './signed.ts';

export interface PathOptions {
  /** Certificates that are believed; their keys and names count, and their validity. */
  readonly anchors: readonly Certificate[];
  /** What may lie between, in any order, from anybody. */
  readonly intermediates?: readonly Certificate[];
  readonly at: Date;
  /** Extended key usage that the end entity must have, where it says any, and each CA that restricts them. */
  readonly purpose?: string;
  /** Uses that the end entity's key must have, where its certificate restricts them. */
  readonly keyUsage?: readonly KeyUsage[];
  /** Policy that every certificate below the anchor must state, itself or as `anyPolicy`. */
  readonly policy?: string;
  /** Most certificates between the end entity and the anchor; 8 when absent. */
  readonly maxIntermediates?: number;
  /** Critical extensions that the caller looks at himself. */
  readonly understood?: readonly string[];
  /** Not asked when absent; `unknown` refuses the path. */
  readonly revocation?: RevocationCheck;
}

/** Certificates from the end entity to the anchor. */
export type CertificationPath = readonly Certificate[];

/** Signatures that are checked while a path is looked for: a heap of certificates of one name must not cost more. */
const MAX_ATTEMPTS = 64;
const DEFAULT_MAX_INTERMEDIATES = 8;

/** Extensions that are processed; any other critical one makes a certificate unusable (§ 4.2). */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.basicConstraints,
  OID.keyUsage,
  OID.extKeyUsage,
  OID.subjectAltName,
  OID.subjectKeyIdentifier,
  OID.authorityKeyIdentifier,
  OID.certificatePolicies,
  OID.crlDistributionPoints,
  OID.authorityInfoAccess,
  OID.issuerAltName,
  OID.nameConstraints,
]);

/**
 * Finds a path to an anchor and checks it.
 * @returns the path, end entity first
 * @throws PkiError (fault peer): `pki.path.anchor` when no anchor is reached, else the reason why the nearest path is none:
 * `pki.path.time`, `.key`, `.critical`, `.ca`, `.length`, `.usage`, `.policy`, `.names`, `.revoked`, `.revocation`
 */
export function validatePath(certificate: Certificate, options: PathOptions): CertificationPath {
  const maxIntermediates = options.maxIntermediates ?? DEFAULT_MAX_INTERMEDIATES;
  let attempts = 0;
  let refusal: PkiError | undefined;

  const search = (chain: readonly Certificate[]): CertificationPath | undefined => {
    const last = chain.at(-1)!;
    if (options.anchors.some((anchor) => same(anchor, last))) {
      try {
        checkPath(chain, options);
        return chain;
      } catch (error) {
        if (!(error instanceof PkiError)) throw error;
        refusal ??= error;
        return undefined;
      }
    }
    for (const [issuer, isAnchor] of candidates(last, options)) {
      if (chain.some((each) => same(each, issuer)) || (!isAnchor && chain.length > maxIntermediates)) continue;
      if (++attempts > MAX_ATTEMPTS) return undefined;
      if (!signedByIssuer(last, issuer)) continue;
      const found = search([...chain, issuer]);
      if (found) return found;
    }
    return undefined;
  };

  const path = search([certificate]);
  if (path) return path;
  throw refusal ?? refuse(certificate, 'anchor', 'was not issued by anybody trusted here');
}

/**
 * Checks a certificate against the one that issued it, which is trusted: a path of two.
 * @throws PkiError `pki.certificate` (fault peer) with the reason. Revocation is not checked
 */
export function verifyCertificate(certificate: Certificate, issuer: Certificate, at: Date): void {
  const fail = (why: string) => refuse(certificate, undefined, why);
  if (!sameName(certificate.issuerDer, issuer.subjectDer)) throw fail('was issued by somebody else');
  if (!mayIssue(issuer)) throw fail('was issued by a key that may not issue certificates');
  if (!signedByIssuer(certificate, issuer)) throw fail('has a signature that is not its issuer’s');
  try {
    checkPath(same(certificate, issuer) ? [issuer] : [certificate, issuer], { at, anchors: [issuer] });
  } catch (cause) {
    if (!(cause instanceof PkiError)) throw cause;
    throw new PkiError('peer', 'pki.certificate', cause.message, { cause });
  }
}

/** Those that may have issued a certificate, by name and key identifier; anchors first. */
function candidates(of: Certificate, options: PathOptions): [issuer: Certificate, isAnchor: boolean][] {
  const wanted = of.extensions.authorityKeyIdentifier;
  const fits = (issuer: Certificate) => {
    const has = issuer.extensions.subjectKeyIdentifier;
    return sameName(of.issuerDer, issuer.subjectDer) && (!wanted || !has || Buffer.compare(wanted, has) === 0);
  };
  return [
    ...options.anchors.filter(fits).map((anchor): [Certificate, boolean] => [anchor, true]),
    ...(options.intermediates ?? []).filter(fits).map((between): [Certificate, boolean] => [between, false]),
  ];
}

/** A signature of an algorithm that is not verified here is none: another path may do. */
function signedByIssuer(certificate: Certificate, issuer: Certificate): boolean {
  try {
    return signedBy(certificate, issuer.publicKey);
  } catch (error) {
    if (error instanceof PkiError) return false;
    throw error;
  }
}

const same = (a: Certificate, b: Certificate): boolean => Buffer.compare(a.der, b.der) === 0;

const mayIssue = ({ extensions: { basicConstraints, keyUsage } }: Certificate): boolean =>
  basicConstraints?.ca === true && (!keyUsage || keyUsage.includes('keyCertSign'));

/** § 6.1.3 to § 6.1.5 over a chain whose names and signatures fit, from the anchor down. */
function checkPath(chain: readonly Certificate[], options: PathOptions): void {
  const understood = new Set(options.understood);
  let mayFollow = Number.POSITIVE_INFINITY;
  for (let i = chain.length - 1; i >= 0; i--) {
    const certificate = chain[i]!;
    const issuer = chain[i + 1];
    const { extensions } = certificate;
    const fail = (reason: PathReason, why: string) => refuse(certificate, reason, why);
    // Asked for authorities only: names that differ are compared attribute by attribute.
    const selfIssued = i > 0 && sameName(certificate.issuerDer, certificate.subjectDer);

    if (options.at < certificate.notBefore)
      throw fail('time', `is not valid before ${certificate.notBefore.toISOString()}`);
    if (options.at > certificate.notAfter) throw fail('time', `expired on ${certificate.notAfter.toISOString()}`);
    const weak = weaknessOf(certificate.publicKey);
    if (weak) throw fail('key', weak);
    const unknown = certificate.extensionList.find(
      (x) => x.critical && !UNDERSTOOD.has(x.oid) && !understood.has(x.oid),
    );
    if (unknown) throw fail('critical', `has the critical extension ${unknown.oid}, which is not understood here`);
    if (issuer && options.policy !== undefined && !states(certificate, options.policy)) {
      throw fail('policy', `was not issued under the policy ${options.policy}`);
    }
    if (issuer && (i === 0 || !selfIssued)) checkNames(certificate, chain.slice(i + 1), fail);

    if (i > 0) {
      if (!mayIssue(certificate)) throw fail('ca', 'issued another but may not issue certificates');
      if (issuer && !selfIssued && mayFollow-- <= 0)
        throw fail('length', 'makes the path longer than a CA above it allows');
      mayFollow = Math.min(mayFollow, extensions.basicConstraints?.pathLength ?? Number.POSITIVE_INFINITY);
    } else {
      const missing = options.keyUsage?.find((usage) => extensions.keyUsage && !extensions.keyUsage.includes(usage));
      if (missing) throw fail('usage', `does not allow its key the use ${missing}`);
    }
    if (options.purpose !== undefined && (issuer || i === 0) && !serves(certificate, options.purpose)) {
      throw fail('usage', `is not meant for the purpose ${options.purpose}`);
    }
    if (issuer && options.revocation) {
      const status = options.revocation(certificate, issuer, options.at);
      if (status.kind === 'revoked') {
        throw fail('revoked', `was revoked on ${status.at.toISOString()} (${status.reason})`);
      }
      if (status.kind === 'unknown') throw fail('revocation', `may have been revoked: ${status.why}`);
    }
  }
}

type PathReason =
  | 'anchor'
  | 'time'
  | 'key'
  | 'critical'
  | 'ca'
  | 'length'
  | 'usage'
  | 'policy'
  | 'names'
  | 'revoked'
  | 'revocation';

/** @param reason last part of the code; absent for `pki.certificate` */
function refuse(certificate: Certificate, reason: PathReason | undefined, why: string): PkiError {
  const name = commonNameOf(certificate.subject) ?? 'without a name';
  const code = reason === undefined ? 'pki.certificate' : `pki.path.${reason}`;
  return new PkiError('peer', code, `the certificate of ${name} ${why}`);
}

function checkNames(
  certificate: Certificate,
  above: readonly Certificate[],
  fail: (reason: PathReason, why: string) => PkiError,
): void {
  for (const { extensions } of above) {
    const outside = extensions.nameConstraints && outsideOf(extensions.nameConstraints, certificate);
    if (outside) throw fail('names', outside);
  }
}

function states({ extensions }: Certificate, policy: string): boolean {
  return extensions.certificatePolicies?.some(({ oid }) => oid === policy || oid === OID.anyPolicy) ?? false;
}

function serves({ extensions }: Certificate, purpose: string): boolean {
  const usages = extensions.extKeyUsage;
  return !usages || usages.includes(purpose) || usages.includes(OID.anyExtendedKeyUsage);
}

const MIN_RSA_BITS = 2048;
const MIN_CURVE_BITS = 256;

/** Why a key is too weak to be believed; `undefined` when it is not. Key types that sign nothing here are left alone. */
function weaknessOf(key: KeyObject): string | undefined {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined && modulusLength < MIN_RSA_BITS)
    return `has an RSA key of only ${modulusLength} bits`;
  if (key.asymmetricKeyType === 'ec' && Number(/\d{3}/.exec(namedCurve ?? '')?.[0] ?? 0) < MIN_CURVE_BITS) {
    return `has a key on the curve ${namedCurve ?? 'without a name'}, which is too weak`;
  }
  return undefined;
}
