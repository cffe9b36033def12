/** Identity: mRIDs are UUIDs in lower case; a point without one gets a version 5 UUID from what identifies it. */
import { createHash, randomUUID } from 'node:crypto';
import Type from 'typebox';

export const Mrid = Type.String({
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
  description: 'CIM IdentifiedObject.mRID: a UUID in lower case (RFC 9562)',
});
export type Mrid = Type.Static<typeof Mrid>;

/** Name space of the derived mRIDs, itself the version 5 UUID of `enerchain:point` in the URL name space. */
const POINT_NAMESPACE = uuidV5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'enerchain:point');

export const newMrid = (): Mrid => randomUUID();

/**
 * The mRID of a point that was given none: the same site, endpoint and address give the same mRID on every machine.
 * @param address the canonical text of the protocol address, for example `ca=1 ioa=4711`
 */
export function derivedMrid(site: string, endpoint: string, address: string): Mrid {
  return uuidV5(
    POINT_NAMESPACE,
    [site, endpoint, address].map((part) => part.replaceAll('\\', '\\\\').replaceAll('|', '\\|')).join('|'),
  );
}

/** RFC 9562 § 5.5. @throws RangeError when the name space is not a UUID */
export function uuidV5(namespace: string, name: string): string {
  const hash = createHash('sha1').update(uuidToBytes(namespace)).update(name, 'utf8').digest().subarray(0, 16);
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  return uuidFromBytes(hash);
}

/** @returns 16 octets; @throws RangeError when the text is not a UUID */
export function uuidToBytes(uuid: string): Uint8Array {
  const hex = uuid.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(hex)) throw new RangeError(`'${uuid}' is not a UUID`);
  return Buffer.from(hex, 'hex');
}

/** @param bytes 16 octets; @returns the UUID in lower case */
export function uuidFromBytes(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new RangeError(`a UUID has 16 octets, not ${bytes.length}`);
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
