/**
 * Reference values as a signed manifest in the shape of CoRIM (draft-ietf-rats-corim-10): a COSE_Sign1 over a tagged
 * CoRIM with one CoMID, whose reference-value triple lists digests by component, and golden PCR values.
 *
 * The subset: `corim-map` id (text), tags (one CoMID), profile, rim-validity, entities; `concise-mid-tag` tag-identity,
 * entities, triples; of the triples only reference-triples; environments by class (vendor, model) or by instance (tagged
 * bytes: the name of a node); measurements with `mkey` (text) and `digests`, or `integrity-registers`. Anything else is
 * refused, since a manifest that is half understood must not make anything good. Maps are deterministic (RFC 8949
 * § 4.2.1): one manifest has one encoding, and its SHA-256 names it.
 */
import type { KeyObject } from 'node:crypto';
import { EnerchainError, type UtcNanos } from '@enerchain/model';
import { verifyRaw } from '@enerchain/pki';
import {
  CBOR_MAJOR,
  CborTag,
  type CborValue,
  CborWriter,
  COSE_HEADER,
  coseParse1,
  decodeCbor,
  encodeCbor,
  requireEs256,
  type Signer,
  sigStructure,
} from '@enerchain/trust';
import { type Component, DIGEST_BYTES, LIST_LIMITS, sha256 } from '../measure/list.ts';

/** Tags (corim-10 § 12.2, RFC 8949 § 3.4). */
const TAG = { epoch: 1, sign1: 18, uri: 32, corim: 501, comid: 506, bytes: 560 } as const;
const CONTENT_TYPE = 'application/rim+cbor';
const PROFILE = 'urn:enerchain:corim:1';
/** Of the header (corim-10 § 4.2.1). */
const HEADER = { contentType: 3, meta: 8 } as const;
/** "Named Information Hash Algorithm" registry: sha-256. */
const SHA256 = 1;
const ES256 = -7;
const VENDOR = 'CloudEnerChain';
/** Octets of a manifest. */
const MOST_BYTES = 64 * 1024 * 1024;

/** A golden value of a PCR in the SHA-256 bank. */
export interface RegisterValue {
  readonly pcr: number;
  readonly digest: Uint8Array;
}

export interface Manifest {
  /** Name and version of what it describes, for people. */
  readonly id: string;
  /** Grows with each version of the same id. */
  readonly version: number;
  /** Name of who signed it. */
  readonly signer: string;
  /** Nanoseconds since the Unix epoch, whole seconds. */
  readonly notBefore: UtcNanos;
  readonly notAfter: UtcNanos;
  /** For this node alone, beside what holds for all. */
  readonly node?: string;
  readonly components: readonly Component[];
  readonly registers: readonly RegisterValue[];
}

export interface SignedManifest {
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
  /** SHA-256 of `bytes`, hex. */
  readonly digest: string;
}

const SECOND = 1_000_000_000n;
const refuse = (what: string): EnerchainError =>
  new EnerchainError('peer', 'attestation.manifest', `a manifest ${what}; none of its values are used`);

const time = (at: UtcNanos): CborTag => new CborTag(TAG.epoch, Number(at / SECOND));
const map = (...entries: [number, CborValue][]): Map<number, CborValue> => new Map(entries);
const digests = (digest: Uint8Array): CborValue => [[SHA256, digest]];

