/** Certificate profiles as data: what a kind of certificate must hold, and the check of a certificate against it. */
import { ALGORITHMS, algorithmOf, type SignatureAlgorithm } from '../algorithm.ts';
import type { Certificate } from '../certificate.ts';
import { PkiError } from '../error.ts';
import type { ExtensionSet, KeyUsage } from '../extension.ts';
import { commonNameOf } from '../name.ts';
import { OID } from '../oid.ts';

export type Presence = 'required' | 'optional' | 'forbidden';

/** Extensions that a profile speaks about, by their names in `ExtensionSet`. */
export type ProfiledExtension = keyof ExtensionSet;

export interface ExtensionRule {
  readonly presence: Presence;
  /** Whether it is critical where it is present; either when absent. */
  readonly critical?: boolean;
}

export interface AttributeRule {
  /** Object identifier of the attribute. */
  readonly type: string;
  readonly presence: Presence;
  /** Regular expression that the whole value matches. */
  readonly matches?: string;
}

/** Values of a list: all of these, possibly some of those, nothing else. */
export interface ListRule<T> {
  readonly all: readonly T[];
  readonly also?: readonly T[];
}

/** Plain data: may come out of a JSON file when a document says otherwise than the catalogue here. */
export interface CertificateProfile {
  readonly name: string;
  /** Which document the rules come from, and how well it was known. */
  readonly source: string;
  /** Curves that the certified key may lie on. */
  readonly keys: readonly SignatureAlgorithm[];
  /** Longest validity; not limited when absent (IEEE 802.1AR § 8.7: a device's first identity does not expire). */
  readonly maxDays?: number;
  /** Attributes of the subject; each at most once. Others are allowed. */
  readonly subject: readonly AttributeRule[];
  readonly ca: boolean;
  /** Largest pathLenConstraint of a CA. */
  readonly maxPathLength?: number;
  readonly keyUsage: ListRule<KeyUsage>;
  readonly extKeyUsage?: ListRule<string>;
  /** Policies that are all stated. */
  readonly policies?: readonly string[];
  readonly extensions: Readonly<Partial<Record<ProfiledExtension, ExtensionRule>>>;
  /** Whether a CRL distribution point or an OCSP responder must be named. */
  readonly revocation?: boolean;
  /** Extensions of other standards, by object identifier. */
  readonly other?: Readonly<Record<string, Presence>>;
}

/** One rule that a certificate breaks. */
export interface ProfileFinding {
  /** The part of the profile: `keys`, `subject`, `keyUsage`, an extension's name … */
  readonly rule: string;
  readonly text: string;
}

export const EXTENSION_OIDS: Readonly<Record<ProfiledExtension, string>> = {
  basicConstraints: OID.basicConstraints,
  keyUsage: OID.keyUsage,
  extKeyUsage: OID.extKeyUsage,
  subjectAltName: OID.subjectAltName,
  subjectKeyIdentifier: OID.subjectKeyIdentifier,
  authorityKeyIdentifier: OID.authorityKeyIdentifier,
  certificatePolicies: OID.certificatePolicies,
  crlDistributionPoints: OID.crlDistributionPoints,
  authorityInfoAccess: OID.authorityInfoAccess,
  issuerAltName: OID.issuerAltName,
  nameConstraints: OID.nameConstraints,
};

const DAY = 86_400_000;

