/** Distinguished names (RFC 5280 § 4.1.2.4): attributes in order, one per RDN. */

import { DerReader } from './der-reader.ts';
import { TAG } from './der-tags.ts';
import * as der from './der-writer.ts';
import { OID } from './oid.ts';

export interface NameAttribute {
  /** Object identifier of the attribute type. */
  readonly type: string;
  readonly value: string;
}
export type Name = readonly NameAttribute[];

/** A name made of the attributes people use. */
export function nameOf(parts: {
  commonName: string;
  organization?: string;
  organizationalUnit?: string;
  /** Two letters (ISO 3166-1). */
  country?: string;
  /** Of the subject, not of the certificate. */
  serialNumber?: string;
}): Name {
  const name: NameAttribute[] = [];
  if (parts.country) name.push({ type: OID.country, value: parts.country });
  if (parts.organization) name.push({ type: OID.organization, value: parts.organization });
  if (parts.organizationalUnit) name.push({ type: OID.organizationalUnit, value: parts.organizationalUnit });
  name.push({ type: OID.commonName, value: parts.commonName });
  if (parts.serialNumber) name.push({ type: OID.serialNumber, value: parts.serialNumber });
  return name;
}

export const commonNameOf = (name: Name): string | undefined =>
  name.findLast(({ type }) => type === OID.commonName)?.value;

export function encodeName(name: Name): Uint8Array {
  const rdns = name.map(({ type, value }) => {
    // RFC 5280 § 4.1.2.4, appendix A: country and serial number are PrintableString; RFC 4519 § 2.4: DC is IA5String.
    const printable = type === OID.country || type === OID.serialNumber;
    const text =
      type === OID.domainComponent
        ? der.ia5String(value)
        : printable
          ? der.printableString(value)
          : der.utf8String(value);
    return der.setOf(der.sequence(der.objectIdentifier(type), text));
  });
  return der.sequence(...rdns);
}

export function readName(reader: DerReader): Name {
  const name: NameAttribute[] = [];
  const rdns = reader.sequence('name');
  while (!rdns.done) {
    const rdn = rdns.open(TAG.set, 'RDN');
    do {
      const attribute = rdn.sequence('attribute');
      name.push({ type: attribute.objectIdentifier('attribute type'), value: attribute.string('attribute value') });
      attribute.end('attribute');
    } while (!rdn.done);
  }
  return name;
}

/**
 * Whether two names are the same (§ 7.1): byte by byte, or attribute by attribute with case and runs of blanks ignored,
 * since an authority may write its own name in another string type than its certificate does.
 * @param a, b DER
 */
export function sameName(a: Uint8Array, b: Uint8Array): boolean {
  if (Buffer.compare(a, b) === 0) return true;
  try {
    return canonical(a) === canonical(b);
  } catch {
    return false;
  }
}

/** Whether a name lies in the subtree of another: begins with the same RDNs (§ 4.2.1.10). */
export function inSubtree(name: Uint8Array, base: Uint8Array): boolean {
  const [inner, outer] = [canonicalRdns(name), canonicalRdns(base)];
  return outer.length <= inner.length && outer.every((rdn, i) => rdn === inner[i]);
}

const canonical = (bytes: Uint8Array): string => JSON.stringify(canonicalRdns(bytes));

/** One text per RDN. */
function canonicalRdns(bytes: Uint8Array): string[] {
  const rdns = new DerReader(bytes).sequence('name');
  const list: string[] = [];
  while (!rdns.done) {
    const rdn = rdns.open(TAG.set, 'RDN');
    const attributes: string[] = [];
    while (!rdn.done) {
      const attribute = rdn.sequence('attribute');
      const type = attribute.objectIdentifier('attribute type');
      const value = attribute.string('attribute value').normalize('NFKC').toLowerCase().trim().replaceAll(/\s+/g, ' ');
      attributes.push(JSON.stringify([type, value]));
    }
    list.push(attributes.sort().join());
  }
  return list;
}
