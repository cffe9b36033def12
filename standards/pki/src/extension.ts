/** Certificate extensions (RFC 5280 § 4.2), built and read. Those of other standards travel as `Extension`. */
import { DerReader } from './der-reader.ts';
import { context, contextPrimitive, TAG } from './der-tags.ts';
import * as der from './der-writer.ts';
import { PkiError } from './error.ts';
import { encodeGeneralName, type GeneralName, readGeneralName, readGeneralNames } from './general-name.ts';
import { OID } from './oid.ts';

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** DER of the extension's own type. */
  readonly value: Uint8Array;
}

/** Bits of KeyUsage (§ 4.2.1.3). */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

/** A certificate policy (§ 4.2.1.4); qualifiers other than the address of the practice statement are passed over. */
export interface PolicyInformation {
  readonly oid: string;
  /** Address of the certification practice statement. */
  readonly cps?: string;
}

/** Where a revocation list is found (§ 4.2.1.13). */
export interface DistributionPoint {
  readonly fullName?: readonly GeneralName[];
  /** Who signs the list, when it is not the issuer of the certificate. */
  readonly crlIssuer?: readonly GeneralName[];
}

/** How to reach a service of the issuer (§ 4.2.2.1). */
export interface AccessDescription {
  /** `OID.ocsp` or `OID.caIssuers`. */
  readonly method: string;
  readonly location: GeneralName;
}

/** Which names a CA may issue for (§ 4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
}
export type Subtree =
  | { readonly kind: 'dns' | 'email' | 'uri'; readonly value: string }
  | { readonly kind: 'ip'; readonly address: Uint8Array; readonly mask: Uint8Array }
  /** DER of the name. */
  | { readonly kind: 'directory'; readonly value: Uint8Array }
  | { readonly kind: 'other'; readonly tag: number };

/** What is said about a certificate by its extensions; the same shape for building and after reading. */
export interface ExtensionSet {
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number };
  readonly keyUsage?: readonly KeyUsage[];
  /** Object identifiers. */
  readonly extKeyUsage?: readonly string[];
  readonly subjectAltName?: readonly GeneralName[];
  readonly subjectKeyIdentifier?: Uint8Array;
  readonly authorityKeyIdentifier?: Uint8Array;
  readonly certificatePolicies?: readonly PolicyInformation[];
  readonly crlDistributionPoints?: readonly DistributionPoint[];
  readonly authorityInfoAccess?: readonly AccessDescription[];
  readonly issuerAltName?: readonly GeneralName[];
  readonly nameConstraints?: NameConstraints;
}

/** Extensions that may be critical or not, as a profile wants it; the others are what RFC 5280 says. */
export type EitherWay = 'extKeyUsage' | 'subjectAltName' | 'certificatePolicies';

/**
 * @param critical those of `EitherWay` that are marked critical; none when absent
 * @throws PkiError (fault caller) when a name cannot be encoded
 */
export function encodeExtensions(set: ExtensionSet, critical: readonly EitherWay[] = []): Extension[] {
  const list: Extension[] = [];
  const add = (oid: string, critical: boolean, value: Uint8Array) => list.push({ oid, critical, value });
  if (set.basicConstraints) {
    const { ca, pathLength } = set.basicConstraints;
    const parts = [...(ca ? [der.boolean(true)] : []), ...(pathLength === undefined ? [] : [der.integer(pathLength)])];
    add(OID.basicConstraints, true, der.sequence(...parts));
  }
  if (set.keyUsage) {
    add(OID.keyUsage, true, der.namedBits(set.keyUsage.map((usage) => KEY_USAGES.indexOf(usage))));
  }
  if (set.extKeyUsage)
    add(OID.extKeyUsage, critical.includes('extKeyUsage'), der.sequence(...set.extKeyUsage.map(der.objectIdentifier)));
  if (set.subjectAltName?.length) {
    add(
      OID.subjectAltName,
      critical.includes('subjectAltName'),
      der.sequence(...set.subjectAltName.map(encodeGeneralName)),
    );
  }
  if (set.subjectKeyIdentifier) add(OID.subjectKeyIdentifier, false, der.octetString(set.subjectKeyIdentifier));
  if (set.authorityKeyIdentifier) {
    add(OID.authorityKeyIdentifier, false, der.sequence(der.implicitPrimitive(0, set.authorityKeyIdentifier)));
  }
  if (set.certificatePolicies?.length) {
    const policies = der.sequence(...set.certificatePolicies.map(encodePolicy));
    add(OID.certificatePolicies, critical.includes('certificatePolicies'), policies);
  }
  if (set.issuerAltName?.length) {
    add(OID.issuerAltName, false, der.sequence(...set.issuerAltName.map(encodeGeneralName)));
  }
  if (set.crlDistributionPoints?.length) {
    add(OID.crlDistributionPoints, false, der.sequence(...set.crlDistributionPoints.map(encodeDistributionPoint)));
  }
  if (set.authorityInfoAccess?.length) {
    const access = set.authorityInfoAccess.map(({ method, location }) =>
      der.sequence(der.objectIdentifier(method), encodeGeneralName(location)),
    );
    add(OID.authorityInfoAccess, false, der.sequence(...access));
  }
  if (set.nameConstraints) add(OID.nameConstraints, true, encodeNameConstraints(set.nameConstraints));
  return list;
}

