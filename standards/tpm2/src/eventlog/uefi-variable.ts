/** UEFI_VARIABLE_DATA (PFP 1.05 § 10.2.6) and what some variables hold (UEFI 2.10 § 3.3, § 32.4). */
import { Tpm2Error } from '../error.ts';
import { LittleEndianReader } from '../wire/little-endian-reader.ts';
import { devicePathText } from './device-path.ts';

export interface UefiVariable {
  /** Namespace. */
  readonly guid: string;
  readonly name: string;
  readonly data: Uint8Array;
}

/** EFI_SIGNATURE_LIST. */
export interface SignatureList {
  /** `a5c059a1-…`: X.509 certificates; `c1c41626-…`: SHA-256 digests. */
  readonly type: string;
  readonly header: Uint8Array;
  /** Octets of each signature, its owner included. */
  readonly signatureSize: number;
  readonly signatures: readonly EfiSignature[];
}

/** EFI_SIGNATURE_DATA. */
export interface EfiSignature {
  readonly owner: string;
  readonly data: Uint8Array;
}

/** EFI_LOAD_OPTION (§ 3.1.3). */
export interface LoadOption {
  readonly attributes: number;
  readonly active: boolean;
  readonly description: string;
  readonly devicePath: Uint8Array;
  readonly path: string;
  readonly optionalData: Uint8Array;
}

const MAX_NAME = 4096;

export function readVariable(bytes: Uint8Array): UefiVariable {
  const reader = new LittleEndianReader(bytes, 'variable');
  const guid = reader.guid('namespace');
  const characters = reader.count('length of the name', MAX_NAME);
  const size = reader.count('length of the value', bytes.length);
  return { guid, name: reader.ucs2(characters, 'name'), data: reader.bytes(size, 'value') };
}

/** PK, KEK, db, dbx. @throws Tpm2Error `tpm2.malformed` (fault peer) */
export function readSignatureLists(data: Uint8Array): SignatureList[] {
  const reader = new LittleEndianReader(data, 'signature lists');
  const lists: SignatureList[] = [];
  while (!reader.done) {
    const type = reader.guid('type');
    const size = reader.u32('size of the list');
    const headerSize = reader.u32('size of the header');
    const signatureSize = reader.u32('size of a signature');
    const left = size - 28 - headerSize;
    if (left < 0 || signatureSize < 16 || left % signatureSize !== 0)
      throw reader.fail('the sizes of a list contradict each other');
    const header = reader.bytes(headerSize, 'header');
    const signatures: EfiSignature[] = [];
    for (let i = 0; i < left / signatureSize; i++)
      signatures.push(readEfiSignature(reader.bytes(signatureSize, 'signature')));
    lists.push({ type, header, signatureSize, signatures });
  }
  return lists;
}

/** What EV_EFI_VARIABLE_AUTHORITY holds of `db`: one signature. */
export function readEfiSignature(data: Uint8Array): EfiSignature {
  const reader = new LittleEndianReader(data, 'signature');
  return { owner: reader.guid('owner'), data: reader.rest() };
}

/** `BootOrder`: numbers of the `Boot####` variables. */
export function readBootOrder(data: Uint8Array): number[] {
  if (data.length % 2 !== 0) throw new Tpm2Error('peer', 'tpm2.malformed', 'a boot order has an odd number of octets');
  const reader = new LittleEndianReader(data, 'boot order');
  return Array.from({ length: data.length / 2 }, () => reader.u16('boot option'));
}

/** `Boot####`. */
export function readLoadOption(data: Uint8Array): LoadOption {
  const reader = new LittleEndianReader(data, 'load option');
  const attributes = reader.u32('attributes');
  const size = reader.u16('length of the file path list');
  const description = reader.ucs2z('description');
  const devicePath = reader.bytes(size, 'file path list');
  const active = (attributes & 1) === 1;
  return { attributes, active, description, devicePath, path: devicePathText(devicePath), optionalData: reader.rest() };
}