/** The tagged CoRIM, unsigned. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const { id, version, signer, notBefore, notAfter, node, components, registers } = manifest;
  const environment = node
    ? map([1, new CborTag(TAG.bytes, Buffer.from(node, 'utf8'))])
    : map([0, map([1, VENDOR], [2, 'enerchain'])]);
  const sorted = [...components].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const measurements: CborValue[] = [
    ...sorted.map(({ name, digest }) => map([0, name], [1, map([2, digests(digest)])])),
    ...registers.map(({ pcr, digest }) => map([1, map([14, map([pcr, digests(digest)])])])),
  ];
  const comid = encodeCbor(
    map(
      [1, map([0, id], [1, version])],
      [2, [map([0, signer], [2, [0]])]],
      [4, map([0, [[environment, measurements]]])],
    ),
  );
  return encodeCbor(
    new CborTag(
      TAG.corim,
      map(
        [0, id],
        [1, [new CborTag(TAG.comid, comid)]],
        [3, new CborTag(TAG.uri, PROFILE)],
        [4, map([0, time(notBefore)], [1, time(notAfter)])],
        [5, [map([0, signer], [2, [1]])]],
      ),
    ),
  );
}

/** @param kid names the key: SHA-256 of its public key (SPKI) or of its certificate, as the verifiers know it */
export async function signManifest(manifest: Manifest, signer: Signer, kid: Uint8Array): Promise<SignedManifest> {
  requireEs256(signer);
  const payload = encodeManifest(manifest);
  const meta = encodeCbor(
    map([0, map([0, manifest.signer])], [1, map([0, time(manifest.notBefore)], [1, time(manifest.notAfter)])]),
  );
  const header = encodeCbor(
    map([COSE_HEADER.alg, ES256], [HEADER.contentType, CONTENT_TYPE], [COSE_HEADER.kid, kid], [HEADER.meta, meta]),
  );
  const signature = await signer.sign(sigStructure(header, payload));
  const writer = new CborWriter(payload.length + 512);
  writer.head(CBOR_MAJOR.tag, TAG.sign1);
  writer.head(CBOR_MAJOR.array, 4);
  writer.bytes(header);
  writer.head(CBOR_MAJOR.map, 0);
  writer.bytes(payload);
  writer.bytes(signature);
  const bytes = writer.finish();
  return { manifest, bytes, digest: Buffer.from(sha256(bytes)).toString('hex') };
}

/**
 * Reads a manifest and checks its signature.
 * @param keyOf public key of an authority by the key identifier of the message
 * @throws EnerchainError `attestation.manifest` (fault peer), and what the parts throw
 */
export function readManifest(bytes: Uint8Array, keyOf: (kid: Uint8Array) => KeyObject | undefined): SignedManifest {
  if (bytes.length > MOST_BYTES) throw refuse(`has ${bytes.length} octets`);
  const message = coseParse1(bytes);
  const header = decodeCbor(message.protectedBytes);
  if (!(header instanceof Map) || header.get(HEADER.contentType) !== CONTENT_TYPE) throw refuse('is no CoRIM');
  const key = keyOf(message.kid);
  if (!key) throw refuse(`was signed by a key that is no authority here (${Buffer.from(message.kid).toString('hex')})`);
  const signed = sigStructure(message.protectedBytes, message.payload);
  if (!verifyRaw('ES256', key, signed, message.signature)) {
    throw refuse('has a signature that does not fit');
  }
  const manifest = decodeManifest(message.payload);
  return { manifest, bytes, digest: Buffer.from(sha256(bytes)).toString('hex') };
}

