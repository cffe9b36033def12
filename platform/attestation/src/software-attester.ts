/**
 * The attester of a machine without a TPM, layered like DICE (TCG "DICE Layering Architecture"): a unique device secret
 * (UDS) in a file that only its owner can read; from it and the measurement of the first layer (the Node binary and the
 * measurer itself) a compound device identifier (CDI); from that the alias key that signs evidence, certified by the
 * identity key of the node.
 *
 * What it is worth: it shows what an honest process has loaded, and a changed file on the disk. It cannot show anything
 * against somebody who controls the machine: the secret can be read and the measurer can be made to lie. So no verifier
 * affirms it, and a production policy gives it no commands.
 */
import {
  createECDH,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, EnerchainError, systemClock } from '@enerchain/model';
import { coseSign1, type Identity, type Signer } from '@enerchain/trust';
import { type Attester, BINDING_BYTES, type EvidenceCursor, MAX_BINDINGS } from './attester.ts';
import { ALIAS_TYP, EVIDENCE_TYP, encodeAlias, encodeClaims, encodeEvidence } from './evidence.ts';
import { decodeRecord, isFirstLayer, type MeasurementList, sha256 } from './measure/list.ts';

/** What an attester needs of a measurer. */
export interface Measurements {
  readonly list: MeasurementList;
  rescan(): Promise<unknown>;
  onChange(listener: () => void): () => void;
}

export interface SoftwareAttesterOptions {
  /** Called for each evidence: the certificate may have been renewed. */
  readonly identity: () => Identity;
  /** File of the UDS; made when it is not there. */
  readonly secretFile: string;
  readonly measurements: Measurements;
  readonly clock?: Clock;
}

const UDS_BYTES = 32;

/**
 * @throws EnerchainError `attestation.secret` when the secret cannot be used, or others may read it
 */
export async function openSoftwareAttester(options: SoftwareAttesterOptions): Promise<Attester> {
  const uds = await deviceSecret(options.secretFile);
  const first = options.measurements.list.records[0];
  if (!first) throw new EnerchainError('caller', 'attestation.attester', 'nothing was measured yet');
  const layer = firstLayer(first);
  // DICE § 5: CDI = HMAC(UDS, H(first mutable code)).
  const cdi = createHmac('sha256', uds).update(layer).digest();
  return new SoftwareAttester(options, layer, aliasKey(cdi));
}

/** SHA-256 over what must be right for anything else to be worth something: the Node binary and the measurer. */
export function firstLayer(startRecord: Uint8Array): Uint8Array {
  const components = decodeRecord(startRecord)
    .components.filter(({ name }) => isFirstLayer(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const hash = createHash('sha256');
  for (const { name, digest } of components) hash.update(`${name}\0`).update(digest);
  return hash.digest();
}

/** A P-256 key from a secret (SP 800-186 § 3.2.1.3, extra random bits taken modulo the order). */
function aliasKey(cdi: Uint8Array): Signer {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const wide = Buffer.from(hkdfSync('sha256', cdi, Buffer.alloc(0), 'enerchain alias key', 40)).toString('hex');
  const scalar = (BigInt(`0x${wide}`) % (order - 1n)) + 1n;
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex');
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(d);
  const point = curve.getPublicKey();
  const base64url = (bytes: Buffer) => bytes.toString('base64url');
  const key: KeyObject = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: base64url(d),
      x: base64url(point.subarray(1, 33)),
      y: base64url(point.subarray(33)),
    },
  });
  return {
    algorithm: 'ES256',
    origin: 'file',
    publicKey: createPublicKey(key),
    sign: (data) => sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }),
  };
}

class SoftwareAttester implements Attester {
  readonly tier = 'software';
  readonly #options: SoftwareAttesterOptions;
  readonly #clock: Clock;
  readonly #layer: Uint8Array;
  readonly #key: Signer;
  readonly #spki: Uint8Array;
  readonly #kid: Uint8Array;
  /** The alias certificate and the identity certificate by whose key it was made. */
  #alias: { readonly bytes: Uint8Array; readonly by: string } | undefined;

  constructor(options: SoftwareAttesterOptions, layer: Uint8Array, key: Signer) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#layer = layer;
    this.#key = key;
    this.#spki = key.publicKey.export({ type: 'spki', format: 'der' });
    this.#kid = sha256(this.#spki);
  }

  get node(): string {
    return this.#options.identity().name;
  }

  onChange(listener: () => void): () => void {
    return this.#options.measurements.onChange(listener);
  }

  async evidence(bindings: readonly Uint8Array[], since?: EvidenceCursor): Promise<Uint8Array> {
    checkBindings(bindings);
    const { measurements } = this.#options;
    await measurements.rescan();
    const identity = this.#options.identity();
    const alias = await this.#aliasOf(identity);
    const { list } = measurements;
    const from = knownRecords(list, since);
    // From here on nothing is awaited until the claims are encoded: records and head are of one moment.
    const claims = encodeClaims({
      node: identity.name,
      bindings,
      list: list.id,
      from,
      records: list.records.slice(from),
      count: list.records.length,
      head: list.head,
      at: this.#clock.now(),
    });
    const signature = await coseSign1(this.#key, this.#kid, EVIDENCE_TYP, sha256(claims));
    return encodeEvidence(claims, { tier: 'software', identity: identity.certificate.der, alias, signature });
  }

  async #aliasOf(identity: Identity): Promise<Uint8Array> {
    const by = Buffer.from(identity.kid).toString('hex');
    if (this.#alias?.by !== by) {
      const payload = encodeAlias({ node: identity.name, spki: this.#spki, layer: this.#layer, at: this.#clock.now() });
      this.#alias = { bytes: await coseSign1(identity.signer, identity.kid, ALIAS_TYP, payload), by };
    }
    return this.#alias.bytes;
  }
}

/** @throws EnerchainError `attestation.bindings` (fault peer): they came from whoever asked */
export function checkBindings(bindings: readonly Uint8Array[]): void {
  const right = bindings.length >= 1 && bindings.length <= MAX_BINDINGS;
  if (right && bindings.every((binding) => binding.length === BINDING_BYTES)) return;
  throw new EnerchainError(
    'peer',
    'attestation.bindings',
    `evidence answers 1 to ${MAX_BINDINGS} bindings of ${BINDING_BYTES} octets each`,
  );
}

/** How many records need not be sent. */
export const knownRecords = (list: MeasurementList, since: EvidenceCursor | undefined): number =>
  since?.list === list.id ? Math.min(since.records, list.records.length) : 0;

async function deviceSecret(path: string): Promise<Uint8Array> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const made = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return undefined;
      throw error;
    });
    if (made) {
      try {
        await made.writeFile(randomBytes(UDS_BYTES));
        await made.sync();
      } finally {
        await made.close();
      }
    }
    const { mode } = await stat(path);
    if (mode & 0o077) throw new Error(`it has mode ${(mode & 0o777).toString(8)} and must have 600`);
    const secret = await readFile(path);
    if (secret.length !== UDS_BYTES) throw new Error(`it has ${secret.length} octets instead of ${UDS_BYTES}`);
    return secret;
  } catch (cause) {
    throw new EnerchainError('environment', 'attestation.secret', `the device secret ${path} cannot be used`, {
      cause,
    });
  }
}
