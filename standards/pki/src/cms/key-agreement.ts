/**
 * Key agreement with one ephemeral key (RFC 5753 § 3.1, 7): ECDH on the curve of the recipient, X9.63 key derivation over
 * ECC-CMS-SharedInfo, AES key wrap (RFC 3394).
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import type { Certificate } from '../certificate.ts';
import { DerReader } from '../der-reader.ts';
import { context, TAG } from '../der-tags.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';
import { OID } from '../oid.ts';
import { publicKeyFrom } from '../signed.ts';
import {
  algorithmIdentifier,
  type CertificateIdentifier,
  identifies,
  issuerAndSerialNumber,
  readAlgorithmIdentifier,
  readAll,
  readIssuerAndSerialNumber,
  subjectKeyIdentifierOf,
} from './content-info.ts';
import { CMS_OID } from './oid.ts';

/** One who can open what was sealed for a public key: a port, so that the key may lie in an HSM. */
export interface KeyAgreement {
  readonly publicKey: KeyObject;
  /** @param peer a key on the same curve. @returns the x coordinate of the shared point, as long as the field */
  agree(peer: KeyObject): Promise<Uint8Array> | Uint8Array;
}

/** With a private key of node:crypto. */
export const keyAgreementWith = (privateKey: KeyObject, publicKey: KeyObject): KeyAgreement => ({
  publicKey,
  agree: (peer) => diffieHellman({ privateKey, publicKey: peer }),
});

/** Schemes by object identifier: the hash of the key derivation. */
const SCHEMES: Readonly<Record<string, string>> = {
  [CMS_OID.stdDhSha256Kdf]: 'sha256',
  [CMS_OID.stdDhSha384Kdf]: 'sha384',
  [CMS_OID.stdDhSha512Kdf]: 'sha512',
  [CMS_OID.eckaEgSha256]: 'sha256',
  [CMS_OID.eckaEgSha384]: 'sha384',
  [CMS_OID.eckaEgSha512]: 'sha512',
};

/** Key wraps by object identifier: octets of the wrapping key. */
const WRAPS: Readonly<Record<string, number>> = {
  [CMS_OID.aes128Wrap]: 16,
  [CMS_OID.aes192Wrap]: 24,
  [CMS_OID.aes256Wrap]: 32,
};
/** RFC 3394 § 2.2.3.1. */
const WRAP_IV = Buffer.alloc(8, 0xa6);

export interface RecipientOptions {
  readonly identifiedBy?: CertificateIdentifier['kind'];
  /** Object identifier of the scheme; by default standard DH with SHA-256, SHA-384 on curves of 384 bits. */
  readonly scheme?: string;
}

/** RecipientInfo [1] KeyAgreeRecipientInfo (RFC 5652 § 6.2.2) that hands the key to the holder of a certificate. */
export function keyAgreeRecipient(
  certificate: Certificate,
  key: Uint8Array,
  options: RecipientOptions = {},
): Uint8Array {
  const { algorithm } = ecKeyOf(certificate.spki);
  const curve = certificate.publicKey.asymmetricKeyDetails?.namedCurve;
  if (!curve) throw new PkiError('caller', 'pki.cms.recipient', 'the certificate of a recipient has no key on a curve');
  const { keyUsage } = certificate.extensions;
  if (keyUsage && !keyUsage.includes('keyAgreement')) {
    throw new PkiError('caller', 'pki.cms.recipient', 'the certificate of a recipient is not for key agreement');
  }
  const scheme = options.scheme ?? (/384/.test(curve) ? CMS_OID.stdDhSha384Kdf : CMS_OID.stdDhSha256Kdf);
  const hash = SCHEMES[scheme];
  if (!hash) throw new PkiError('caller', 'pki.algorithm', `the key agreement ${scheme} is not known here`);
  const wrap = Object.keys(WRAPS).find((oid) => WRAPS[oid] === key.length)!;
  const ephemeral = generateKeyPairSync('ec', { namedCurve: curve });
  const keyInfo = algorithmIdentifier(wrap);
  const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: certificate.publicKey });
  const { point } = ecKeyOf(ephemeral.publicKey.export({ type: 'spki', format: 'der' }));
  const rid =
    options.identifiedBy === 'subjectKeyIdentifier'
      ? der.implicitConstructed(0, der.octetString(subjectKeyIdentifierOf(certificate)))
      : issuerAndSerialNumber(certificate);
  const wrapping = deriveKey(hash, secret, keyInfo, undefined, key.length);
  return der.implicitConstructed(
    1,
    der.integer(3),
    der.explicit(0, der.implicitConstructed(1, algorithm, der.bitString(point))),
    algorithmIdentifier(scheme, keyInfo),
    der.sequence(der.sequence(rid, der.octetString(wrapKey(key.length, wrapping, key)))),
  );
}

