/**
 * Templates of Linux’s Integrity Measurement Architecture (Documentation/security/IMA-templates.rst): which fields an entry
 * has, how they are written, and what the template digest is over.
 */
import type { HashAlgorithm } from '../spec/algorithms.ts';
import { digest } from '../structures/hash.ts';
import { LittleEndianReader } from '../wire/little-endian-reader.ts';

/** `d`: SHA-1 or MD5 without a name; `d-ng`: `sha256:` NUL digest; `d-ngv2`: `ima:sha256:` NUL digest; `n`: file name; `sig`; `buf`. */
export type ImaField =
  | 'd'
  | 'd-ng'
  | 'd-ngv2'
  | 'n'
  | 'n-ng'
  | 'sig'
  | 'buf'
  | 'd-modsig'
  | 'modsig'
  | 'evmsig'
  | 'other';

/** `ima` is the old form: fixed digest, padded name, no lengths in the hash. */
export const IMA_TEMPLATES: Readonly<Record<string, readonly ImaField[]>> = {
  ima: ['d', 'n'],
  'ima-ng': ['d-ng', 'n-ng'],
  'ima-ngv2': ['d-ngv2', 'n-ng'],
  'ima-sig': ['d-ng', 'n-ng', 'sig'],
  'ima-sigv2': ['d-ngv2', 'n-ng', 'sig'],
  'ima-buf': ['d-ng', 'n-ng', 'buf'],
  'ima-modsig': ['d-ng', 'n-ng', 'sig', 'd-modsig', 'modsig'],
  'evm-sig': ['d-ng', 'n-ng', 'evmsig', 'other', 'other', 'other', 'other', 'other', 'other'],
};

export interface ImaEntry {
  /** 10 unless the kernel was built otherwise. */
  readonly pcr: number;
  /** SHA-1 of the template data (or of the list’s own algorithm); zeros for a violation. */
  readonly templateDigest: Uint8Array;
  /** `ima-ng`. */
  readonly template: string;
  /** A file that was open for writing while it was measured: its digest says nothing (ToMToU, open writers). */
  readonly violation: boolean;
  /** What was measured. */
  readonly name: string;
  readonly file: {
    /** `verity`: the fs-verity digest of the file. */
    readonly kind: 'ima' | 'verity';
    /** As the list names it: `sha256`. */
    readonly algorithm: string;
    readonly digest: Uint8Array;
  };
  /** The file’s signature (security.ima), empty when it has none. */
  readonly signature?: Uint8Array;
  /** A measured buffer: a key, a policy, `kexec` command line. */
  readonly buffer?: Uint8Array;
  /** What the template digest is over. */
  readonly templateData: Uint8Array;
}

/** Octets to which the name of an `ima` entry is padded: IMA_EVENT_NAME_LEN_MAX + 1. */
const PADDED_NAME = 256;
const OLD_DIGEST = 20;

/** Template data from the fields of a binary entry. */
export function decodeFields(
  template: string,
  data: Uint8Array,
): Pick<ImaEntry, 'name' | 'file' | 'signature' | 'buffer' | 'templateData'> {
  const reader = new LittleEndianReader(data, `entry of template ${template}`);
  if (template === 'ima') {
    const file = { kind: 'ima', algorithm: 'sha1', digest: reader.bytes(OLD_DIGEST, 'digest') } as const;
    const name = reader.bytes(reader.u32('length of the name'), 'name');
    if (name.length >= PADDED_NAME) throw reader.fail(`a name has ${name.length} octets`);
    if (!reader.done) throw reader.fail(`${reader.left} bytes too many`);
    return { name: text(name), file, templateData: oldTemplateData(file.digest, name) };
  }
  const fields = IMA_TEMPLATES[template];
  if (fields === undefined) throw reader.fail('the template is not known');
  const values = fields.map((field) => reader.bytes(reader.u32(`length of ${field}`), field));
  if (!reader.done) throw reader.fail(`${reader.left} bytes too many`);
  return { ...fromValues(template, fields, values, reader), templateData: data };
}

function fromValues(
  template: string,
  fields: readonly ImaField[],
  values: readonly Uint8Array[],
  reader: LittleEndianReader,
): Pick<ImaEntry, 'name' | 'file' | 'signature' | 'buffer'> {
  const file = readFileDigest(values[0]!, template.endsWith('v2'));
  if (file === undefined) throw reader.fail('the digest of the file has no algorithm');
  const signature = fields.indexOf('sig');
  const buffer = fields.indexOf('buf');
  return {
    name: text(values[1]!),
    file,
    ...(signature < 0 ? {} : { signature: values[signature]! }),
    ...(buffer < 0 ? {} : { buffer: values[buffer]! }),
  };
}

/** `sha256:` NUL digest, with `ima:` or `verity:` before it in version 2. */
function readFileDigest(value: Uint8Array, version2: boolean): ImaEntry['file'] | undefined {
  const end = value.indexOf(0);
  if (end < 2 || end > 40) return undefined;
  const parts = text(value.subarray(0, end)).split(':');
  const kind = version2 ? parts.shift() : 'ima';
  if (parts.length !== 2 || parts[1] !== '' || (kind !== 'ima' && kind !== 'verity')) return undefined;
  return { kind, algorithm: parts[0]!, digest: value.subarray(end + 1) };
}

/** `ima`: digest and name padded with zeros, without lengths. */
export function oldTemplateData(fileDigest: Uint8Array, name: Uint8Array): Uint8Array {
  const data = new Uint8Array(OLD_DIGEST + PADDED_NAME);
  data.set(fileDigest.subarray(0, OLD_DIGEST));
  data.set(name.subarray(0, PADDED_NAME - 1), OLD_DIGEST);
  return data;
}

/** Template data of every other template: each field after its length. */
export function templateData(fields: readonly Uint8Array[]): Uint8Array {
  const data = new Uint8Array(fields.reduce((size, field) => size + 4 + field.length, 0));
  const view = new DataView(data.buffer);
  let at = 0;
  for (const field of fields) {
    view.setUint32(at, field.length, true);
    data.set(field, at + 4);
    at += 4 + field.length;
  }
  return data;
}

/** The digest that an entry has in a bank. */
export const templateDigest = (hash: HashAlgorithm, entry: Pick<ImaEntry, 'templateData'>): Uint8Array =>
  digest(hash, entry.templateData);

/** Without its terminating zero. */
const text = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length).toString('utf8');