/** Extensions ::= SEQUENCE OF Extension; `critical` only when true (DEFAULT FALSE). */
export function encodeExtensionList(list: readonly Extension[]): Uint8Array {
  return der.sequence(
    ...list.map(({ oid, critical, value }) =>
      der.sequence(der.objectIdentifier(oid), ...(critical ? [der.boolean(true)] : []), der.octetString(value)),
    ),
  );
}

export function readExtensionList(reader: DerReader): Extension[] {
  const list: Extension[] = [];
  const extensions = reader.sequence('extensions');
  while (!extensions.done) {
    const each = extensions.sequence('extension');
    const oid = each.objectIdentifier('extension');
    const critical = each.peek() === TAG.boolean ? each.boolean('critical') : false;
    const value = each.octetString('extension value');
    each.end('extension');
    if (list.some((other) => other.oid === oid)) throw reader.fail(`extension ${oid} stands there twice`);
    list.push({ oid, critical, value });
  }
  return list;
}

/** Reads the extensions named in `ExtensionSet`; the others are left alone. */
export function readExtensionSet(list: readonly Extension[]): ExtensionSet {
  const of = <T>(oid: string, read: (reader: DerReader) => T): T | undefined => {
    const extension = list.find((each) => each.oid === oid);
    if (!extension) return undefined;
    const reader = new DerReader(extension.value);
    const result = read(reader);
    reader.end(`extension ${oid}`);
    return result;
  };
  const set: { -readonly [K in keyof ExtensionSet]?: ExtensionSet[K] | undefined } = {
    basicConstraints: of(OID.basicConstraints, readBasicConstraints),
    keyUsage: of(OID.keyUsage, (reader) =>
      reader.namedBits('key usage').flatMap((bit) => (KEY_USAGES[bit] ? [KEY_USAGES[bit]] : [])),
    ),
    extKeyUsage: of(OID.extKeyUsage, (reader) => {
      const usages = reader.sequence('extended key usage');
      const oids: string[] = [];
      while (!usages.done) oids.push(usages.objectIdentifier('extended key usage'));
      return oids;
    }),
    subjectAltName: of(OID.subjectAltName, (reader) => readGeneralNames(reader.sequence('subject alternative name'))),
    subjectKeyIdentifier: of(OID.subjectKeyIdentifier, (reader) => reader.octetString('subject key identifier')),
    authorityKeyIdentifier: of(OID.authorityKeyIdentifier, readAuthorityKeyIdentifier),
    certificatePolicies: of(OID.certificatePolicies, readPolicies),
    crlDistributionPoints: of(OID.crlDistributionPoints, readDistributionPoints),
    authorityInfoAccess: of(OID.authorityInfoAccess, readAuthorityInfoAccess),
    issuerAltName: of(OID.issuerAltName, (reader) => readGeneralNames(reader.sequence('issuer alternative name'))),
    nameConstraints: of(OID.nameConstraints, readNameConstraints),
  };
  return Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined)) as ExtensionSet;
}

function readBasicConstraints(reader: DerReader): { ca: boolean; pathLength?: number } {
  const inner = reader.sequence('basic constraints');
  const ca = inner.peek() === TAG.boolean ? inner.boolean('cA') : false;
  const pathLength = inner.done ? undefined : inner.smallInteger('pathLenConstraint');
  inner.end('basic constraints');
  return pathLength === undefined ? { ca } : { ca, pathLength };
}

function readAuthorityKeyIdentifier(reader: DerReader): Uint8Array | undefined {
  const inner = reader.sequence('authority key identifier');
  let id: Uint8Array | undefined;
  while (!inner.done) {
    const { tag, contents } = inner.any('authority key identifier');
    if (tag === contextPrimitive(0)) id = contents;
  }
  return id;
}

const encodePolicy = ({ oid, cps }: PolicyInformation): Uint8Array =>
  der.sequence(
    der.objectIdentifier(oid),
    ...(cps === undefined
      ? []
      : [der.sequence(der.sequence(der.objectIdentifier(OID.cpsQualifier), der.ia5String(cps)))]),
  );