export interface KeyAgreeRecipient {
  /** BIT STRING of the ephemeral public key. */
  readonly point: Uint8Array;
  /** DER of the curve if the message names it. */
  readonly curve: Uint8Array | undefined;
  readonly userKeyingMaterial: Uint8Array | undefined;
  /** Hash of the key derivation; `undefined` for a scheme that is not known here. */
  readonly hash: string | undefined;
  /** AlgorithmIdentifier of the key wrap, as it stands. */
  readonly keyInfo: Uint8Array;
  /** Octets of the wrapping key; `undefined` for a wrap that is not known here. */
  readonly wrap: number | undefined;
  readonly keys: readonly { readonly identifier: CertificateIdentifier; readonly encryptedKey: Uint8Array }[];
}

/** Reads a RecipientInfo. @returns `undefined` for another kind than key agreement with an ephemeral key */
export function readRecipient(reader: DerReader): KeyAgreeRecipient | undefined {
  const { tag, contents } = reader.any('recipient');
  if (tag !== context(1)) return undefined;
  const inner = new DerReader(contents);
  if (inner.smallInteger('version') !== 3) throw inner.fail('the version of the recipient is not 3');
  const originator = inner.open(context(0), 'originator');
  if (originator.peek() !== context(1)) return undefined;
  const ephemeral = originator.open(context(1), 'originator key');
  const { oid, parameters } = readAlgorithmIdentifier(ephemeral, 'algorithm of the originator key');
  const point = ephemeral.octetAlignedBits('originator key');
  ephemeral.end('originator key');
  originator.end('originator');
  if (oid !== OID.ecPublicKey) return undefined;
  const ukm = inner.optional(1, 'user keying material');
  const userKeyingMaterial = ukm?.octetString('user keying material');
  ukm?.end('user keying material');
  const scheme = readAlgorithmIdentifier(inner, 'key agreement');
  const keyInfo = scheme.parameters;
  if (!keyInfo) throw inner.fail('the key agreement names no key wrap');
  const wrap = readAlgorithmIdentifier(new DerReader(keyInfo), 'key wrap').oid;
  const keys = readAll(inner.sequence('encrypted keys'), 'encrypted keys', (each) => {
    const entry = each.sequence('encrypted key');
    const identifier = readRecipientIdentifier(entry);
    const encryptedKey = entry.octetString('encrypted key');
    entry.end('encrypted key');
    return { identifier, encryptedKey };
  });
  inner.end('recipient');
  return {
    point,
    curve: parameters && parameters[0] !== TAG.null ? parameters : undefined,
    userKeyingMaterial,
    hash: SCHEMES[scheme.oid],
    keyInfo,
    wrap: WRAPS[wrap],
    keys,
  };
}

/** KeyAgreeRecipientIdentifier: IssuerAndSerialNumber or [0] RecipientKeyIdentifier (date and other are passed over). */
function readRecipientIdentifier(reader: DerReader): CertificateIdentifier {
  if (reader.peek() !== context(0)) return readIssuerAndSerialNumber(reader);
  const inner = reader.open(context(0), 'recipient key identifier');
  return { kind: 'subjectKeyIdentifier', identifier: inner.octetString('subject key identifier') };
}