/** @throws EnerchainError `attestation.manifest` or `cbor.malformed` (fault peer) */
export function decodeManifest(payload: Uint8Array): Manifest {
  const corim = fields(untagged(decodeCbor(payload), TAG.corim, 'CoRIM'), 'CoRIM', [0, 1, 3, 4, 5]);
  if (untagged(corim.get(3), TAG.uri, 'profile') !== PROFILE) throw refuse('is of another profile');
  const validity = fields(corim.get(4), 'validity', [0, 1]);
  const notBefore = instant(validity.get(0));
  const notAfter = instant(validity.get(1));
  const [tag, ...others] = list(corim.get(1), 'tags', 1);
  if (others.length > 0) throw refuse('has more than one tag');
  const inner = untagged(tag, TAG.comid, 'CoMID');
  if (!(inner instanceof Uint8Array)) throw refuse('has no CoMID');
  const comid = fields(decodeCbor(inner), 'CoMID', [1, 2, 4]);
  const identity = fields(comid.get(1), 'tag identity', [0, 1]);
  const [entity] = list(corim.get(5), 'entities', 16);
  const triples = list(fields(comid.get(4), 'triples', [0]).get(0), 'reference triples', 1);
  const [environment, measured] = list(triples[0], 'reference triple', 2);
  const node = nodeOf(environment);
  const components: Component[] = [];
  const registers: RegisterValue[] = [];
  for (const each of list(measured, 'measurements', 1_000_000)) {
    const measurement = fields(each, 'measurement', [0, 1]);
    const key = measurement.get(0);
    if (key !== undefined) {
      if (typeof key !== 'string' || key.length > LIST_LIMITS.name) throw refuse('has a component without a name');
      const value = fields(measurement.get(1), 'measurement values', [2]);
      components.push({ name: key, digest: digestOf(value.get(2)) });
      continue;
    }
    const value = fields(measurement.get(1), 'measurement values', [14]).get(14);
    if (!(value instanceof Map)) throw refuse('has no integrity registers');
    for (const [pcr, of] of value as ReadonlyMap<number | string, CborValue>) {
      if (typeof pcr !== 'number' || pcr < 0 || pcr > 31) throw refuse('has a register that is no PCR');
      registers.push({ pcr, digest: digestOf(of) });
    }
  }
  return {
    id: text(identity.get(0), 'identity'),
    version: unsigned(identity.get(1)),
    signer: text(fields(entity, 'entity', [0, 2]).get(0), 'entity'),
    notBefore,
    notAfter,
    ...(node === undefined ? {} : { node }),
    components,
    registers,
  };
}

function nodeOf(environment: CborValue): string | undefined {
  const found = fields(environment, 'environment', [0, 1]);
  if (found.size !== 1) throw refuse('has an environment that is not one class or one instance');
  if (found.has(0)) {
    const of = fields(found.get(0), 'class', [1, 2]);
    if (of.get(1) !== VENDOR || of.get(2) !== 'enerchain') throw refuse('is for other software');
    return undefined;
  }
  const name = untagged(found.get(1), TAG.bytes, 'instance');
  if (!(name instanceof Uint8Array) || name.length === 0 || name.length > 64) throw refuse('has no instance');
  return Buffer.from(name).toString('utf8');
}

function untagged(value: CborValue, tag: number, what: string): CborValue {
  if (!(value instanceof CborTag) || value.tag !== tag) throw refuse(`has no ${what}`);
  return value.value;
}

function fields(value: CborValue, what: string, known: readonly number[]): ReadonlyMap<number, CborValue> {
  if (!(value instanceof Map)) throw refuse(`has no ${what}`);
  for (const key of value.keys()) {
    if (!known.includes(key as number))
      throw refuse(`has '${String(key)}' in its ${what}, which is not understood here`);
  }
  return value as ReadonlyMap<number, CborValue>;
}

function list(value: CborValue, what: string, most: number): readonly CborValue[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > most) throw refuse(`has no ${what}`);
  return value as readonly CborValue[];
}

function digestOf(value: CborValue): Uint8Array {
  const [first, ...others] = list(value, 'digests', 1);
  const [algorithm, digest] = list(first, 'digest', 2);
  if (others.length > 0 || algorithm !== SHA256 || !(digest instanceof Uint8Array) || digest.length !== DIGEST_BYTES) {
    throw refuse('has a digest that is no SHA-256');
  }
  return digest;
}

function text(value: CborValue, what: string): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > 200) throw refuse(`has no ${what}`);
  return value;
}

function unsigned(value: CborValue): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw refuse('has no version');
  return value;
}

function instant(value: CborValue): UtcNanos {
  const seconds = untagged(value, TAG.epoch, 'time');
  if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds) || seconds < 0 || seconds > 9_000_000_000) {
    throw refuse('has no time');
  }
  return BigInt(seconds) * SECOND;
}