function readPolicies(reader: DerReader): PolicyInformation[] {
  const policies = reader.sequence('certificate policies');
  const list: PolicyInformation[] = [];
  while (!policies.done) {
    const policy = policies.sequence('policy');
    const oid = policy.objectIdentifier('policy');
    let cps: string | undefined;
    const qualifiers = policy.done ? undefined : policy.sequence('policy qualifiers');
    while (qualifiers && !qualifiers.done) {
      const qualifier = qualifiers.sequence('policy qualifier');
      if (qualifier.objectIdentifier('policy qualifier') === OID.cpsQualifier) cps ??= qualifier.string('address');
      else qualifier.any('policy qualifier');
      qualifier.end('policy qualifier');
    }
    policy.end('policy');
    if (list.some((other) => other.oid === oid)) throw reader.fail(`policy ${oid} stands there twice`);
    list.push(cps === undefined ? { oid } : { oid, cps });
  }
  return list;
}

/** `[0] { [0] fullName }`, `[2] cRLIssuer`; both tags are implicit but the one around the CHOICE. */
function encodeDistributionPoint({ fullName, crlIssuer }: DistributionPoint): Uint8Array {
  return der.sequence(
    ...(fullName ? [der.explicit(0, der.implicitConstructed(0, ...fullName.map(encodeGeneralName)))] : []),
    ...(crlIssuer ? [der.implicitConstructed(2, ...crlIssuer.map(encodeGeneralName))] : []),
  );
}

function readDistributionPoints(reader: DerReader): DistributionPoint[] {
  const points = reader.sequence('CRL distribution points');
  const list: DistributionPoint[] = [];
  while (!points.done) {
    const point = points.sequence('distribution point');
    const name = readDistributionPointName(point);
    if (point.peek() === contextPrimitive(1)) point.any('reasons');
    const issuer = point.optional(2, 'CRL issuer');
    point.end('distribution point');
    list.push({
      ...(name ? { fullName: name } : {}),
      ...(issuer ? { crlIssuer: readGeneralNames(issuer) } : {}),
    });
  }
  return list;
}

/** DistributionPointName if it comes next; a name relative to the issuer's is passed over. */
export function readDistributionPointName(reader: DerReader): GeneralName[] | undefined {
  const choice = reader.optional(0, 'distribution point name');
  const fullName = choice?.optional(0, 'full name');
  const names = fullName ? readGeneralNames(fullName) : undefined;
  if (choice && !fullName) choice.any('relative name');
  choice?.end('distribution point name');
  return names;
}

function readAuthorityInfoAccess(reader: DerReader): AccessDescription[] {
  const descriptions = reader.sequence('authority information access');
  const list: AccessDescription[] = [];
  while (!descriptions.done) {
    const each = descriptions.sequence('access description');
    list.push({ method: each.objectIdentifier('access method'), location: readGeneralName(each) });
    each.end('access description');
  }
  return list;
}

function encodeNameConstraints({ permitted, excluded }: NameConstraints): Uint8Array {
  const side = (n: number, trees: readonly Subtree[]) =>
    trees.length === 0 ? [] : [der.implicitConstructed(n, ...trees.map((tree) => der.sequence(encodeSubtree(tree))))];
  return der.sequence(...side(0, permitted), ...side(1, excluded));
}

function encodeSubtree(tree: Subtree): Uint8Array {
  switch (tree.kind) {
    case 'ip':
      return der.implicitPrimitive(7, Buffer.concat([tree.address, tree.mask]));
    case 'directory':
      return der.explicit(4, tree.value);
    case 'other':
      throw new PkiError(
        'caller',
        'pki.name-constraints',
        `constraints on names of form [${tree.tag}] are not built here`,
      );
    default:
      return encodeGeneralName(tree);
  }
}

function readNameConstraints(reader: DerReader): NameConstraints {
  const inner = reader.sequence('name constraints');
  const sides = [0, 1].map((n) => {
    const trees = inner.optional(n, 'subtrees');
    const list: Subtree[] = [];
    while (trees && !trees.done) {
      const tree = trees.sequence('subtree');
      list.push(readSubtree(tree));
      // minimum 0 is the default, maximum is not used (§ 4.2.1.10).
      tree.end('subtree');
    }
    return list;
  });
  inner.end('name constraints');
  return { permitted: sides[0]!, excluded: sides[1]! };
}

function readSubtree(reader: DerReader): Subtree {
  const { tag, contents } = reader.any('base of the subtree');
  const text = () => Buffer.from(contents).toString('latin1');
  switch (tag) {
    case contextPrimitive(1):
      return { kind: 'email', value: text() };
    case contextPrimitive(2):
      return { kind: 'dns', value: text() };
    case contextPrimitive(6):
      return { kind: 'uri', value: text() };
    case contextPrimitive(7): {
      const half = contents.length / 2;
      if (half !== 4 && half !== 16) throw reader.fail(`an address range has ${contents.length} bytes`);
      return { kind: 'ip', address: contents.subarray(0, half), mask: contents.subarray(half) };
    }
    case context(4):
      return { kind: 'directory', value: contents };
    default:
      return { kind: 'other', tag: tag & 0x1f };
  }
}
