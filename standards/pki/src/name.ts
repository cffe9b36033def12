/** Distinguished names (RFC 5280 § 4.1.2.4): attributes in order, one per RDN. */

import type { DerReader } from './der-reader.ts';
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
export function nameOf(parts: { commonName: string; organization?: string; organizationalUnit?: string }): Name {
  const name: NameAttribute[] = [];
  if (parts.organization) name.push({ type: OID.organization, value: parts.organization });
  if (parts.organizationalUnit) name.push({ type: OID.organizationalUnit, value: parts.organizationalUnit });
  name.push({ type: OID.commonName, value: parts.commonName });
  return name;
}

export const commonNameOf = (name: Name): string | undefined =>
  name.findLast(({ type }) => type === OID.commonName)?.value;

export function encodeName(name: Name): Uint8Array {
  const rdns = name.map(({ type, value }) => {
    // RFC 5280 § 4.1.2.4, appendix A: country and serial number are PrintableString.
    const printable = type === OID.country || type === OID.serialNumber;
    return der.setOf(
      der.sequence(der.objectIdentifier(type), printable ? der.printableString(value) : der.utf8String(value)),
    );
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