/** @returns what the certificate breaks, in the order of the profile; empty when it fits */
export function checkProfile(certificate: Certificate, profile: CertificateProfile): ProfileFinding[] {
  const findings: ProfileFinding[] = [];
  const add = (rule: string, text: string) => findings.push({ rule, text });
  const { extensions } = certificate;

  const algorithm = algorithmOf(certificate.publicKey);
  if (!algorithm || !profile.keys.includes(algorithm)) {
    const curve = algorithm ? ALGORITHMS[algorithm].curve : (certificate.publicKey.asymmetricKeyType ?? 'unknown');
    add('keys', `the key (${curve}) lies on none of the curves of ${profile.keys.join(', ')}`);
  }
  const days = (certificate.notAfter.getTime() - certificate.notBefore.getTime()) / DAY;
  if (profile.maxDays !== undefined && days > profile.maxDays) {
    add('maxDays', `is valid for ${Math.ceil(days)} days, at most ${profile.maxDays} are allowed`);
  }
  for (const rule of profile.subject) checkAttribute(certificate, rule, add);

  const { ca = false, pathLength } = extensions.basicConstraints ?? {};
  if (ca !== profile.ca) add('ca', profile.ca ? 'is no CA' : 'is a CA');
  if (profile.maxPathLength !== undefined && (pathLength ?? Number.POSITIVE_INFINITY) > profile.maxPathLength) {
    add(
      'maxPathLength',
      `allows ${pathLength ?? 'any number of'} CAs below it, at most ${profile.maxPathLength} may be`,
    );
  }
  checkList('keyUsage', extensions.keyUsage ?? [], profile.keyUsage, add);
  if (extensions.extKeyUsage && profile.extKeyUsage) {
    checkList('extKeyUsage', extensions.extKeyUsage, profile.extKeyUsage, add);
  }
  for (const policy of profile.policies ?? []) {
    if (!extensions.certificatePolicies?.some(({ oid }) => oid === policy)) add('policies', `does not state ${policy}`);
  }
  for (const [name, rule] of Object.entries(profile.extensions) as [ProfiledExtension, ExtensionRule][]) {
    const found = certificate.extensionList.find(({ oid }) => oid === EXTENSION_OIDS[name]);
    checkPresence(name, found !== undefined, rule.presence, add);
    if (found && rule.critical !== undefined && found.critical !== rule.critical) {
      add(name, `${name} is ${found.critical ? '' : 'not '}critical`);
    }
  }
  for (const [oid, presence] of Object.entries(profile.other ?? {})) {
    checkPresence(
      oid,
      certificate.extensionList.some((each) => each.oid === oid),
      presence,
      add,
    );
  }
  const responder = extensions.authorityInfoAccess?.some(({ method }) => method === OID.ocsp);
  if (profile.revocation && !responder && !extensions.crlDistributionPoints?.length) {
    add('revocation', 'names neither a revocation list nor a responder');
  }
  return findings;
}

/** @throws PkiError `pki.profile` (fault peer) that lists every finding */
export function assertProfile(certificate: Certificate, profile: CertificateProfile): void {
  const findings = checkProfile(certificate, profile);
  if (findings.length === 0) return;
  const name = commonNameOf(certificate.subject) ?? 'without a name';
  const list = findings.map(({ text }) => text).join('; ');
  throw new PkiError(
    'peer',
    'pki.profile',
    `the certificate of ${name} does not fit the profile ${profile.name}: ${list}`,
  );
}

type Add = (rule: string, text: string) => void;

function checkAttribute({ subject }: Certificate, rule: AttributeRule, add: Add): void {
  const label = Object.entries(OID).find(([, oid]) => oid === rule.type)?.[0] ?? rule.type;
  const values = subject.filter(({ type }) => type === rule.type).map(({ value }) => value);
  checkPresence(label, values.length > 0, rule.presence, (_, text) => add('subject', text));
  if (values.length > 1) add('subject', `${label} stands in the subject ${values.length} times`);
  const pattern = rule.matches === undefined ? undefined : new RegExp(`^(?:${rule.matches})$`);
  for (const value of values)
    if (pattern && !pattern.test(value)) add('subject', `${label} '${value}' is not of the form asked for`);
}

function checkPresence(name: string, present: boolean, presence: Presence, add: Add): void {
  if (presence === 'required' && !present) add(name, `${name} is missing`);
  if (presence === 'forbidden' && present) add(name, `${name} must not be there`);
}

function checkList<T extends string>(
  name: string,
  values: readonly T[],
  { all, also = [] }: ListRule<T>,
  add: Add,
): void {
  const missing = all.filter((value) => !values.includes(value));
  if (missing.length > 0) add(name, `${name} lacks ${missing.join(', ')}`);
  const extra = values.filter((value) => !all.includes(value) && !also.includes(value));
  if (extra.length > 0) add(name, `${name} has ${extra.join(', ')} in excess`);
}