/**
 * Finds the key that was sealed for a certificate and unwraps it.
 * @returns `undefined` when none of the recipients is meant
 * @throws PkiError `pki.cms.open` (fault peer), `pki.algorithm` (fault unsupported)
 */
export async function unwrapFor(
  recipients: readonly KeyAgreeRecipient[],
  certificate: Certificate,
  holder: KeyAgreement,
): Promise<Uint8Array | undefined> {
  for (const recipient of recipients) {
    const entry = recipient.keys.find(({ identifier }) => identifies(identifier, certificate));
    if (!entry) continue;
    const { hash, wrap, keyInfo, userKeyingMaterial } = recipient;
    if (!hash || !wrap) {
      throw new PkiError(
        'unsupported',
        'pki.algorithm',
        'the key agreement or key wrap of the message is not known here',
      );
    }
    const { algorithm, curve } = ecKeyOf(certificate.spki);
    if (recipient.curve && Buffer.compare(recipient.curve, curve) !== 0) throw cannotOpen();
    // The point is checked to be on the recipient's curve as it is read: what is on another one is refused.
    const peer = publicKeyFrom(der.sequence(algorithm, der.bitString(recipient.point)));
    const secret = await holder.agree(peer);
    return unwrapKey(wrap, deriveKey(hash, secret, keyInfo, userKeyingMaterial, wrap), entry.encryptedKey);
  }
  return undefined;
}

/** One sentence for all that may be wrong with what is encrypted: which of them it was helps only an attacker. */
export const cannotOpen = (cause?: unknown): PkiError =>
  new PkiError('peer', 'pki.cms.open', 'the message cannot be opened: it was changed, or sealed for another key', {
    cause,
  });

/** Takes a SubjectPublicKeyInfo of ecPublicKey apart. */
function ecKeyOf(spki: Uint8Array): { algorithm: Uint8Array; curve: Uint8Array; point: Uint8Array } {
  const inner = new DerReader(spki).sequence('public key');
  const { raw, oid, parameters } = readAlgorithmIdentifier(inner, 'algorithm');
  if (oid !== OID.ecPublicKey || !parameters) {
    throw new PkiError('unsupported', 'pki.cms.recipient', 'key agreement needs a key on a named curve');
  }
  return { algorithm: raw, curve: parameters, point: inner.octetAlignedBits('public key') };
}

/** X9.63 KDF over ECC-CMS-SharedInfo (RFC 5753 § 7.2). */
function deriveKey(
  hash: string,
  secret: Uint8Array,
  keyInfo: Uint8Array,
  userKeyingMaterial: Uint8Array | undefined,
  size: number,
): Uint8Array {
  const bits = Buffer.alloc(4);
  bits.writeUInt32BE(size * 8);
  const shared = der.sequence(
    keyInfo,
    ...(userKeyingMaterial ? [der.explicit(0, der.octetString(userKeyingMaterial))] : []),
    der.explicit(2, der.octetString(bits)),
  );
  const blocks: Buffer[] = [];
  for (let length = 0, counter = 1; length < size; counter++) {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(counter);
    const block = createHash(hash).update(secret).update(count).update(shared).digest();
    blocks.push(block);
    length += block.length;
  }
  return Buffer.concat(blocks).subarray(0, size);
}

function wrapKey(size: number, wrapping: Uint8Array, key: Uint8Array): Uint8Array {
  const cipher = createCipheriv(`id-aes${size * 8}-wrap`, wrapping, WRAP_IV);
  return Buffer.concat([cipher.update(key), cipher.final()]);
}

function unwrapKey(size: number, wrapping: Uint8Array, wrapped: Uint8Array): Uint8Array {
  try {
    const decipher = createDecipheriv(`id-aes${size * 8}-wrap`, wrapping, WRAP_IV);
    return Buffer.concat([decipher.update(wrapped), decipher.final()]);
  } catch (cause) {
    throw cannotOpen(cause);
  }
}
